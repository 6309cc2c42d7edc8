/** Cuts features to a part of the residues, and fills them with zeros up to fixed sizes. */
import type { Key } from "../../../core/mod.ts";

/** Axes of features whose sizes differ from target to target. */
export type FeatureAxis = "residues" | "sequences" | "clusters" | "extra" | "templates";

/** Features by AlphaFold's names. */
export type FeatureRecord = Readonly<Record<string, Float32Array | Int32Array>>;

/** The same with known names, as interfaces have them. */
export type FeaturesOf<T> = { readonly [K in keyof T]: Float32Array | Int32Array };

/** A part of an axis. */
export interface AxisWindow {
  /** First place, from 0. */
  readonly start: number;
  /** Places; those beyond the end are filled with 0. */
  readonly size: number;
}

const RESIDUES = ["residues"] as const;
const SEQUENCES = ["sequences", "residues"] as const;
const CLUSTERS = ["clusters", "residues"] as const;
const EXTRA = ["extra", "residues"] as const;
const TEMPLATES = ["templates", "residues"] as const;

/** Axes of every feature; a number is a fixed size. */
export const FEATURE_AXES: Readonly<Record<string, readonly (FeatureAxis | number)[]>> = {
  aatype: RESIDUES,
  residue_index: RESIDUES,
  seq_length: RESIDUES,
  between_segment_residues: RESIDUES,
  seq_mask: RESIDUES,
  target_feat: [...RESIDUES, 22],
  complex_target_feat: [...RESIDUES, 21],
  asym_id: RESIDUES,
  entity_id: RESIDUES,
  sym_id: RESIDUES,
  deletion_mean: RESIDUES,
  hhblits_profile: [...RESIDUES, 22],
  resolution: [1],

  msa: SEQUENCES,
  deletion_matrix_int: SEQUENCES,
  num_alignments: RESIDUES,
  msa_row_entity: ["sequences"],
  cluster_bias_mask: ["sequences"],

  all_atom_positions: [...RESIDUES, 37, 3],
  all_atom_mask: [...RESIDUES, 37],
  atom14_atom_exists: [...RESIDUES, 14],
  residx_atom14_to_atom37: [...RESIDUES, 14],
  residx_atom37_to_atom14: [...RESIDUES, 37],
  atom37_atom_exists: [...RESIDUES, 37],
  atom14_gt_exists: [...RESIDUES, 14],
  atom14_gt_positions: [...RESIDUES, 14, 3],
  atom14_alt_gt_positions: [...RESIDUES, 14, 3],
  atom14_alt_gt_exists: [...RESIDUES, 14],
  atom14_atom_is_ambiguous: [...RESIDUES, 14],
  rigidgroups_gt_frames: [...RESIDUES, 8, 4, 4],
  rigidgroups_gt_exists: [...RESIDUES, 8],
  rigidgroups_group_exists: [...RESIDUES, 8],
  rigidgroups_group_is_ambiguous: [...RESIDUES, 8],
  rigidgroups_alt_gt_frames: [...RESIDUES, 8, 4, 4],
  torsion_angles_sin_cos: [...RESIDUES, 7, 2],
  alt_torsion_angles_sin_cos: [...RESIDUES, 7, 2],
  torsion_angles_mask: [...RESIDUES, 7],
  pseudo_beta: [...RESIDUES, 3],
  pseudo_beta_mask: RESIDUES,
  backbone_rigid_tensor: [...RESIDUES, 4, 4],
  backbone_rigid_mask: RESIDUES,
  chi_angles_sin_cos: [...RESIDUES, 4, 2],
  chi_mask: [...RESIDUES, 4],

  msa_feat: [...CLUSTERS, 49],
  msa_mask: CLUSTERS,
  msa_row_mask: ["clusters"],
  true_msa: CLUSTERS,
  bert_mask: CLUSTERS,
  extra_msa: EXTRA,
  extra_msa_mask: EXTRA,
  extra_msa_row_mask: ["extra"],
  extra_has_deletion: EXTRA,
  extra_deletion_value: EXTRA,

  template_aatype: TEMPLATES,
  template_all_atom_positions: [...TEMPLATES, 37, 3],
  template_all_atom_mask: [...TEMPLATES, 37],
  template_mask: ["templates"],
  template_sum_probs: ["templates"],
  template_pseudo_beta: [...TEMPLATES, 3],
  template_pseudo_beta_mask: TEMPLATES,
  template_torsion_angles_sin_cos: [...TEMPLATES, 7, 2],
  template_alt_torsion_angles_sin_cos: [...TEMPLATES, 7, 2],
  template_torsion_angles_mask: [...TEMPLATES, 7],
};

/**
 * Shape of a feature.
 *
 * @param sizes Of the axes that it has.
 * @throws {TypeError} If there is no such feature, or a size is missing.
 */
export function featureShape(name: string, sizes: Readonly<Partial<Record<FeatureAxis, number>>>): number[] {
  return axesOf(name).map((axis) => {
    const size = typeof axis === "number" ? axis : sizes[axis];
    if (size === undefined) throw new TypeError(`The shape of ${name} needs the number of ${axis}`);
    return size;
  });
}

/**
 * {@linkcode featureShape} of numbers that are there.
 *
 * @throws {TypeError} If there is no such feature, a size is missing, or there are other than so many numbers.
 */
