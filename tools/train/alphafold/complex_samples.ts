/** What is particular to samples of complexes: crops across chains, rows drawn as the published network draws them. */
import type { Device, Key } from "../../../core/mod.ts";
import { noGrad } from "../../../core/mod.ts";
import {
  alphafold,
  type AlphaFoldConfig,
  type AlphaFoldParams,
  recycleForTraining,
} from "../../../model/alphafold/mod.ts";
import { alignChains, truthRows } from "../../../model/multimer/mod.ts";
import { ATOM_SLOTS, SLOT } from "../../../model/protein/residues.ts";
import { cropComplex, type CropDraws } from "../../data/features/complex/crop.ts";
import {
  type ComplexInputOptions,
  type ComplexInputs,
  makeComplexInputs,
} from "../../data/features/complex/complex_inputs.ts";
import { cropComplexInputs } from "../../data/features/complex/residue_rows.ts";
import { complexDraws, complexFeatures, hasCopies } from "../../predict/complex_inputs.ts";
import { deviceFeatures } from "../../predict/network_inputs.ts";
import { alphasOf } from "../../predict/prediction.ts";
import type { FeatureFile } from "../../prep/feature_file.ts";
import type { AlphaFoldSample } from "./samples.ts";

/** Draws of a crop from a key. */
function cropDraws(key: Key): CropDraws {
  let next = 0;
  const uniform = () => key.at(next++).uniform(1)[0];
  return {
    uniform,
    permutation: (n) => key.at(next++).permutation(n),
    integer: (lower, upper) => lower + Math.min(upper - lower, Math.floor(uniform() * (upper - lower + 1))),
  };
}

/**
 * Residues of a crop: parts of all chains, or with a probability those around an interface.
 *
 * @param key Of its random choices; undefined: the first residues.
 */
export function cropRows(
  { features, supervised, sequence }: FeatureFile,
  cropSize: number,
  spatialProbability: number,
  key: Key | undefined,
): Int32Array {
  if (!key) return Int32Array.from({ length: Math.min(cropSize, sequence.length) }, (_, i) => i);
  const { all_atom_positions, all_atom_mask } = supervised!;
  const { asym_id } = complexFeatures(features);
  return cropComplex(
    { asym_id, all_atom_positions, all_atom_mask },
    { cropSize, spatialProbability },
    cropDraws(key),
  );
}

/** What the network reads of some residues in each iteration; rows and hidden letters are drawn anew in each. */
export function complexIterations(
  { features }: FeatureFile,
  rows: Int32Array,
  count: number,
  key: Key,
  options: ComplexInputOptions,
): ComplexInputs[] {
  const whole = complexFeatures(features);
  return Array.from({ length: count }, (_, i) => {
    return cropComplexInputs(makeComplexInputs(whole, complexDraws(key.at(i)), options), rows);
  });
}

/**
 * For each residue of a sample its place in the truth, copies of a chain being paired with the true ones that they stand for
 * in what the network predicts now, with the same random choices. It costs one pass without a gradient, where there are copies.
 *
 * Source: Evans et al. (2021), Suppl. 7.3.2 "Multi-chain permutation alignment".
 */
export async function pairedTruth(
  device: Device,
  params: AlphaFoldParams,
  { file, rows, iterations, templates, padded, key }: AlphaFoldSample & { readonly rows: Int32Array },
  config: AlphaFoldConfig,
): Promise<Int32Array> {
  const whole = complexFeatures(file.features);
  if (!hasCopies(whole)) return rows;
  using _ = device.scope("pairedTruth");
  const put = iterations.map((inputs) => deviceFeatures(device, inputs, templates, padded));
  const before = put.slice(0, -1);
  const recycled = recycleForTraining(params, before, config, { key });
  const { positions } = noGrad(
    device,
    () =>
      alphafold(params, put.at(-1)!, recycled, config, { key: key?.at(before.length), msa: false, trajectory: false }),
  );
  if (device.dry) return rows; // a plan counts the pass
  const atoms = await positions.read() as Float32Array;
  const { all_atom_positions, all_atom_mask } = file.supervised!;
  const take = (data: Int32Array) => Array.from(rows, (row) => data[row]);
  const predicted = {
    positions: alphasOf(atoms).subarray(0, 3 * rows.length),
    mask: new Float32Array(rows.length).fill(1),
    asymId: take(whole.asym_id),
    entityId: take(whole.entity_id),
    residueIndex: take(whole.residue_index),
  };
  const n = whole.aatype.length;
  const truth = {
    positions: alphasOf(all_atom_positions),
    mask: Float32Array.from({ length: n }, (_, i) => all_atom_mask[i * ATOM_SLOTS + SLOT.CA]),
    asymId: whole.asym_id,
    entityId: whole.entity_id,
  };
  return truthRows(predicted, truth, alignChains(predicted, truth));
}
