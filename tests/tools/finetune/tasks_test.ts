import assert from "node:assert/strict";
import { join } from "node:path";
import { FineTuned } from "../../../tools/finetune/fine_tuned.ts";
import { finetune } from "../../../tools/finetune/finetune.ts";
import { type LabelTask, learnedTasks, readLabels } from "../../../tools/finetune/label_tasks.ts";
import { FINETUNE_DEFAULTS, type FinetuneOptions } from "../../../tools/finetune/options.ts";
import { readTrainingTargets } from "../../../tools/finetune/targets.ts";
import { gpuTest } from "../../_gpu.ts";
import { SMALL_SIZES } from "../../model/alphafold/_network.ts";

const STRUCTURES = "examples/zinc_fingers";

const learned = (own: Partial<FinetuneOptions>) => learnedTasks({ ...FINETUNE_DEFAULTS, ...own });

Deno.test("kinds, columns and weights: one each, or one kind for all columns", () => {
  assert.deepEqual(learned({}), { labels: [{ name: "affinity", kind: "regression", weight: 1 }] });
  assert.deepEqual(learned({ label: "pKd" }).labels[0], {
    ...{ name: "affinity", column: "pKd", kind: "regression", weight: 1 },
  });
  const two = learned({ label: "pKd,T m", taskWeights: [1, 0.5] }).labels;
  assert.deepEqual(two.map(({ name, weight }) => [name, weight]), [["pKd", 1], ["T_m", 0.5]]);
  const mixed = learned({ tasks: ["structure", "classification"], label: "kind", taskWeights: [2, 0.1] });
  assert.deepEqual([mixed.structureWeight, mixed.labels[0].kind, mixed.labels[0].weight], [0.1, "classification", 2]);
  assert.deepEqual(learned({ tasks: ["structure"] }), { labels: [], structureWeight: 1 });
  const refused = (own: Partial<FinetuneOptions>, message: RegExp) =>
    assert.throws(() => learned(own), { name: "InputError", message });
  refused({ tasks: ["regression", "classification"], label: "a" }, /2 kinds of labels and --label 1 columns/);
  refused({ tasks: ["structure"], label: "a" }, /0 kinds of labels and --label 1 columns/);
  refused({ label: "a,a" }, /names a column twice/);
  refused({ label: "a b,a-b" }, /both be called a_b/);
  refused({ label: "a,b", taskWeights: [1] }, /1 numbers for 2 tasks/);
});

Deno.test("cells are read as numbers, classes, and lists and letters of residues", () => {
  const task = (kind: LabelTask["kind"], column: string): LabelTask => ({ name: column, column, kind, weight: 1 });
  const row = (id: string, line: number, cells: Record<string, string>) => {
    return { id, place: `t.csv line ${line}`, cells: new Map(Object.entries(cells)) };
  };
  const tasks = [
    ...[task("regression", "x"), task("classification", "kind")],
    ...[task("residue-regression", "buried"), task("residue-classification", "ss")],
  ];
  const rows = [
    row("a", 2, { x: "1.5", kind: "kinase", buried: "0.1;?;3", ss: "HE-" }),
    row("b", 3, { x: "", kind: "10", buried: "", ss: "H?E" }),
  ];
  const { tasks: named, labels } = readLabels(tasks, rows, () => 3);
  assert.deepEqual(named.map(({ classes }) => classes), [undefined, ["10", "kinase"], undefined, ["-", "E", "H"]]);
  assert.deepEqual(labels[0], { x: [1.5], kind: [1], buried: [0.1, NaN, 3], ss: [2, 1, 0] });
  assert.deepEqual(labels[1], { x: [NaN], kind: [0], buried: [NaN, NaN, NaN], ss: [2, NaN, 1] });
  const refused = (cells: Record<string, string>, message: RegExp) => {
    const whole = { ...Object.fromEntries(rows[0].cells), ...cells };
    assert.throws(() => readLabels(tasks, [row("c", 7, whole), rows[1]], () => 3), { name: "InputError", message });
  };
  refused({ x: "high" }, /t\.csv line 7: column "x" has "high", expected a number/);
  refused({ ss: "HE" }, /line 7: column "ss" has 2 labels for the 3 residues of c/);
  refused({ kind: "10" }, /column kind has one class, 10/);
  const empty = row("c", 7, { x: "" });
  assert.throws(() => readLabels([task("regression", "x")], [rows[0], empty], () => 3), /line 7: c has no label in x/);
  assert.throws(
    () => readLabels([task("regression", "y")], rows, () => 3),
    /no column y with labels; there are x, kind/,
  );
});

const IDS = ["1ard", "1bbo", "1paa", "1sp1", "1zfd", "1znf"];

