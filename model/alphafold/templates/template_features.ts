import { sizeOf, type Tensor } from "../../../core/mod.ts";
import { concat, multiply, oneHot, reshape, slice } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { ATOM_SLOTS, SLOT } from "../../protein/residues.ts";
import { TEMPLATE_TYPES } from "./params.ts";

/** Residues of templates and their atoms, on the target's residues; T templates. */
export type TemplateFeatures = {
  /** 1 for templates that are there, 0 for padding: `[batch, T]`. */
  readonly mask: Tensor;
  /** Residue types, i32 `[batch, T, N_res]`: 0 … 20, and 21 where the template has no residue. */
  readonly aatype: Tensor;
  /** Å, `[batch, T, N_res, 37, 3]`. */
  readonly allAtomPositions: Tensor;
  /** `[batch, T, N_res, 37]` */
  readonly allAtomMask: Tensor;
  /** C-betas (C-alphas of glycines), Å, `[batch, T, N_res, 3]`. */
  readonly pseudoBeta: Tensor;
  /** `[batch, T, N_res]` */
  readonly pseudoBetaMask: Tensor;
  /** `[batch, T, N_res, 7, 2]` */
  readonly torsionAnglesSinCos: Tensor;
  /** The same with exchangeable names exchanged. */
  readonly altTorsionAnglesSinCos: Tensor;
  /** `[batch, T, N_res, 7]` */
  readonly torsionAnglesMask: Tensor;
};

/** What each tensor of templates is, before a batch and a number of templates and residues: axes, and kind of numbers. */
const AXES: Readonly<Record<keyof TemplateFeatures, readonly [axes: readonly (string | number)[], kind?: "i32"]>> = {
  mask: [["T"]],
  aatype: [["T", "N_res"], "i32"],
  allAtomPositions: [["T", "N_res", ATOM_SLOTS, 3]],
  allAtomMask: [["T", "N_res", ATOM_SLOTS]],
  pseudoBeta: [["T", "N_res", 3]],
  pseudoBetaMask: [["T", "N_res"]],
  torsionAnglesSinCos: [["T", "N_res", 7, 2]],
  altTorsionAnglesSinCos: [["T", "N_res", 7, 2]],
  torsionAnglesMask: [["T", "N_res", 7]],
};

/** @throws {TypeError} If shapes do not fit together. */
export function checkTemplates(features: TemplateFeatures): void {
  const [batch, T, nRes] = features.aatype.shape;
  const sizes: Readonly<Record<string, number>> = { T, N_res: nRes };
  for (const name of Object.keys(AXES) as (keyof TemplateFeatures)[]) {
    const [axes, kind] = AXES[name];
    const expected = axes.map((axis) => (typeof axis === "string" ? sizes[axis] : axis));
    checkShape("the template embedder", `templates.${name}`, features[name], [batch, ...expected], kind);
  }
}

/**
 * Features of the templates' residues: type (22), sine and cosine of seven torsion angles (14), the same with exchangeable
 * names exchanged (14), their masks (7).
 *
 * Source: Jumper et al. (2021), Suppl. Table 1; Alg. 2 "Inference", line 7.
 *
 * @returns `[batch, T, N_res, 57]`.
 */
export function templateAngleFeatures(
  { aatype, torsionAnglesSinCos, altTorsionAnglesSinCos, torsionAnglesMask }: Pick<
    TemplateFeatures,
    "aatype" | "torsionAnglesSinCos" | "altTorsionAnglesSinCos" | "torsionAnglesMask"
  >,
): Tensor {
  using scope = aatype.device.scope("templateAngleFeatures");
  const flat = (x: Tensor) => reshape(x, [...aatype.shape, x.size / sizeOf(aatype.shape)]);
  const parts = [flat(torsionAnglesSinCos), flat(altTorsionAnglesSinCos), torsionAnglesMask];
  return scope.keep(concat([oneHot(aatype, TEMPLATE_TYPES), ...parts], -1));
}

/** 1 where a residue's N, C-alpha and C are known, `[batch, T, N_res]`. */
export function backboneMask({ allAtomMask }: Pick<TemplateFeatures, "allAtomMask">): Tensor {
  using scope = allAtomMask.device.scope("backboneMask");
  const shape = allAtomMask.shape.slice(0, -1);
  const begin = allAtomMask.shape.map(() => 0);
  const [n, ca, c] = [SLOT.N, SLOT.CA, SLOT.C].map((slot) =>
    reshape(slice(allAtomMask, begin.with(-1, slot), [...shape, slot + 1]), shape)
  );
  return scope.keep(multiply(multiply(n, ca), c));
}

/** Positions of an atom, `[batch, T, N_res, 3]`. */
export function atomOf({ allAtomPositions }: Pick<TemplateFeatures, "allAtomPositions">, slot: number): Tensor {
  const { shape } = allAtomPositions;
  const end = shape.with(-2, slot + 1);
  return reshape(slice(allAtomPositions, shape.map(() => 0).with(-2, slot), end), [...shape.slice(0, -2), 3]);
}
