import type { Tensor } from "../../../core/mod.ts";
import {
  add,
  broadcastTo,
  concat,
  framesFromThreePoints,
  multiply,
  multiplyScalar,
  reshape,
  slice,
  subtract,
  sum,
  where,
} from "../../../ops/mod.ts";
import { framesToAtom14 } from "../../alphafold/structure/frames_to_atom14.ts";
import { residueTables } from "../../alphafold/structure/residue_tables.ts";
import { torsionAnglesToFrames } from "../../alphafold/structure/torsion_angles_to_frames.ts";
import { TORSION_ANGLES } from "../../alphafold/structure/config.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { ATOM14_SLOTS } from "../../protein/residue_constants.ts";
import { measure } from "../vectors.ts";

/** Å from C to O, and the angle of the bonds from it to CA and to O. */
const CARBONYL_LENGTH = 1.229, CARBONYL_ANGLE = 2.0944;
/** The dihedral N, CA, C, N of a residue behind which there is none. */
const LAST_PSI = 5 * Math.PI / 4;

/** Where atoms besides the backbone's are put. */
export interface SidechainOptions {
  /** Whether O is placed, in the plane of the peptide bond. @default false */
  readonly oxygen?: boolean;
  /**
   * Residue types, i32 `[batch, L]`, 0 … 20: all heavy atoms are placed where they are when side chains are stretched. Without
   * them all atoms of side chains lie on C.
   */
  readonly aatype?: Tensor;
  /** 1 for residues, 0 for padding behind them, `[batch, L]`. @default all are residues */
  readonly mask?: Tensor;
  /** Whether O is bent to CA by 60° as the original's, in place of 120°; for comparisons with it alone. @default false */
  readonly quirks?: boolean;
}

/**
 * Atoms of residues under AlphaFold's 14 slots, from their backbone: N, CA, C, O, then those of the side chain. Gradients flow
 * to the backbone.
 *
 * Source: alphafold2-pytorch 0.0.19, `sidechain_container`; where side chains are placed, Jumper et al. (2021), Suppl. Alg. 24.
 *
 * @param backbone N, CA and C by turns, `[batch, 3 L, 3]`, in Å.
 * @returns `[batch, L, 14, 3]`, owned by the current scope; 0 where residue types are given and one has no such atom.
 * @throws {TypeError} If shapes do not fit.
 */
export function sidechainContainer(
  backbone: Tensor,
  { oxygen = false, aatype, mask, quirks = false }: SidechainOptions = {},
): Tensor {
  const { device } = backbone;
  const [batch, atoms] = backbone.shape;
  if (backbone.shape.length !== 3 || atoms % 3 !== 0 || atoms === 0 || backbone.shape[2] !== 3) {
    throw new TypeError(`sidechainContainer needs a backbone [batch, 3 L, 3], got [${backbone.shape}]`);
  }
  const length = atoms / 3;
  if (aatype) checkShape("sidechainContainer", "aatype", aatype, [batch, length], "i32");
  if (mask) checkShape("sidechainContainer", "mask", mask, [batch, length]);
  using scope = device.scope("sidechainContainer");
  const residues = reshape(backbone, [batch, length, 3, 3]);
  const atom = (slot: number) =>
    reshape(slice(residues, [0, 0, slot, 0], [batch, length, slot + 1, 3]), [batch, length, 3]);
  const [n, ca, c] = [atom(0), atom(1), atom(2)];
  const o = oxygen && placeOxygen([n, ca, c], mask, quirks);
  const known = o ? concat([residues, reshape(o, [batch, length, 1, 3])], 2) : residues;
  const slots = known.shape[2];
  const rest = [batch, length, ATOM14_SLOTS - slots, 3];
  if (!aatype) return scope.keep(concat([known, broadcastTo(reshape(c, [batch, length, 1, 3]), rest)], 2));
  const all = stretched(framesFromThreePoints(n, ca, c), aatype);
  return scope.keep(concat([known, slice(all, [0, 0, slots, 0], all.shape)], 2));
}