async function inFolder(run: (folder: string, options: FinetuneOptions) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const data = join(folder, "table.csv");
    const options: FinetuneOptions = {
      ...FINETUNE_DEFAULTS,
      ...{ data, structures: [STRUCTURES], weights: "random:1", sizes: SMALL_SIZES, output: join(folder, "run") },
      ...{ validation: 0.2, test: 0, unfreezeBlocks: 1, cache: false },
      fit: { ...FINETUNE_DEFAULTS.fit, epochs: 1, accumulate: 2, warmup: 0, emaDecay: 0 },
    };
    await Deno.writeTextFile(data, ["pdb_id", ...IDS].join("\n"));
    const lengths = new Map<string, number>();
    for (const { id, sequence } of await readTrainingTargets({ ...options, tasks: ["structure"] })) {
      lengths.set(id, sequence.length);
    }
    const lines = IDS.map((id, i) => {
      const n = lengths.get(id)!;
      const letters = "HE-".repeat(n).slice(i, i + n), numbers = Array.from(letters, (_, k) => (k + i) % 5);
      return `${id},${4 + i},${i % 2 ? "x" : "y"},${numbers.join(";")},${letters}`;
    });
    await Deno.writeTextFile(data, ["pdb_id,affinity,kind,buried,ss", ...lines].join("\n"));
    await run(folder, options);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

gpuTest(
  "labels of all kinds at once: trained, predicted, measured, read back",
  (device) =>
    inFolder(async (_, options) => {
      const { taskMetrics, files } = await finetune(device, {
        ...options,
        strategy: "head_only",
        tasks: ["regression", "classification", "residue-regression", "residue-classification"],
        ...{ label: "affinity,kind,buried,ss", taskWeights: [1, 1, 0.5, 0.5] },
      });
      assert.deepEqual(Object.keys(taskMetrics!), ["affinity", "kind", "buried", "ss"]);
      assert.deepEqual(Object.keys(taskMetrics!.ss.train), ["n", "accuracy", "majority"]);
      assert(taskMetrics!.buried.train.n > 50 && taskMetrics!.affinity.train.rmse > 0);
      const names = files.map((path) => path.slice(options.output.length + 1));
      for (const task of ["affinity", "kind", "buried", "ss"]) {
        assert(names.includes(`predictions_${task}.csv`), `${names}`);
      }
      assert(names.includes("task_metrics.json") && !names.includes("predictions.csv"));
      using tuned = await FineTuned.load(device, options.output);
      const [target] = await readTrainingTargets({ ...options, tasks: ["structure"] });
      const all = await tuned.predictAll(await target.load(), { draws: 3 });
      for (const name of ["affinity", "kind", "buried", "ss"]) {
        const text = await Deno.readTextFile(join(options.output, `predictions_${name}.csv`));
        const [header, ...lines] = text.trim().split("\n").map((line) => line.split(","));
        const own = lines.filter(([id]) => id === target.id), column = header.indexOf("prediction");
        const found = all.get(name)!;
        assert.equal(own.length, found.length);
        for (const [i, cells] of own.entries()) {
          const { value, class: named } = found[i];
          if (named) assert.equal(cells[column], named.name);
          else assert(Math.abs(Number(cells[column]) - value) < 1e-5);
        }
      }
      assert(all.get("affinity")![0].uncertainty! > 0);
    }),
);

gpuTest(
  "structures and a label: trained together, lDDT of each, gone on with",
  (device) =>
    inFolder(async (_, options) => {
      const own: FinetuneOptions = {
        ...options,
        strategy: "partial",
        tasks: ["regression", "structure"],
        label: "affinity",
        crop: 20,
      };
      await assert.rejects(
        () => finetune(device, { ...own, strategy: "head_only" }),
        /Structures are no label of a head/,
      );
      await assert.rejects(
        () => finetune(device, { ...own, strategy: "head_only", tasks: ["regression"] }),
        /reads each protein once, as a whole: leave --crop out/,
      );
      const fit = { ...own.fit, epochs: 2 };
      let steps = 0;
      const first = await finetune(device, { ...own, fit }, { step: () => void steps++, stop: () => steps === 2 });
      assert.equal(first.end, "stopped");
      const { end, taskMetrics, history } = await finetune(device, { ...own, fit }, {}, { resume: true });
      assert.equal(end, "done");
      assert(history.length === 2 && history.every(({ validationLoss }) => validationLoss! > 0));
      assert(taskMetrics!.structure.train.lddt_ca > 0 && taskMetrics!.structure.validation.n === 1);
      const text = await Deno.readTextFile(join(options.output, "predictions_structure.csv"));
      assert.match(text, /^id,set,lddt_ca,length\n/);
      using tuned = await FineTuned.load(device, options.output);
      assert.deepEqual(tuned.tasks.map(({ name }) => name), ["affinity"]);
    }),
);
