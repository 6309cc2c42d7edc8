import assert from "node:assert/strict";
import { type Device, Key } from "../../../core/mod.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";
import { planModels } from "../../../tools/predict/models.ts";
import { loadNetwork, predictTarget } from "../../../tools/predict/network.ts";
import { paddedSizes } from "../../../tools/predict/network_inputs.ts";
import { type PreparedTarget, prepareTarget } from "../../../tools/prep/prepare_target.ts";
import { gpuTest } from "../../_gpu.ts";
import { SMALL } from "./_small.ts";

const FINGER = "examples/zinc_fingers/1znf.cif";
const LETTERS = "ARNDCQEGHILKMFPSTWYV";

/** Names of the pipelines that are made while something runs. */
async function pipelinesOf(device: Device, run: () => Promise<unknown>): Promise<string[]> {
  const made: string[] = [];
  const { gpu } = device;
  const create = gpu.createComputePipeline;
  gpu.createComputePipeline = (descriptor: GPUComputePipelineDescriptor) => {
    made.push(descriptor.label ?? "");
    return create.call(gpu, descriptor);
  };
  try {
    await run();
  } finally {
    gpu.createComputePipeline = create;
  }
  return made;
}

/** A target that begins as a zinc finger, with an alignment of random rows and a template. */
async function targetOf(folder: string, id: string, residues: number, rows: number): Promise<PreparedTarget> {
  const key = Key.fromSeed(residues);
  const letters = (row: number, all: string) =>
    Array.from(key.at(row).uniform(residues), (x) => all[Math.floor(x * all.length)]).join("");
  const query = (await readStructure(FINGER)).chains[0].sequence + letters(0, LETTERS);
  const others = Array.from({ length: rows - 1 }, (_, row) => letters(row + 1, `${LETTERS}-`));
  const text = [query.slice(0, residues), ...others].map((row, i) => `>row_${i}\n${row}\n`).join("");
  await Deno.writeTextFile(`${folder}/${id}.a3m`, text);
  return await prepareTarget({ id, alignments: [{ path: `${folder}/${id}.a3m` }] }, { ownTemplates: [FINGER] });
}

gpuTest(
  "a second target of the same padded size starts no new pipeline; a third of another length likewise",
  async (device) => {
    const folder = await Deno.makeTempDir();
    try {
      const first = await targetOf(folder, "first", 25, 61);
      const second = await targetOf(folder, "second", 29, 63);
      const third = await targetOf(folder, "third", 49, 90);
      const padded = ({ sequence, features }: PreparedTarget) =>
        paddedSizes({ residues: sequence.length, clusters: features.num_alignments[0], extra: 0, templates: 1 });
      assert.deepEqual(padded(first), padded(second));
      assert.ok(padded(third).residues > padded(first).residues);
      for (const weightsDtype of ["f32", "f16"] as const) {
        const [model] = await planModels("random:3", ["model_1_ptm"], SMALL);
        using opened = await model.open();
        using _ = device.scope("weights");
        const network = await loadNetwork(device, model.config, opened.entries, { dtype: weightsDtype });
        const run = ({ features, sequence }: PreparedTarget) =>
          pipelinesOf(
            device,
            () => predictTarget(device, network, features, sequence, { seed: 1, maxRecycles: 1, maxMsaClusters: 32 }),
          );
        assert.ok((await run(first)).length > 0, "the first target compiles");
        assert.deepEqual(await run(second), [], `a second target, ${weightsDtype}`);
        assert.deepEqual(await run(third), [], `a third target, ${weightsDtype}`);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
