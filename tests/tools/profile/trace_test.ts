import assert from "node:assert/strict";
import { type TraceEvent, traceOf } from "../../../tools/profile/trace.ts";
import { sampleProfile } from "./sample_profile.ts";

/** Slices of one track must follow each other or lie within each other. */
function checkNested(slices: readonly TraceEvent[]): void {
  const open: number[] = [];
  const inOrder = slices.toSorted((a, b) => a.ts! - b.ts! || b.dur! - a.dur!);
  for (const { name, ts, dur } of inOrder) {
    while (open.length && open.at(-1)! <= ts!) open.pop();
    const end = ts! + dur!;
    assert.ok(open.length === 0 || end <= open.at(-1)!, `${name} at ${ts} overlaps the end of another slice`);
    open.push(end);
  }
}

Deno.test("a trace has what viewers ask for", () => {
  const { traceEvents, displayTimeUnit, otherData } = traceOf(sampleProfile(), "sample");
  assert.equal(displayTimeUnit, "ms");
  assert.deepEqual(otherData, { workload: "sample", clock: "timestamps" });
  for (const event of traceEvents) {
    assert.ok(event.name && Number.isInteger(event.pid) && Number.isInteger(event.tid), JSON.stringify(event));
    if (event.ph !== "M") assert.ok(event.ts! >= 0, JSON.stringify(event));
    if (event.ph === "X") assert.ok(event.dur! >= 0, JSON.stringify(event));
  }
  const categories = new Set(traceEvents.flatMap(({ cat }) => cat ?? []));
  assert.deepEqual(categories, new Set(["kernels", "scopes", "host", "memory"]));
  const tracks = Map.groupBy(traceEvents.filter(({ ph }) => ph === "X"), ({ pid, tid }) => `${pid}.${tid}`);
  assert.equal(tracks.size, 3);
  for (const slices of tracks.values()) checkNested(slices);
  const named = traceEvents.filter(({ ph, name }) => ph === "M" && name === "thread_name");
  assert.deepEqual(new Set(named.map(({ pid, tid }) => `${pid}.${tid}`)), new Set(tracks.keys()));
});

Deno.test("outer scopes stand before those in them that last as long", () => {
  const profile = sampleProfile();
  const { traceEvents } = traceOf({ ...profile, kernels: profile.kernels.slice(0, 1) }, "sample");
  const scopes = traceEvents.filter(({ cat }) => cat === "scopes");
  assert.deepEqual(scopes.map(({ name }) => name), ["step", "forward", "evoformer", "0", "pairTransition", "linear"]);
  for (const { ts, dur } of scopes) assert.deepEqual([ts, dur], [1000, 1000]);
});

Deno.test("without times of kernels a trace has the host and memory", () => {
  const { traceEvents } = traceOf({ ...sampleProfile(), clock: "none" }, "sample");
  const categories = new Set(traceEvents.flatMap(({ cat }) => cat ?? []));
  assert.deepEqual(categories, new Set(["host", "memory"]));
});

Deno.test("kernels carry place and speed, scopes enclose them, memory is a counter", () => {
  const { traceEvents } = traceOf(sampleProfile(), "sample");
  const of = (cat: string) => traceEvents.filter((event) => event.cat === cat);
  assert.deepEqual(of("kernels")[3], {
    ...{ ph: "X", cat: "kernels", name: "matmul", ts: 5000, dur: 2000, pid: 1, tid: 1 },
    args: {
      ...{ place: "evoformer/1/block/pairTransition/linear", phase: "backward", grid: "4 × 1 × 1" },
      ...{ bytesRead: 3e6, bytesWritten: 1e6, flops: 24e6, gflops: 12 },
    },
  });
  const backward = of("scopes").filter(({ name }) => name === "backward").map(({ ts, dur }) => [ts, dur]);
  assert.deepEqual(backward, [[4000, 5000], [5000, 2000], [15000, 5000], [16000, 2000]]);
  assert.deepEqual(of("memory").map(({ args }) => args!.live), [6144, 5120, 13312, 9216, 10240, 12288, 4096]);
  assert.deepEqual(of("host").filter(({ ph }) => ph === "X").map(({ name }) => name), [
    ...["compile matmul", "submit", "wait", "submit", "wait"],
  ]);
});
