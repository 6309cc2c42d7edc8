import assert from "node:assert/strict";
import {
  alphafold,
  type AlphaFoldConfig,
  type AlphaFoldOutputs,
  type AlphaFoldParams,
  confidence,
  recycledOf,
} from "../../../model/alphafold/mod.ts";
import type { Device, Tensor } from "../../../core/mod.ts";
import { openfoldWeights } from "../../../model/weights/openfold_weights.ts";
import { alphafoldConfigOf, featuresOf, inputsOfIteration } from "../../../tools/oracle/cases/_alphafold.ts";
import { Golden, recordOf } from "../../../tools/oracle/golden.ts";
import { loadNetwork } from "../../../tools/predict/network.ts";
import { openWeights } from "../../../tools/weights/open_weights.ts";
import { gpuTest } from "../../_gpu.ts";
import { golden } from "../../_needs.ts";

/** Root mean square of the differences from the golden numbers, in parts of that of the numbers around their mean. */
function differenceOf(found: ArrayLike<number>, expected: ArrayLike<number>, valid?: ArrayLike<number>): number {
  assert.equal(found.length, expected.length);
  const counted = Array.from(expected, (_, i) => i).filter((i) => valid?.[i] !== 0);
  let mean = 0, errors = 0, squares = 0;
  for (const i of counted) mean += expected[i] / counted.length;
  for (const i of counted) {
    errors += (found[i] - expected[i]) ** 2;
    squares += (expected[i] - mean) ** 2;
  }
  return Math.sqrt(errors / squares);
}

/** What a user reads of the first iteration and of the last. */
interface Numbers {
  readonly first: ReadonlyMap<string, ArrayLike<number>>;
  readonly last: ReadonlyMap<string, ArrayLike<number>>;
}

/** All iterations of a golden case. */
async function predictionOf(
  device: Device,
  golden: Golden,
  config: AlphaFoldConfig,
  params: AlphaFoldParams,
): Promise<Numbers> {
  const read = async ({ z, positions, ...outputs }: AlphaFoldOutputs) => {
    const { plddt, alignedErrors } = confidence(params.auxHeads, { z, positions, ...outputs });
    return new Map([
      ["pair", await z.read()],
      ["final_atom_positions", await positions.read()],
      ["plddt", await plddt.read()],
      ["predicted_aligned_error", await alignedErrors!.read()],
    ]);
  };
  let outputs: AlphaFoldOutputs | undefined, aatype: Tensor | undefined, first: Numbers["first"] | undefined;
  for (let i = 0; i < golden.shape("in/aatype").at(-1)!; i++) {
    const features = featuresOf(inputsOfIteration(device, golden, i));
    outputs = alphafold(params, features, outputs && recycledOf(outputs, aatype!), config);
    aatype = features.aatype;
    first ??= await read(outputs);
  }
  return { first: first!, last: await read(outputs!) };
}

/**
 * Most differences: after the first iteration from our own numbers in f32, and after three from the reference's. Recycled
 * distances fall into bins; where rounding moves one across an edge, what follows changes by far more than was rounded.
 * Measured: 1e-3 to 4e-3 and at most 0.07 with float16, 4e-3 to 0.03 and at most 0.18 with bfloat16.
 */
const MOST = {
  f32: { first: 0, last: 1e-4 },
  f16: { first: 6e-3, last: 0.12 },
  bf16: { first: 0.05, last: 0.3 },
} as const;

for (const preset of ["tiny_model_1_ptm", "tiny_model_3_ptm"]) {
  const found = golden(`openfold/model/${preset}.json`);
  gpuTest(`${preset} with weights in 16 bits stays near the numbers of the reference`, async (device) => {
    const file = found.path.replace(/\.json$/, "");
    const reference = new Golden(
      await Deno.readTextFile(`${file}.json`),
      await Deno.readFile(`${file}.safetensors`),
      file,
    );
    const { preset, config_model } = reference.description;
    const config = alphafoldConfigOf(String(preset), recordOf(config_model));
    let exact: Numbers | undefined;
    for (const dtype of ["f32", "f16", "bf16"] as const) {
      using _ = device.scope(dtype);
      using opened = await openWeights(`${file}.pt`);
      const { params, held } = await loadNetwork(device, config, openfoldWeights(opened.file).entries, { dtype });
      assert.equal(held.error === null, dtype === "f32");
      const numbers = await predictionOf(device, reference, config, params);
      exact ??= numbers;
      for (const [name, found] of numbers.last) {
        const valid = reference.valid(`out/${name}`);
        const first = differenceOf(numbers.first.get(name)!, exact.first.get(name)!, valid);
        const last = differenceOf(found, reference.data(`out/${name}`), valid);
        assert(first <= MOST[dtype].first, `${dtype}, ${name} of the first iteration: ${first}`);
        assert(last <= MOST[dtype].last, `${dtype}, ${name} of the last iteration: ${last}`);
      }
    }
  }, found);
}
