import { type Key, leaves, mapLeaves, type Tensor } from "../../../core/mod.ts";
import { broadcastTo, concat, isTracked, max, multiply, plainLinear, reshape, slice } from "../../../ops/mod.ts";
import type { Recompute } from "../../evoformer/pair_stack.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { isMadeInParts } from "../../layers/in_parts.ts";
import { step } from "../../layers/step.ts";
import type { TemplateConfig } from "../config.ts";
import type { TemplateEmbedderParams, TemplatePointwiseAttentionParams } from "./params.ts";
import { embedTemplateAngles } from "./template_angle_embedder.ts";
import { checkTemplates, templateAngleFeatures, type TemplateFeatures } from "./template_features.ts";
import { embedTemplatePairs } from "./template_pair_embedder.ts";
import { templatePairStack } from "./template_pair_stack.ts";
import { templatePointwiseAttention } from "./template_pointwise_attention.ts";
import { TemplateStream } from "./template_stream.ts";

/** How templates are embedded. */
export interface TemplateEmbedderOptions {
  /** 1 for pairs that count, 0 for padding: `[batch, N_res, N_res]`. @default all do */
  readonly pairMask?: Tensor;
  /** Whether transitions' updates are masked. @default false */
  readonly maskTrans?: boolean;
  /** Whether pairs are updated from triangles. @default true */
  readonly triangles?: boolean;
  /** Makes dropout's decisions; it is not used up. @default no dropout */
  readonly key?: Key;
  /** What is computed again on the way back. @default "nothing" */
  readonly recompute?: Recompute;
  /** Whether z is not needed any more: without a gradient the result takes its place. @default false */
  readonly consume?: boolean;
}

/**
 * Tells the pair representation of the templates.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 2 "Inference", lines 9-13.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns z with what templates tell, `[batch, N_res, N_res, c_z]`; z where none is there.
 * @throws {TypeError} If shapes do not fit together.
 */
export function addTemplatePairs(
  params: Omit<TemplateEmbedderParams, "templateSingleEmbedder">,
  z: Tensor,
  features: TemplateFeatures,
  config: TemplateConfig,
  options: TemplateEmbedderOptions = {},
): Tensor {
  checkTemplates(features);
  const { pairMask, consume } = options;
  const [batch, T, nRes] = features.aatype.shape;
  const { device } = z;
  checkShape("addTemplatePairs", "z", z, [batch, nRes, nRes, params.templatePointwiseAtt.mha.linearQ.weight.shape[1]]);
  if (pairMask) checkShape("addTemplatePairs", "pairMask", pairMask, [batch, nRes, nRes]);
  using scope = device.scope("templates");
  const many = embedEach(params, features, config, options);
  if (batch === 1 && many.length > 1 && !isTracked(z, pairMask, ...leaves<Tensor>([params, features]))) {
    return scope.keep(oneByOne(params.templatePointwiseAtt, z, features.mask, many, config, consume));
  }
  const each = many.map((embed) => embed());
  const entry = (x: Tensor, b: number) =>
    batch === 1 ? x : slice(x, x.shape.map((_, axis) => (axis === 0 ? b : 0)), x.shape.with(0, b + 1));
  const updated = Array.from({ length: batch }, (_, b) => {
    const mask = entry(features.mask, b);
    const own = entry(z, b);
    const attention = { nHead: config.nHeadPointwise, mask, residual: own, consume };
    const t = each.length === 1 ? [entry(each[0], b)] : each.slice(b * T, (b + 1) * T);
    const known = ifAny(params.templatePointwiseAtt, mask);
    return templatePointwiseAttention(known, own, t, attention); // lines 12 and 13
  });
  return scope.keep(batch === 1 ? updated[0] : concat(updated, 0));
}

/** Parameters by which nothing is added where no template is there: values and bias are then 0. */
function ifAny({ mha }: TemplatePointwiseAttentionParams, mask: Tensor): TemplatePointwiseAttentionParams {
  const any = max(mask);
  const { linearV, linearO } = mha;
  return {
    mha: {
      ...mha,
      linearV: { ...linearV, weight: multiply(plainLinear(linearV).weight, any), adapter: undefined },
      linearO: { ...linearO, bias: linearO.bias && multiply(linearO.bias, any) },
    },
  };
}

