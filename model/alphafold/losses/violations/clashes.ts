import { defineOp, type Device, elementGrid, type Tensor } from "../../../../core/mod.ts";
import { addScalar, clamp, divide, multiplyScalar, reshape, slice, sum } from "../../../../ops/mod.ts";
import { checkShape } from "../../../layers/check_shape.ts";
import { ATOM14_SLOTS } from "../../../protein/residue_constants.ts";
import type { ChainFacts } from "./bonds.ts";
import { clashesKernel, clashesVjpKernel, LONGEST_CHUNK, spheresKernel } from "./clashes.wgsl.ts";

/** Choices of {@linkcode betweenResidueClashes}. */
export interface ClashOptions {
  /** Å by which atoms may overlap at no cost. @default 1.5 */
  readonly toleranceSoft?: number;
  /** Å of overlap from which on there is a clash. @default 1.5 */
  readonly toleranceHard?: number;
}

/** Which atoms of different residues are too near to each other. */
export type ClashViolations = {
  /** Mean overlap over all pairs of atoms in Å, `[batch]`. */
  readonly meanLoss: Tensor;
  /** Overlaps of each atom in Å, `[batch, N_res, 14]`. */
  readonly perAtomLoss: Tensor;
  /** Clashes of each atom, `[batch, N_res, 14]`. */
  readonly perAtomClashes: Tensor;
  /** 1 for atoms that clash, `[batch, N_res, 14]`. */
  readonly perAtomViolation: Tensor;
};

type Inputs = {
  readonly positions: Tensor;
  readonly radii: Tensor;
  readonly exists: Tensor;
  readonly residueIndex: Tensor;
  readonly asymId: Tensor | undefined;
};

interface Attributes {
  readonly soft: number;
  readonly hard: number;
}

/** Added to the number of pairs. */
const EPS = 1e-6;

/** Invocations that keep an adapter busy. */
const BUSY = 16_384;

/** How the residues that an atom is compared with are cut in chunks, and what both kernels read. */
function plan(device: Device, { positions, radii, exists, residueIndex, asymId }: Inputs, { soft, hard }: Attributes) {
  const [batch, residues] = residueIndex.shape;
  const atoms = batch * residues * ATOM14_SLOTS;
  const perChunk = Math.min(Math.ceil(residues / Math.min(residues, Math.ceil(BUSY / atoms))), LONGEST_CHUNK);
  const chunks = Math.ceil(residues / perChunk);
  const spheres = device.empty([...exists.shape, 4]);
  device.run(spheresKernel, {
    bindings: { positions, radii, exists, spheres },
    uniforms: { n: atoms },
    grid: elementGrid(atoms, 64),
    flops: 0,
  });
  const n = chunks * atoms;
  return {
    chunks,
    atoms,
    pairs: atoms * residues * ATOM14_SLOTS,
    bindings: { spheres, residueIndex, asymId: asymId ?? residueIndex },
    uniforms: { n, residues, atoms, perChunk, chains: Number(!!asymId), soft, hard },
    grid: elementGrid(n, 64),
  };
}

const op = defineOp<Inputs, keyof Inputs, Record<never, never>, Attributes>({
  name: "clashes",
  needs: { positions: ["positions", "radii", "exists", "residueIndex", "asymId"] },
  forward(inputs, attributes, { device }) {
    const { chunks, atoms, pairs, ...dispatch } = plan(device, inputs, attributes);
    const partial = device.empty([chunks, 3, atoms]);
    device.run(clashesKernel, {
      ...dispatch,
      bindings: { ...dispatch.bindings, partial },
      flops: 16 * pairs,
    });
    return { out: device.view(sum(partial, { axes: [0] }), [3, ...inputs.exists.shape]) };
  },
  vjp({ device, inputs, attributes, wanted }, d) {
    if (!wanted.positions) return {};
    const { chunks, atoms, pairs, ...dispatch } = plan(device, inputs, attributes);
    const partial = device.empty([chunks, atoms, 3]);
    device.run(clashesVjpKernel, {
      ...dispatch,
      bindings: { ...dispatch.bindings, d, partial },
      flops: 12 * pairs,
    });
    return { positions: device.view(sum(partial, { axes: [0] }), inputs.positions.shape) };
  },
});

/**
 * Overlaps of atoms of different residues. Pairs are never stored: a kernel goes from each atom along all others.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.11, equation 46.
 *
 * @param positions Å, `[batch, N_res, 14, 3]`.
 * @param radii Van der Waals radii in Å, `[batch, N_res, 14]`.
 * @returns Owned by the current scope.
 * @throws {TypeError} If shapes do not fit together.
 */
export function betweenResidueClashes(
  positions: Tensor,
  radii: Tensor,
  facts: Pick<ChainFacts, "exists" | "residueIndex" | "asymId">,
  { toleranceSoft = 1.5, toleranceHard = 1.5 }: ClashOptions = {},
): ClashViolations {
  const of = "betweenResidueClashes";
  checkShape(of, "positions", positions, ["batch", "N_res", ATOM14_SLOTS, 3]);
  const { device, shape: [batch, nRes] } = positions;
  const perAtom = [batch, nRes, ATOM14_SLOTS];
  checkShape(of, "radii", radii, perAtom);
  checkShape(of, "exists", facts.exists, perAtom);
  checkShape(of, "residueIndex", facts.residueIndex, [batch, nRes], "i32");
  if (facts.asymId) checkShape(of, "asymId", facts.asymId, [batch, nRes], "i32");
  using scope = device.scope(of);
  const { exists, residueIndex, asymId } = facts;
  const counts = op({ positions, radii, exists, residueIndex, asymId }, { soft: toleranceSoft, hard: toleranceHard });
  const row = (k: number) => reshape(slice(counts, [k, 0, 0, 0], [k + 1, ...perAtom]), perAtom);
  const [loss, clashes, pairs] = [row(0), row(1), row(2)];
  // Both atoms of a pair have it.
  const total = (x: Tensor) => multiplyScalar(sum(x, { axes: [1, 2] }), 0.5);
  return scope.keep({
    meanLoss: divide(total(loss), addScalar(total(pairs), EPS)),
    perAtomLoss: loss,
    perAtomClashes: clashes,
    perAtomViolation: clamp(clashes, 0, 1),
  });
}
