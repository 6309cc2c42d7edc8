/** Parts of a complex: some of its residues, of any chains. */
import type { ComplexInputs } from "./complex_inputs.ts";
import type { TemplateFeatures } from "../template_feats.ts";
import { FEATURE_AXES, type FeatureAxis, type FeatureRecord, featureShape } from "../window.ts";

/**
 * Features of some of the residues, in their order; what has no axis of residues stays.
 *
 * @param sizes Of the axes that the features have.
 * @param rows The residues.
 * @throws {TypeError} If a feature is unknown or does not have the size that its axes say.
 */
export function takeResidues<T extends FeatureRecord>(
  features: T,
  sizes: Readonly<Partial<Record<FeatureAxis, number>>>,
  rows: ArrayLike<number>,
): { [K in keyof T]: T[K] } {
  const product = (numbers: readonly number[]) => numbers.reduce((all, size) => all * size, 1);
  return Object.fromEntries(
    Object.entries(features).map(([name, data]) => {
      const shape = featureShape(name, sizes), axis = FEATURE_AXES[name].indexOf("residues");
      if (data.length !== product(shape)) {
        throw new TypeError(`${name} has ${data.length} numbers, expected ${product(shape)} of the shape [${shape}]`);
      }
      if (axis < 0) return [name, data];
      const outer = product(shape.slice(0, axis)), inner = product(shape.slice(axis + 1)), n = shape[axis];
      const taken = data instanceof Float32Array
        ? new Float32Array(outer * rows.length * inner)
        : new Int32Array(outer * rows.length * inner);
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < rows.length; i++) {
          const from = (o * n + rows[i]) * inner;
          taken.set(data.subarray(from, from + inner), (o * rows.length + i) * inner);
        }
      }
      return [name, taken];
    }),
  ) as { [K in keyof T]: T[K] };
}

/** What the network reads of some of the residues. */
export function cropComplexInputs(inputs: ComplexInputs, rows: ArrayLike<number>): ComplexInputs {
  const sizes = {
    residues: inputs.aatype.length,
    clusters: inputs.msa_row_mask.length,
    extra: inputs.extra_msa_row_mask.length,
  };
  const { row_order, target_feat, ...others } = inputs;
  const { complex_target_feat, ...cut } = takeResidues(
    { ...others, complex_target_feat: target_feat } as unknown as FeatureRecord,
    sizes,
    rows,
  );
  return { ...cut, target_feat: complex_target_feat, row_order } as unknown as ComplexInputs;
}

/** The templates of some of the residues. */
export function cropComplexTemplates(
  templates: TemplateFeatures,
  residues: number,
  rows: ArrayLike<number>,
): TemplateFeatures {
  const names = Object.keys(templates).filter((name) => name.startsWith("template_") && name in FEATURE_AXES);
  const record = Object.fromEntries(names.map((name) => [name, templates[name as keyof TemplateFeatures]]));
  const sizes = { residues, templates: templates.template_mask.length };
  return takeResidues(record as unknown as FeatureRecord, sizes, rows) as unknown as TemplateFeatures;
}
