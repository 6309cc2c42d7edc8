import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { EpochRecord } from "../../../finetune/mod.ts";
import { readCheckpoint } from "../../../tools/finetune/checkpoint.ts";
import { finetune } from "../../../tools/finetune/finetune.ts";
import { FINETUNE_DEFAULTS, type FinetuneOptions } from "../../../tools/finetune/options.ts";
import { readRun } from "../../../tools/finetune/run_files.ts";
import { gpuTest } from "../../_gpu.ts";
import { SMALL_SIZES } from "../../model/alphafold/_network.ts";

const STRUCTURES = fileURLToPath(new URL("../../../examples/zinc_fingers", import.meta.url));
const CLI = fileURLToPath(new URL("../../../tools/cli/main.ts", import.meta.url));

async function inFolder(run: (options: FinetuneOptions, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const data = join(folder, "table.csv");
    await Deno.writeTextFile(data, "pdb_id,affinity\n1ard,5.5\n1bbo,7.25\n1paa,4\n1sp1,6.5\n");
    await run({
      ...FINETUNE_DEFAULTS,
      ...{ data, structures: [STRUCTURES], weights: "random:1", sizes: SMALL_SIZES, output: join(folder, "run") },
      ...{ strategy: "head_only", validation: 0.25, test: 0 },
      fit: { ...FINETUNE_DEFAULTS.fit, epochs: 3, accumulate: 1, warmup: 0, emaDecay: 0.5 },
    }, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

gpuTest(
  "a checkpoint that cannot be written waits: training goes on, the old one stays whole, the next writes it",
  (device) =>
    inFolder(async (options) => {
      const best = join(options.output, "best"), aside = join(options.output, "aside");
      const warnings: string[] = [];
      const short = { ...options, fit: { ...options.fit, epochs: 2 } };
      const { end, best: found } = await finetune(device, short, {
        warn: (message) => void warnings.push(message),
        async epoch({ epoch }) {
          // The folder of the best checkpoint is put aside, and a file is in its way until the last epoch is over.
          if (epoch === 1) {
            await Deno.rename(best, aside);
            await Deno.writeTextFile(best, "");
          }
          if (epoch === 2) await Deno.remove(best);
        },
      });
      assert.equal(end, "done");
      assert.match(
        warnings.join("\n"),
        /Cannot create the folder .*best.*Training goes on, and the next checkpoint tries again/,
      );
      assert.equal((await readCheckpoint(aside)).facts.progress.epochs, 1);
      assert.equal(found!.epoch, 2);
      assert.equal((await readCheckpoint(best)).facts.progress.epochs, 2);
    }),
);

gpuTest("other base weights are refused, or forced and recorded", (device) =>
  inFolder(async (options) => {
    await finetune(device, options, { stop: () => true });
    const other = { ...options, weights: "random:2" };
    await assert.rejects(() => finetune(device, other, {}, { resume: true }), {
      name: "InputError",
      message: /was trained from model_1_ptm with RANDOM, seed 1.*--force/,
    });
    await finetune(device, other, {}, { resume: true, force: true });
    const { config: { base } } = await readRun(options.output);
    assert.match(base.insteadOf!, /RANDOM, seed 1/);
    assert.match(base.weights, /RANDOM, seed 2/);
  }));

gpuTest(
  "a loss that is not finite: who and where is told, and the run ends with its checkpoints",
  (device) =>
    inFolder(async (options) => {
      const wild = { ...options, learningRate: 1e38, fit: { ...options.fit, epochs: 20 } };
      const warnings: string[] = [];
      await assert.rejects(() => finetune(device, wild, { warn: (message) => void warnings.push(message) }), {
        name: "InputError",
        message: /10 steps in a row were skipped.*smaller learning rate; the checkpoints in .* are those before/,
      });
      assert.match(warnings.join("\n"), /step \d+ was skipped: the loss of 1\w+ is not finite\. Scope .*labelHead/);
      assert.equal((await readCheckpoint(options.output, "last")).facts.strategy, "head_only");
    }),
);

const untimed = (history: readonly EpochRecord[]) => history.map((record) => ({ ...record, seconds: 0 }));

gpuTest("a run that is killed goes on to the bit", (device) =>
  inFolder(async (options, folder) => {
    const sizes = join(folder, "sizes.json");
    await Deno.writeTextFile(sizes, JSON.stringify(options.sizes));
    const args = ["--data", options.data, "--structures", STRUCTURES, "--weights", "random:1", "--sizes", sizes];
    const flags = ["--strategy", "head_only", "--epochs", "400", "--accum", "1", "--warmup", "0", "--ema", "0.5"];
    const command = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        CLI,
        "finetune",
        ...args,
        ...flags,
        "--val",
        "0.25",
        "--test",
        "0",
        "--output",
        options.output,
      ],
      ...{ stdin: "null", stdout: "piped", stderr: "null" },
    });
    const child = command.spawn();
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      if (/epoch +\d+/.test(text)) {
        child.kill("SIGKILL");
        break;
      }
    }
    await child.status;
    const { facts } = await readCheckpoint(options.output, "last");
    const done = facts.progress.epochs;
    assert(done >= 1 && done < 400, `${done} epochs`);
    const goal = { ...facts.options, fit: { ...facts.options.fit } };
    const left = { stop: () => false, epoch: () => {} };
    let epochs = done;
    const stopAt = (n: number) => ({ ...left, epoch: () => void epochs++, stop: () => epochs >= n });
    await finetune(device, goal, stopAt(done + 2), { resume: true });
    const killed = await readCheckpoint(options.output, "last");
    epochs = 0;
    const whole = { ...goal, output: join(folder, "whole") };
    await finetune(device, whole, stopAt(done + 2));
    const { facts: { progress }, trainer, checkpoint } = await readCheckpoint(whole.output, "last");
    assert.deepEqual(untimed(killed.facts.progress.history), untimed(progress.history));
    assert.deepEqual([[...killed.checkpoint.params], killed.trainer], [[...checkpoint.params], trainer]);
  }));
