/** What `prep` and `split` make goes into what trains and predicts. */
import assert from "node:assert/strict";
import { parseSafetensors } from "../../../model/weights/safetensors.ts";
import { gpuTest } from "../../_gpu.ts";
import { FINGERS, FINGERS_MSA, inFolder } from "../train/_toy.ts";
import { denofold, type Outcome } from "./_run.ts";

async function done(...args: string[]): Promise<Outcome> {
  const outcome = await denofold(...args);
  assert.equal(outcome.code, 0, `${args.join(" ")}\n${outcome.stderr}`);
  return outcome;
}

const SMALL = [
  ...["--msa-dim", "8", "--pair-dim", "8", "--num-blocks", "1", "--num-seqs", "3", "--batch-size", "2"],
  ...["--num-steps", "4", "--quiet", "--json"],
];

gpuTest("prep, split, train, predict-distances and attention work hand in hand", () =>
  inFolder(async (folder) => {
    const at = (name: string) => `${folder}/${name}`;
    const names = ["1znf", "1paa", "1sp1", "1sp2", "1ard", "3znf"];
    const rows = (await Deno.readTextFile(FINGERS_MSA)).split(">").slice(1).map((entry) => entry.split("\n"));
    const sequences = rows.filter(([name]) => names.includes(name.split(" ")[0]))
      .map(([name, row]) => `>${name.split(" ")[0]}\n${row.replaceAll("-", "").toUpperCase()}\n`);
    await Deno.writeTextFile(at("all.fasta"), sequences.join(""));
    await Deno.mkdir(at("structures"));
    for (const name of names) await Deno.copyFile(`${FINGERS}/${name}.cif`, `${at("structures")}/${name}.cif`);
    await done("prep", at("all.fasta"), at("structures"), FINGERS_MSA, "--out", at("features"));
    await done("split", at("all.fasta"), "--by", "random", "--fractions", "0.5,0.2,0.3", "--out", at("split"));
    const lists = ["--list", at("split/train.csv"), "--validation", at("split/val.csv")];
    const run = await done("train", "--features", at("features"), ...lists, ...SMALL, "--out", at("run"));
    const trained = JSON.parse(run.stdout);
    assert.deepEqual([trained.finished, trained.endedEarly, trained.skippedTargets], [true, false, []]);
    assert.ok(trained.best.loss > 0 && trained.files.includes(at("run/best.safetensors")));

    const predict = ["predict-distances", "--checkpoint", at("run/best.safetensors"), "--features", at("features")];
    const { stdout } = await done(...predict, "--list", at("split/test.csv"), "--out", at("p"), "--json");
    const targets: { id: string; methods: [{ values: { lddt: number } }] }[] = JSON.parse(stdout).targets;
    const lines = (await Deno.readTextFile(at("split/test.csv"))).trim().split("\n").slice(1);
    const test = lines.map((line) => line.split(",")[0]);
    assert.deepEqual(targets.map(({ id }) => id).sort(), test.sort());
    assert.ok(targets.every(({ methods: [{ values }] }) => values.lddt > 0));

    const query = ["--query", test[0].toUpperCase(), "--no-cluster", "--out", at("a"), "--json"];
    await done("attention", at("run/checkpoint.safetensors"), "--features", at("features"), ...query);
    const { tensors } = parseSafetensors(await Deno.readFile(at("a/attention.safetensors")), "a");
    assert.ok(tensors.size > 0);

    const both = await denofold(...predict, "--msa", FINGERS_MSA);
    assert.deepEqual([both.code, /Give one of --msa and --features/.test(both.stderr)], [2, true]);
    const none = await denofold("attention", at("run/checkpoint.safetensors"), "--features", at("features"));
    assert.match(none.stderr, /has 6 targets: name one of 1ard, .* by --query/);
  }));

gpuTest(
  "a checkpoint with a moving average gives the numbers of its run from every command",
  () =>
    inFolder(async (folder) => {
      const data = ["--structures", FINGERS, "--msa", FINGERS_MSA, "--hold-out", "1sp1"];
      const run = await done("train", ...data, ...SMALL, "--ema", "0.5", "--seed", "7", "--out", `${folder}/run`);
      const checkpoint = ["--checkpoint", `${folder}/run/checkpoint.safetensors`, "--msa", FINGERS_MSA];
      const target = ["--query", "1sp1", "--truth", `${FINGERS}/1sp1.cif`, "--out", `${folder}/p`, "--json"];
      const predicted = await done("predict-distances", ...checkpoint, ...target);
      const [one, other] = [JSON.parse(run.stdout).targets[0].methods[0], JSON.parse(predicted.stdout).methods[0]];
      assert.deepEqual(other, one);
      for (const name of ["1sp1_coordinates.npy", "1sp1_distances.npy"]) {
        assert.deepEqual(
          await Deno.readFile(`${folder}/p/${name}`),
          await Deno.readFile(`${folder}/run/${name}`),
          name,
        );
      }
    }),
);