function shapeOf(
  name: string,
  data: Float32Array | Int32Array,
  sizes: Readonly<Partial<Record<FeatureAxis, number>>>,
): number[] {
  const shape = featureShape(name, sizes), count = product(shape);
  if (data.length === count) return shape;
  throw new TypeError(`${name} has ${data.length} numbers, expected ${count} of the shape [${shape}]`);
}

/**
 * The features in a window of one or more axes: a part where it lies inside, zeros where it goes beyond.
 *
 * Cutting to a crop and filling up to fixed sizes are the same step. Source: AlphaFold's `random_crop_to_size` and
 * `make_fixed_size`.
 *
 * @param sizes Of the axes that the features have now.
 * @param windows Axes to cut or fill; the others stay.
 * @throws {TypeError} If a feature is unknown or does not have the size that its axes say.
 * @throws {RangeError} If a window does not begin inside its axis or has no whole size.
 */
export function windowFeatures<T extends FeaturesOf<T>>(
  features: T,
  sizes: Readonly<Partial<Record<FeatureAxis, number>>>,
  windows: Readonly<Partial<Record<FeatureAxis, AxisWindow>>>,
): { [K in keyof T]: T[K] } {
  for (const [axis, { start, size }] of Object.entries(windows)) {
    if (Number.isInteger(start) && Number.isInteger(size) && start >= 0 && size >= 0) continue;
    throw new RangeError(`A window of ${axis} from ${start} of size ${size}: expected integers of at least 0`);
  }
  const cut = Object.entries<Float32Array | Int32Array>(features).map(([name, data]) => {
    const shape = shapeOf(name, data, sizes);
    const parts = axesOf(name).map((axis, k): AxisWindow =>
      (typeof axis === "number" ? undefined : windows[axis]) ?? { start: 0, size: shape[k] }
    );
    return [name, windowArray(data, shape, parts)];
  });
  return Object.fromEntries(cut);
}

/**
 * The features at some places of an axis, in their order; what has no such axis stays.
 *
 * @param sizes Of the axes that the features have.
 * @param places From 0; any may come several times.
 * @throws {TypeError} If a feature is unknown or does not have the size that its axes say.
 */
export function takePlaces<T extends FeaturesOf<T>>(
  features: T,
  sizes: Readonly<Partial<Record<FeatureAxis, number>>>,
  axis: FeatureAxis,
  places: ArrayLike<number>,
): { [K in keyof T]: T[K] } {
  const taken = Object.entries<Float32Array | Int32Array>(features).map(([name, data]) => {
    const shape = shapeOf(name, data, sizes), at = axesOf(name).indexOf(axis);
    if (at < 0) return [name, data];
    const outer = product(shape.slice(0, at)), inner = product(shape.slice(at + 1)), count = places.length;
    const size = outer * count * inner;
    const part = data instanceof Float32Array ? new Float32Array(size) : new Int32Array(size);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < count; i++) {
        const from = (o * shape[at] + places[i]) * inner;
        part.set(data.subarray(from, from + inner), (o * count + i) * inner);
      }
    }
    return [name, part];
  });
  return Object.fromEntries(taken);
}

/**
 * Draws where a crop begins.
 *
 * Source: AlphaFold's `random_crop_to_size`; Jumper et al. (2021), Suppl. 1.2.8: where distances are not clamped, the
 * beginnings near the first residue are drawn more often.
 *
 * @param residues N_res of the target.
 * @param cropSize Most residues to keep.
 * @param clamped Whether the loss clamps distances for this target.
 */
export function drawCrop(residues: number, cropSize: number, clamped: boolean, key: Key): AxisWindow {
  const size = Math.min(residues, cropSize);
  const [x, y] = key.uniform(2);
  const last = residues - size;
  const anchor = clamped ? last : last - Math.floor(x * (last + 1));
  return { start: Math.floor(y * (anchor + 1)), size };
}

function axesOf(name: string): readonly (FeatureAxis | number)[] {
  const axes = Object.hasOwn(FEATURE_AXES, name) ? FEATURE_AXES[name] : undefined;
  if (axes === undefined) throw new TypeError(`There is no feature ${name}`);
  return axes;
}

function windowArray(
  data: Float32Array | Int32Array,
  shape: readonly number[],
  parts: readonly AxisWindow[],
): Float32Array | Int32Array {
  const size = product(parts.map((part) => part.size));
  const cut = data instanceof Float32Array ? new Float32Array(size) : new Int32Array(size);
  const copy = (axis: number, from: number, to: number): void => {
    const { start, size } = parts[axis] ?? { start: 0, size: 1 };
    const kept = Math.min(size, (shape[axis] ?? 1) - start);
    if (kept <= 0) return;
    const inner = product(shape.slice(axis + 1));
    const innerCut = product(parts.slice(axis + 1).map((part) => part.size));
    const isWhole = parts.slice(axis + 1).every((part, k) => part.start === 0 && part.size === shape[axis + 1 + k]);
    if (isWhole) {
      cut.set(data.subarray(from + start * inner, from + (start + kept) * inner), to);
      return;
    }
    for (let k = 0; k < kept; k++) copy(axis + 1, from + (start + k) * inner, to + k * innerCut);
  };
  copy(0, 0, 0);
  return cut;
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all * size, 1);
}