/** Templates that are made one by one are attended to one by one, without a gradient: only one is there at a time. */
function oneByOne(
  params: TemplatePointwiseAttentionParams,
  z: Tensor,
  mask: Tensor,
  templates: readonly (() => Tensor)[],
  { nHeadPointwise: nHead }: TemplateConfig,
  consume: boolean | undefined,
): Tensor {
  const { device } = z;
  using attention = new TemplateStream(ifAny(params, mask), z, nHead);
  for (const [i, embed] of templates.entries()) {
    using scope = device.scope("one");
    void scope;
    attention.add(embed(), slice(mask, [0, i], [1, i + 1]));
  }
  return attention.finish({ residual: z, consume });
}

/**
 * What makes the pair representations of the templates: `[batch, T, N_res, N_res, c_t]`, or where they are made one by one,
 * `[1, 1, N_res, N_res, c_t]` for each of all samples' templates.
 */
function embedEach(
  { templatePairEmbedder, templatePairStack: stack }: Omit<TemplateEmbedderParams, "templateSingleEmbedder">,
  features: TemplateFeatures,
  config: TemplateConfig,
  { pairMask, maskTrans, triangles, key, recompute }: TemplateEmbedderOptions,
): (() => Tensor)[] {
  const [batch, T, nRes] = features.aatype.shape;
  const count = batch * T;
  const { device } = features.aatype;
  const single = (x: Tensor) => reshape(x, [count, ...x.shape.slice(2)]);
  const { aatype, allAtomPositions, allAtomMask, pseudoBeta, pseudoBetaMask } = features;
  const singles = {
    aatype: single(aatype),
    allAtomPositions: single(allAtomPositions),
    allAtomMask: single(allAtomMask),
    pseudoBeta: single(pseudoBeta),
    pseudoBetaMask: single(pseudoBetaMask),
  };
  const mask = pairMask && reshape(
    broadcastTo(reshape(pairMask, [batch, 1, nRes, nRes]), [batch, T, nRes, nRes]),
    [count, nRes, nRes],
  );
  type Parts = {
    readonly split: typeof singles & { readonly mask: Tensor | undefined };
    readonly whole: Pick<TemplateEmbedderParams, "templatePairEmbedder"> & { readonly stack: typeof stack };
  };
  const embed = ({ split: { mask, ...singles }, whole }: Parts, key?: Key) => {
    const t = embedTemplatePairs(whole.templatePairEmbedder, singles, config); // lines 9 and 10
    const options = { mask, maskTrans, triangles, key, recompute, consume: true };
    return templatePairStack(whole.stack, t, config, options); // line 11
  };
  const inputs: Parts = { split: { ...singles, mask }, whole: { templatePairEmbedder, stack } };
  const size = count * nRes ** 2 * 4 * Math.max(config.cHiddenTriMul, config.cHiddenTriAtt * config.nHead);
  const inParts = isMadeInParts(device, { axis: 0, count, size }, [inputs.split, inputs.whole]);
  const shaped = (t: Tensor, samples: number, templates: number) =>
    reshape(t, [samples, templates, nRes, nRes, config.cT]);
  // With dropout too: each template has its own, however many there are.
  if (!key && !inParts) return [() => shaped(embed(inputs), batch, T)];
  const own = (x: Tensor, i: number) =>
    slice(x, x.shape.map((_, axis) => (axis === 0 ? i : 0)), x.shape.with(0, i + 1));
  return Array.from({ length: count }, (_, i) => () => {
    const split = mapLeaves<Tensor, Parts["split"]>(inputs.split, (x) => own(x, i));
    const run = (parts: Parts) => embed(parts, key?.at(i));
    return shaped(step(device, `template/${i}`, { ...inputs, split }, run, inParts), 1, 1);
  });
}

/**
 * Templates as rows of the MSA representation, and which of their residues count: those whose torsion angle psi is known.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 2 "Inference", lines 7 and 8.
 *
 * @returns `rows` `[batch, T, N_res, c_m]`, `mask` `[batch, T, N_res]`.
 */
export function templateRows(
  params: NonNullable<TemplateEmbedderParams["templateSingleEmbedder"]>,
  features: TemplateFeatures,
): { rows: Tensor; mask: Tensor } {
  const [batch, T, nRes] = features.aatype.shape;
  const psi = slice(features.torsionAnglesMask, [0, 0, 0, 2], [batch, T, nRes, 3]);
  return {
    rows: embedTemplateAngles(params, templateAngleFeatures(features)),
    mask: reshape(psi, [batch, T, nRes]),
  };
}
