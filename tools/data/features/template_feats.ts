/** What the network's template embedders read, and the features on the way there. */
import { ATOM_SLOTS, SLOT } from "../../../model/protein/residues.ts";
import { type AtomInputs, checkAtoms, checkSize, checkTokens, rowCount } from "./_check.ts";
import { frameFromReference, type Point, toLocal } from "../../../model/protein/frames.ts";
import { correctMsaRestypes, MSA_CLASSES } from "./msa.ts";
import { typesOfOneHot } from "./msa_feat.ts";
import { makePseudoBeta } from "./pseudo_beta.ts";
import { atom37ToTorsionAngles, TORSIONS } from "./torsions.ts";

/** Numbers a residue of the angle features. */
export const TEMPLATE_ANGLE_FEAT = 57;

/** Classes of distance of the pair features. */
export const TEMPLATE_DISTANCE_BINS = 39;

/** Residues of templates and their atoms. */
export interface TemplateAtoms {
  /** Residue types, 0 … 20, and 21 where the template has no residue, `[N_templ, N_res]`. */
  readonly template_aatype: Int32Array;
  /** Å, `[N_templ, N_res, 37, 3]`. */
  readonly template_all_atom_positions: Float32Array;
  /** `[N_templ, N_res, 37]` */
  readonly template_all_atom_mask: Float32Array;
}

/** What follows from the atoms. */
export interface TemplateFeatures extends TemplateAtoms {
  /** 1 for every template, `[N_templ]`. */
  readonly template_mask: Float32Array;
  /** Å, `[N_templ, N_res, 3]`. */
  readonly template_pseudo_beta: Float32Array;
  /** `[N_templ, N_res]` */
  readonly template_pseudo_beta_mask: Float32Array;
  /** `[N_templ, N_res, 7, 2]` */
  readonly template_torsion_angles_sin_cos: Float32Array;
  /** `[N_templ, N_res, 7, 2]` */
  readonly template_alt_torsion_angles_sin_cos: Float32Array;
  /** `[N_templ, N_res, 7]` */
  readonly template_torsion_angles_mask: Float32Array;
}

/** Choices of {@linkcode buildTemplatePairFeat}. */
export interface TemplatePairOptions {
  /** Lower bound of the first class of distance, Å. @default 3.25 */
  readonly minBin?: number;
  /** Lower bound of the last class, Å. @default 50.75 */
  readonly maxBin?: number;
  /** Classes. @default 39 */
  readonly bins?: number;
  /** Whether to tell directions; AlphaFold's monomer models do not. @default false */
  readonly useUnitVector?: boolean;
  /** Å², added to squared lengths. @default 1e-8 */
  readonly eps?: number;
  /** Å², upper bound of the last class. @default 1e5 */
  readonly inf?: number;
}

/**
 * Template types from one-hot rows in HHblits' order.
 *
 * Source: AlphaFold's `fix_templates_aatype`.
 *
 * @param oneHot `[N_templ, N_res, 22]`
 * @returns `[N_templ, N_res]`
 */
export function fixTemplatesAatype(oneHot: ArrayLike<number>): Int32Array {
  rowCount("fixTemplatesAatype", "oneHot", oneHot, MSA_CLASSES);
  return correctMsaRestypes(typesOfOneHot(oneHot, MSA_CLASSES));
}

/**
 * All template features that follow from the atoms.
 *
 * Source: AlphaFold's `make_template_mask`, and `make_pseudo_beta` and `atom37_to_torsion_angles` for templates.
 *
 * @param columns N_res.
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a residue type is not 0 … 21.
 */
export function makeTemplateFeatures(atoms: TemplateAtoms, columns: number): TemplateFeatures {
  const owner = "makeTemplateFeatures";
  const { template_aatype, template_all_atom_positions, template_all_atom_mask } = atoms;
  const n = rowCount(owner, "template_aatype", template_aatype, columns);
  checkTokens(owner, "template_aatype", template_aatype, MSA_CLASSES);
  const betas: ReturnType<typeof makePseudoBeta>[] = [];
  const torsions: ReturnType<typeof atom37ToTorsionAngles>[] = [];
  for (let t = 0; t < n; t++) { // one at a time: the first residue of each has none before it
    const [from, to] = [t * columns, (t + 1) * columns];
    const own: AtomInputs = {
      aatype: template_aatype.slice(from, to).map((type) => Math.min(type, 20)),
      all_atom_positions: template_all_atom_positions.subarray(from * ATOM_SLOTS * 3, to * ATOM_SLOTS * 3),
      all_atom_mask: template_all_atom_mask.subarray(from * ATOM_SLOTS, to * ATOM_SLOTS),
    };
    checkAtoms(owner, own);
    betas.push(makePseudoBeta(own));
    torsions.push(atom37ToTorsionAngles(own));
  }
  return {
    ...atoms,
    template_mask: new Float32Array(n).fill(1),
    template_pseudo_beta: join(betas.map((beta) => beta.pseudo_beta)),
    template_pseudo_beta_mask: join(betas.map((beta) => beta.pseudo_beta_mask)),
    template_torsion_angles_sin_cos: join(torsions.map((torsion) => torsion.torsion_angles_sin_cos)),
    template_alt_torsion_angles_sin_cos: join(torsions.map((torsion) => torsion.alt_torsion_angles_sin_cos)),
    template_torsion_angles_mask: join(torsions.map((torsion) => torsion.torsion_angles_mask)),
  };
}

/**
 * Features of the templates' residues: type (22), sine and cosine of seven torsions (14), the same with exchangeable names
 * exchanged (14), their masks (7).
 *
 * Source: OpenFold's `build_template_angle_feat`; Jumper et al. (2021), Suppl. Alg. 2 line 7.
 *
 * @returns `[N_templ, N_res, 57]`
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a residue type is not 0 … 21.
 */
