import { addInto, leaves, mapLeaves, type Tensor } from "../../../core/mod.ts";
import { add, isTracked, multiplyScalar, relu, reshape, slice } from "../../../ops/mod.ts";
import type { TemplateConfig } from "../../alphafold/config.ts";
import type { TemplateEmbedderOptions } from "../../alphafold/templates/template_embedder.ts";
import { checkTemplates, type TemplateFeatures } from "../../alphafold/templates/template_features.ts";
import { templatePairStack } from "../../alphafold/templates/template_pair_stack.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { linearInParts } from "../../layers/in_parts.ts";
import { step } from "../../layers/step.ts";
import type { MultimerTemplateEmbedderParams } from "./params.ts";
import { embedMultimerTemplatePairs, templateGeometry } from "./template_pair_embedder.ts";
import { embedMultimerTemplateRows, multimerTemplateFeatures } from "./template_single_embedder.ts";

/**
 * Tells the pair representation of a complex of its templates: the mean over all places for templates, whether one is there
 * or not; an empty place tells what biases and the pair representation itself make of it.
 *
 * Source: Evans et al. (2021), Suppl. 7.2; the published code's `TemplateEmbedding` of complexes.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @param asymId Which chain a residue is of, i32 `[batch, N_res]`.
 * @returns z with what templates tell, `[batch, N_res, N_res, c_z]`, owned by the current scope.
 * @throws {TypeError} If shapes do not fit together.
 */
export function addMultimerTemplatePairs(
  params: Omit<MultimerTemplateEmbedderParams, "templateSingleEmbedder">,
  z: Tensor,
  features: TemplateFeatures,
  asymId: Tensor,
  config: TemplateConfig,
  { pairMask, maskTrans, triangles, key, recompute, consume }: TemplateEmbedderOptions = {},
): Tensor {
  checkTemplates(features);
  const { device } = z;
  const [batch, T, nRes] = features.aatype.shape;
  checkShape("addTemplatePairs", "z", z, [batch, nRes, nRes, params.linearT.weight.shape[0]]);
  checkShape("addTemplatePairs", "asymId", asymId, [batch, nRes], "i32");
  if (pairMask) checkShape("addTemplatePairs", "pairMask", pairMask, [batch, nRes, nRes]);
  using scope = device.scope("templates");
  const { templatePairEmbedder, templatePairStack: stack, linearT } = params;
  const recording = isTracked(...leaves<Tensor>([z, params]));
  const { aatype, allAtomPositions, allAtomMask, pseudoBeta, pseudoBetaMask } = features;
  const all = { aatype, allAtomPositions, allAtomMask, pseudoBeta, pseudoBetaMask };
  let total: Tensor | undefined;
  for (let t = 0; t < T; t++) {
    const own = mapLeaves<Tensor, typeof all>(all, (x) => templateOf(x, t));
    const embedded = step(
      device,
      `template/${t}`,
      { own, asymId, z, templatePairEmbedder, stack, pairMask },
      ({ own, asymId, z, templatePairEmbedder, stack, pairMask: mask }) => {
        const inputs = { ...templateGeometry(own, asymId, config), aatype: own.aatype, z };
        const pairs = embedMultimerTemplatePairs(templatePairEmbedder, inputs);
        const options = { mask, maskTrans, triangles, key: key?.at(t), recompute, consume: true };
        return templatePairStack(stack, pairs, config, options);
      },
      recompute !== undefined && recompute !== "nothing",
    );
    if (!total) total = embedded;
    else if (recording) total = add(total, embedded);
    else {
      addInto(device, total, embedded);
      embedded.dispose();
    }
  }
  const mean = relu(multiplyScalar(total!, 1 / T));
  if (!recording) total!.dispose();
  return scope.keep(linearInParts(
    device,
    { axis: 1, count: nRes, size: z.size },
    { x: mean, residual: z, consume, split: {}, whole: linearT },
    ({ x, whole: map }) => ({ x, map }),
  ));
}

/** One of the templates of each entry of the batch: `[batch, …]`. */
function templateOf(x: Tensor, t: number): Tensor {
  const [batch, , ...rest] = x.shape;
  const begin = x.shape.map((_, axis) => (axis === 1 ? t : 0));
  return reshape(slice(x, begin, x.shape.with(1, t + 1)), [batch, ...rest]);
}

/**
 * Templates as rows of the MSA representation, and which of their residues count.
 *
 * @returns `rows` `[batch, T, N_res, c_m]`, `mask` `[batch, T, N_res]`.
 */
export function multimerTemplateRows(
  params: NonNullable<MultimerTemplateEmbedderParams["templateSingleEmbedder"]>,
  templates: TemplateFeatures,
): { rows: Tensor; mask: Tensor } {
  const { features, mask } = multimerTemplateFeatures(templates);
  return { rows: embedMultimerTemplateRows(params, features), mask };
}
