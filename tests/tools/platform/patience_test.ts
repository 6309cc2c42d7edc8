import assert from "node:assert/strict";
import { patientImmediate } from "../../../tools/platform/patience.ts";

/** A clock, and the two ways to call back, as lists of what waits. */
function bench() {
  const soon: (() => void)[] = [], later: (() => void)[] = [];
  const state = { ms: 0 };
  const immediate = patientImmediate(
    (callback) => soon.push(callback),
    (callback) => later.push(callback),
    () => state.ms,
  );
  return { soon, later, state, immediate };
}

/** A callback that looks like an addon's. */
const native = (run: () => void) => Object.defineProperty(run.bind(undefined), "name", { value: "" });

Deno.test("a native callback that calls itself again is called at once for 20 ms, then once a millisecond", () => {
  const { soon, later, state, immediate } = bench();
  let calls = 0;
  const ask = native(() => {
    calls++;
    immediate(ask);
  });
  immediate(ask);
  for (; state.ms < 20; state.ms++) soon.shift()!();
  assert.deepEqual([calls, soon.length, later.length], [20, 1, 0]);
  soon.shift()!();
  assert.deepEqual([calls, soon.length, later.length], [21, 0, 1]);
  later.shift()!();
  assert.deepEqual([calls, soon.length, later.length], [22, 0, 1]);
});

Deno.test("a new wait is eager again, also after a callback that threw", () => {
  const { soon, later, state, immediate } = bench();
  immediate(native(() => {
    state.ms += 100;
    throw new RangeError("lost");
  }));
  assert.throws(soon.shift()!, RangeError);
  immediate(native(() => {}));
  assert.deepEqual([soon.length, later.length], [1, 0]);
});

Deno.test("scripts' callbacks are called at once, with their arguments", () => {
  const { soon, later, state, immediate } = bench();
  state.ms = 1000;
  const callback = () => {};
  immediate(callback);
  assert.deepEqual([soon, later], [[callback], []]);
  let given: unknown[] = [];
  const passing = patientImmediate((...all: unknown[]) => void (given = all));
  (passing as (...all: unknown[]) => void)(callback, 1, "two");
  assert.deepEqual(given, [callback, 1, "two"]);
});