export function buildTemplateAngleFeat(
  features: Pick<
    TemplateFeatures,
    | "template_aatype"
    | "template_torsion_angles_sin_cos"
    | "template_alt_torsion_angles_sin_cos"
    | "template_torsion_angles_mask"
  >,
): Float32Array {
  const owner = "buildTemplateAngleFeat";
  const types = features.template_aatype;
  const angles = features.template_torsion_angles_sin_cos;
  const altAngles = features.template_alt_torsion_angles_sin_cos;
  const mask = features.template_torsion_angles_mask;
  checkTokens(owner, "template_aatype", types, MSA_CLASSES);
  checkSize(owner, "template_torsion_angles_sin_cos", angles, types.length * 2 * TORSIONS);
  checkSize(owner, "template_alt_torsion_angles_sin_cos", altAngles, types.length * 2 * TORSIONS);
  checkSize(owner, "template_torsion_angles_mask", mask, types.length * TORSIONS);
  const built = new Float32Array(types.length * TEMPLATE_ANGLE_FEAT);
  for (let i = 0; i < types.length; i++) {
    const at = i * TEMPLATE_ANGLE_FEAT;
    built[at + types[i]] = 1;
    built.set(angles.subarray(i * 14, i * 14 + 14), at + 22);
    built.set(altAngles.subarray(i * 14, i * 14 + 14), at + 36);
    built.set(mask.subarray(i * TORSIONS, (i + 1) * TORSIONS), at + 50);
  }
  return built;
}

/**
 * Features of the templates' pairs: class of distance of the pseudo-beta atoms, whether both are there, type of j (22) and
 * of i (22), direction from i to j (3), whether both backbones are there; 0 where they are not.
 *
 * Source: OpenFold's `build_template_pair_feat`; Jumper et al. (2021), Suppl. Table 1 and Alg. 2 line 9.
 *
 * @param columns N_res.
 * @returns `[N_templ, N_res, N_res, 88]` (with other than 39 classes, so many more or fewer)
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a residue type is not 0 … 21.
 */
export function buildTemplatePairFeat(
  features: TemplateAtoms & Pick<TemplateFeatures, "template_pseudo_beta" | "template_pseudo_beta_mask">,
  columns: number,
  options: TemplatePairOptions = {},
): Float32Array {
  const owner = "buildTemplatePairFeat";
  const { minBin = 3.25, maxBin = 50.75, bins = TEMPLATE_DISTANCE_BINS, inf = 1e5 } = options;
  const { useUnitVector = false, eps = 1e-8 } = options;
  const types = features.template_aatype;
  const beta = features.template_pseudo_beta;
  const betaMask = features.template_pseudo_beta_mask;
  const n = rowCount(owner, "template_aatype", types, columns);
  checkTokens(owner, "template_aatype", types, MSA_CLASSES);
  checkSize(owner, "template_all_atom_positions", features.template_all_atom_positions, types.length * ATOM_SLOTS * 3);
  checkSize(owner, "template_all_atom_mask", features.template_all_atom_mask, types.length * ATOM_SLOTS);
  checkSize(owner, "template_pseudo_beta", beta, types.length * 3);
  checkSize(owner, "template_pseudo_beta_mask", betaMask, types.length);
  const bounds = Array.from({ length: bins }, (_, k) => (minBin + (maxBin - minBin) * k / (bins - 1)) ** 2);
  const width = bins + 2 + 2 * MSA_CLASSES + 3;
  const built = new Float32Array(n * columns * columns * width);
  const { frames, mask } = backbones(features, eps);
  for (let t = 0; t < n; t++) {
    for (let i = t * columns; i < (t + 1) * columns; i++) {
      for (let j = t * columns; j < (t + 1) * columns; j++) {
        if (mask[i] * mask[j] === 0) continue;
        const at = (i * columns + j - t * columns) * width;
        const distance = squaredDistance(beta, i, j);
        const bin = bounds.findLastIndex((bound) => distance > bound);
        if (bin >= 0 && distance < (bounds[bin + 1] ?? inf)) built[at + bin] = 1;
        built[at + bins] = betaMask[i] * betaMask[j];
        built[at + bins + 1 + types[j]] = 1;
        built[at + bins + 1 + MSA_CLASSES + types[i]] = 1;
        if (useUnitVector) {
          const direction = toLocal(frames[i], [frames[j], 9]);
          const length = Math.sqrt(eps + direction.reduce((sum, x) => sum + x * x, 0));
          direction.forEach((x, axis) => built[at + bins + 1 + 2 * MSA_CLASSES + axis] = x / length);
        }
        built[at + width - 1] = 1;
      }
    }
  }
  return built;
}

function backbones(atoms: TemplateAtoms, eps: number): { frames: Float64Array[]; mask: Float32Array } {
  const { template_all_atom_positions: positions, template_all_atom_mask: there } = atoms;
  const count = atoms.template_aatype.length;
  const mask = new Float32Array(count);
  const frames = Array.from({ length: count }, (_, i) => {
    const slots = [SLOT.N, SLOT.CA, SLOT.C].map((slot) => i * ATOM_SLOTS + slot);
    mask[i] = slots.reduce((product, slot) => product * there[slot], 1);
    const [n, ca, c] = slots.map((slot): Point => [positions, 3 * slot]);
    return frameFromReference(n, ca, c, eps);
  });
  return { frames, mask };
}

function squaredDistance(points: Float32Array, i: number, j: number): number {
  let sum = 0;
  for (let axis = 0; axis < 3; axis++) sum += (points[3 * i + axis] - points[3 * j + axis]) ** 2;
  return sum;
}

function join(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
