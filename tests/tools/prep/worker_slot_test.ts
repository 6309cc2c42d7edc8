import assert from "node:assert/strict";
import { join } from "node:path";
import { leftoverOf } from "../../../tools/files.ts";
import type { Job, JobOptions } from "../../../tools/prep/prepare_job.ts";
import { prep } from "../../../tools/prep/prep.ts";
import { collectTargets } from "../../../tools/prep/collect_targets.ts";
import { startWorker } from "../../../tools/prep/worker.ts";
import { WorkerSlot } from "../../../tools/prep/worker_slot.ts";
import { withFiles } from "./_inputs.ts";

const OPTIONS: JobOptions = { out: "", strict: false, maxTemplates: 4, templates: new Map() };

function jobOf(id: string): Job {
  return { target: { id, sequence: "ACDEF" }, file: `${id}.safetensors` };
}

/** A worker that says it is ready and does with a job what the text says; `n` counts the workers started, from 1. */
function workersThat(text: string): { start: () => Worker; count: () => number; last: () => Worker | undefined } {
  let n = 0;
  let last: Worker | undefined;
  return {
    count: () => n,
    last: () => last,
    start() {
      const done = "(id) => postMessage({ outcome: { entry: { id, status: 'ok' }, isUnchanged: false } })";
      const script = `const n = ${++n}, done = ${done};
        onmessage = ({ data }) => { if (data.job) { const id = data.job.target.id; ${text} } };
        postMessage({ ready: true });`;
      const url = URL.createObjectURL(new Blob([script], { type: "application/javascript" }));
      last = new Worker(url, { type: "module" });
      URL.revokeObjectURL(url);
      return last;
    },
  };
}

const CASES: [name: string, script: string, error: RegExp | undefined, workers: number][] = [
  ["answers", "done(id);", undefined, 1],
  ["dies of its first job once", "if (n === 1) throw new Error('gone'); done(id);", undefined, 2],
  ["dies of its first job twice", "throw new Error('gone');", /^The worker that prepared it ended: .*gone/, 2],
  ["dies after its answer", "done(id); setTimeout(() => { throw new Error('late'); });", undefined, 1],
  ["vanishes without a word", "close();", /^It was not prepared within the 2 s that are allowed$/, 1],
  ["never answers", "", /^It was not prepared within the 2 s/, 1],
  ["never rests", "for (;;);", /^It was not prepared within the 2 s/, 1],
];
for (const [name, script, error, count] of CASES) {
  Deno.test(`a job whose worker ${name} ends, and the next one is done`, async () => {
    const workers = workersThat(`if (id === "next") return done(id); ${script}`);
    const slot = new WorkerSlot({
      start: workers.start,
      job: OPTIONS,
      limitMs: error?.source.includes(" 2 s") ? 2000 : 30_000,
    });
    const { entry } = await slot.run(jobOf("first"));
    assert.equal(entry.id, "first");
    if (error === undefined) assert.deepEqual([entry.status, entry.error], ["ok", undefined]);
    else assert.match(entry.error ?? "", error);
    assert.equal(workers.count(), count);
    await new Promise((resolve) => setTimeout(resolve, 50)); // time to die between jobs
    assert.equal((await slot.run(jobOf("next"))).entry.status, "ok");
    slot.stop();
  });
}

Deno.test("an answer that cannot be read counts as the worker's end", async () => {
  const workers = workersThat("if (n === 2) done(id);");
  const slot = new WorkerSlot({ start: workers.start, job: OPTIONS, limitMs: 30_000 });
  const outcome = slot.run(jobOf("first"));
  await new Promise((resolve) => setTimeout(resolve, 200));
  workers.last()?.dispatchEvent(new MessageEvent("messageerror"));
  assert.equal((await outcome).entry.status, "ok");
  assert.equal(workers.count(), 2);
  slot.stop();
});

Deno.test("denofold's own worker that is killed between jobs and during one is replaced", () =>
  withFiles({}, async (out) => {
    const started: Worker[] = [];
    const start = () => {
      started.push(startWorker());
      return started[started.length - 1];
    };
    const slot = new WorkerSlot({ start, job: { ...OPTIONS, out }, limitMs: 60_000 });
    assert.equal((await slot.run(jobOf("a"))).entry.status, "ok");
    started[0].postMessage(null); // nothing that it understands: it ends with an uncaught error
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal((await slot.run(jobOf("b"))).entry.status, "ok");
    started[1].postMessage(null);
    assert.equal((await slot.run(jobOf("c"))).entry.status, "ok");
    assert.equal(started.length, 3);
    const files = [...Deno.readDirSync(out)].map(({ name }) => name);
    assert.deepEqual(files.filter((name) => leftoverOf(name) === undefined).sort(), [
      ...["a.safetensors", "b.safetensors", "c.safetensors"],
    ]);
    slot.stop();
  }));

Deno.test("prep() fails a target that takes too long, and does the others", () =>
  withFiles({ "t.csv": "id,sequence,a3mpath\nslow,ACDEF,pipe.a3m\nfast,ACD,\n" }, async (folder) => {
    const { code } = await new Deno.Command("mkfifo", { args: [join(folder, "pipe.a3m")] }).output();
    assert.equal(code, 0, "mkfifo");
    const { targets, templates } = await collectTargets([join(folder, "t.csv")]);
    const out = join(folder, "out");
    const options = { ...OPTIONS, templates, out, jobs: 1, failFast: false, timeLimitSeconds: 8 };
    const { prepared, failed } = await prep(targets, options); // nobody writes into the pipe
    assert.equal(prepared, 1);
    assert.deepEqual(failed.map(({ id, error }) => [id, error]), [
      ["slow", "It was not prepared within the 8 s that are allowed"],
    ]);
  }));