/** All atoms with every torsion angle at 180°, `[batch, L, 14, 3]`. */
function stretched(frames: Tensor, aatype: Tensor): Tensor {
  const { device } = frames;
  const [batch, length] = aatype.shape;
  const angles = Float32Array.from({ length: batch * length * TORSION_ANGLES * 2 }, (_, k) => k % 2 ? -1 : 0);
  const torsions = device.tensor(angles, [batch, length, TORSION_ANGLES, 2]);
  const tables = residueTables(device);
  return framesToAtom14(torsionAnglesToFrames(frames, torsions, aatype, tables), aatype, tables);
}

/** Opposite to the next residue's N, as seen along the bond from CA to C. */
function placeOxygen([n, ca, c]: readonly [Tensor, Tensor, Tensor], mask: Tensor | undefined, quirks: boolean): Tensor {
  const { device } = n;
  const [batch, length] = n.shape;
  // Signs and sines of the dihedral N, CA, C, N: of the last residue it is fixed.
  const along = unit(subtract(c, ca)), normal = unit(cross(subtract(ca, n), along)), across = cross(normal, along);
  const ofLast = (count: number, value: number) =>
    device.tensor(new Float32Array(batch * count).fill(value), [batch, count, 1]);
  let cosine = ofLast(1, Math.cos(LAST_PSI)), sine = ofLast(1, Math.sin(LAST_PSI));
  if (length > 1) {
    const before = (x: Tensor) => slice(x, [0, 0, 0], [batch, length - 1, 3]);
    const next = subtract(slice(n, [0, 1, 0], [batch, length, 3]), before(c));
    const [x, y] = [dot(next, before(across)), dot(next, before(normal))];
    const { inverse } = measure(concat([x, y], 2));
    const followed = mask && reshape(slice(mask, [0, 1], [batch, length]), [batch, length - 1, 1]);
    const known = (found: Tensor, value: number) =>
      followed ? where(followed, found, ofLast(length - 1, value)) : found;
    cosine = concat([known(multiply(x, inverse), Math.cos(LAST_PSI)), cosine], 1);
    sine = concat([known(multiply(y, inverse), Math.sin(LAST_PSI)), sine], 1);
  }
  const turn = quirks ? CARBONYL_ANGLE : Math.PI - CARBONYL_ANGLE;
  const outward = add(multiply(across, cosine), multiply(normal, sine)); // the dihedral of O is that of N, and 180°
  const direction = subtract(
    multiplyScalar(along, CARBONYL_LENGTH * Math.cos(turn)),
    multiplyScalar(outward, CARBONYL_LENGTH * Math.sin(turn)),
  );
  return add(c, direction);
}

function unit(x: Tensor): Tensor {
  return multiply(x, measure(x).inverse);
}

function dot(x: Tensor, y: Tensor): Tensor {
  return sum(multiply(x, y), { axes: [-1], keepDims: true });
}

function cross(x: Tensor, y: Tensor): Tensor {
  const axes = x.shape.slice(0, -1).map(() => 0);
  const at = (v: Tensor, axis: number) => slice(v, [...axes, axis], [...v.shape.slice(0, -1), axis + 1]);
  const component = (i: number, j: number) => subtract(multiply(at(x, i), at(y, j)), multiply(at(x, j), at(y, i)));
  return concat([component(1, 2), component(2, 0), component(0, 1)], -1);
}

/**
 * Which of the atoms of residues that stand one behind the other are N, and which are CA.
 *
 * @param residues Number of residues.
 * @param atoms Atoms a residue, N and CA first. @default 3
 */
export function backboneMask(residues: number, atoms = 3): { readonly n: Uint8Array; readonly ca: Uint8Array } {
  const at = (place: number) => Uint8Array.from({ length: residues * atoms }, (_, k) => +(k % atoms === place));
  return { n: at(0), ca: at(1) };
}
