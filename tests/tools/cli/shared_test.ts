import assert from "node:assert/strict";
import { InvalidArgumentError } from "commander";
import {
  nonNegativeInteger,
  nonNegativeNumber,
  numberBetween,
  positiveInteger,
  positiveNumber,
  shortTime,
} from "../../../tools/cli/_shared.ts";
import { ROOT, runDeno } from "./_run.ts";
import { needing, POSIX } from "../../_needs.ts";

const CASES: [name: string, parse: (value: string) => number, good: Record<string, number>, bad: string[]][] = [
  ["positiveInteger", positiveInteger, { "1": 1, "+7": 7, " 12 ": 12 }, [
    "0",
    "-1",
    "1.5",
    "1e3",
    "x",
    "",
    "99999999999999999",
  ]],
  ["nonNegativeInteger", nonNegativeInteger, { "0": 0, "3": 3 }, ["-1", "0.5", "", "nan"]],
  ["positiveNumber", positiveNumber, { "1e-3": 1e-3, ".5": 0.5, "2.": 2 }, [
    "0",
    "-1",
    "1e",
    "1e999",
    "",
    "NaN",
    "0x10",
    "Infinity",
  ]],
  ["nonNegativeNumber", nonNegativeNumber, { "0": 0, "0.25": 0.25 }, ["-0.1", "-", "1,5"]],
  ["numberBetween(0, 1)", numberBetween(0, 1), { "0": 0, "1": 1, "0.1": 0.1 }, ["1.01", "-0.01", "half"]],
];
for (const [name, parse, good, bad] of CASES) {
  Deno.test(`${name}() takes what it should and nothing else`, () => {
    for (const [text, value] of Object.entries(good)) assert.equal(parse(text), value);
    for (const text of bad) {
      assert.throws(
        () => parse(text),
        (error) => error instanceof InvalidArgumentError && /^Expected /.test(error.message),
        text,
      );
    }
  });
}

Deno.test("startProgress() prints plain lines where there is no terminal", async () => {
  const { code, stderr } = await runDeno(["run", "-A", "tests/tools/cli/_steps.ts", "30", "0"]);
  assert.equal(code, 0);
  const tenths = Array.from({ length: 10 }, (_, i) => `step ${3 * (i + 1)}/30 · loss ${3 * (i + 1)}`);
  assert.deepEqual(
    stderr.trimEnd().split("\n").map((line) => line.replace(/ · \d+ s left$/, "")),
    ["step 1/30 · loss 1", ...tenths].filter((line) => stderr.includes(line)),
  );
  assert.match(stderr, /step 15\/30 · loss 15 · 1 s left\n/);
  assert.match(stderr, /30\/30 · loss 30\n$/);
  assert.deepEqual([0.2, 59, 61, 3000, 7260].map(shortTime), ["1 s", "59 s", "1 min", "50 min", "2 h 1 min"]);
});

function startSteps(): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "tests/tools/cli/_steps.ts", "1000", "10"],
    cwd: ROOT,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Sends SIGINT each time the program has printed one of the texts, in turn; returns all that it printed. */
async function interruptAt(child: Deno.ChildProcess, texts: string[]): Promise<string> {
  let printed = "";
  for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
    printed += part;
    while (texts.length > 0 && printed.includes(texts[0])) {
      texts.shift();
      child.kill("SIGINT");
    }
  }
  return printed;
}

Deno.test(needing(POSIX, {
  name: "onInterrupt() lets the step finish and the command save, then the exit code is 130",
  async fn() {
    const child = startSteps();
    const printed = await interruptAt(child, ["step 100/1000"]);
    const { code } = await child.status;
    const saved = await new Response(child.stdout).text();
    assert.match(printed, /Stopping after this step/);
    assert.match(saved, /^saved at step [1-9]\d\d\n$/); // after 100, before 1000
    assert.equal(code, 130);
  },
}));

Deno.test(needing(POSIX, {
  name: "onInterrupt() ends the process at the second Ctrl-C",
  async fn() {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "tests/tools/cli/_steps.ts", "1000", "10", "stubborn"],
      cwd: ROOT,
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const printed = await interruptAt(child, ["step 100/1000", "Stopping after this step"]);
    const { code } = await child.status;
    assert.equal(await new Response(child.stdout).text(), "");
    assert.doesNotMatch(printed, /step 1000/);
    assert.equal(code, 130);
  },
}));
