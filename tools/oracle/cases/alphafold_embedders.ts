import type { Device } from "../../../core/mod.ts";
import {
  embedMsa,
  embedPairs,
  type ExtraMsaEmbedderParams,
  extraMsaEmbedderShapes,
  extraMsaFeatures,
  type InputEmbedderParams,
  inputEmbedderShapes,
  recycledPairs,
  recycledRow,
  type RecyclingEmbedderParams,
  recyclingEmbedderShapes,
} from "../../../model/alphafold/embedders/mod.ts";
import { type AlphaFoldChoices, alphafoldConfig } from "../../../model/alphafold/config.ts";
import {
  addTemplatePairs,
  embedTemplateAngles,
  embedTemplatePairs,
  templateAngleFeatures,
  type TemplateEmbedderParams,
  templateEmbedderShapes,
  type TemplatePairEmbedderParams,
  templatePairFeatures,
  templatePairStack,
  type TemplatePairStackParams,
  templatePairStackShapes,
  templatePointwiseAttention,
  type TemplatePointwiseAttentionParams,
  templatePointwiseAttentionShapes,
  templateRows,
  type TemplateSingleEmbedderParams,
  templateSingleEmbedderShapes,
} from "../../../model/alphafold/templates/mod.ts";
import { constant, linearShapes } from "../../../model/layers/params.ts";
import { broadcastTo, linear, reshape, subtract } from "../../../ops/mod.ts";
import type { Family } from "../family.ts";
import { type Golden, recordOf } from "../golden.ts";
import { templateChoices, templateFeaturesOf } from "./_alphafold.ts";
import { moduleFamily } from "./_module.ts";

const EMBEDDERS = /^openfold\/model\/embedders\.py/;
const TEMPLATE = /^openfold\/model\/template\.py/;
const FEATURES = /^openfold\/utils\/feats\.py/;

/** Features of templates and the types of their numbers, under the names of the cases. */
const TEMPLATE_CONSTANTS = {
  template_aatype: "i32",
  template_all_atom_positions: "f32",
  template_all_atom_mask: "f32",
  template_pseudo_beta: "f32",
  template_pseudo_beta_mask: "f32",
} as const;

const ANGLE_CONSTANTS = {
  template_aatype: "i32",
  template_torsion_angles_sin_cos: "f32",
  template_alt_torsion_angles_sin_cos: "f32",
  template_torsion_angles_mask: "f32",
} as const;

/** The whole network's configuration from sizes of a part of it. */
function configOf(choices: AlphaFoldChoices) {
  return alphafoldConfig("model_1_ptm", choices);
}

function templatesOf(golden: Golden, cM = 8, cZ = 8) {
  const config = configOf({ cM, cZ, templates: templateChoices(golden.config) });
  return { config, templates: config.templates! };
}

/** The map that leaves features as they are: what is embedded with it is the features themselves. */
function identity(device: Device, n: number): TemplatePairEmbedderParams {
  const weight = Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  return { linear: { weight: device.tensor(weight, [n, n]), bias: device.zeros([n]) } };
}

const recycling = ({ config }: Golden) => ({
  ...configOf({}).recycling,
  minBin: config.min_bin as number,
  maxBin: config.max_bin as number,
  bins: config.no_bins as number,
});

const BIAS = { bias: constant(0) };

/** AlphaFold 2's embedders as OpenFold computes them. */
export const ALPHAFOLD_EMBEDDERS: readonly Family[] = [
  moduleFamily<InputEmbedderParams>({
    prefix: "input_embedder",
    source: EMBEDDERS,
    shapes: (golden) =>
      inputEmbedderShapes(configOf({
        cM: golden.number("c_m"),
        cZ: golden.number("c_z"),
        embedders: {
          targetChannels: golden.number("tf_dim"),
          msaChannels: golden.number("msa_dim"),
          maxRelativePosition: golden.number("relpos_k"),
        },
      })),
    inputs: ["target_feat", "msa_feat"],
    constants: { residue_index: "i32" },
    run: (params, { target_feat: targetFeat, msa_feat }, { residue_index: residueIndex }) => ({
      m: embedMsa(params, targetFeat, msa_feat),
      z: embedPairs(params, { targetFeat, residueIndex }),
    }),
  }),
  moduleFamily<RecyclingEmbedderParams>({
    prefix: "recycling_embedder",
    source: EMBEDDERS,
    shapes: (golden) =>
      recyclingEmbedderShapes(configOf({
        cM: golden.number("c_m"),
        cZ: golden.number("c_z"),
        recycling: { bins: golden.number("no_bins") },
      })),
    inputs: ["m", "z"],
    constants: { x: "f32" },
    run: (params, { m, z }, { x: positions }, golden) => ({
      m_update: recycledRow(params, m),
      z_update: recycledPairs(params, { z, positions }, recycling(golden)),
    }),
  }),
  moduleFamily<ExtraMsaEmbedderParams>({
    prefix: "extra_msa_embedder",
    source: EMBEDDERS,
    shapes: (golden) => extraMsaEmbedderShapes(golden.number("c_out"), golden.number("c_in")),
    inputs: ["x"],
    run: (params, { x }) => ({ y: linear(x, params.linear) }),
  }),
  moduleFamily<TemplateSingleEmbedderParams>({
    prefix: "template_single_embedder",
    source: EMBEDDERS,
    shapes: (golden) => templateSingleEmbedderShapes(golden.number("c_out")),
    inputs: ["x"],
    run: (params, { x }) => ({ y: embedTemplateAngles(params, x) }),
  }),
  moduleFamily<TemplatePairEmbedderParams>({
    prefix: "template_pair_embedder",
    source: EMBEDDERS,
    shapes: (golden) => ({ linear: linearShapes(golden.number("c_out"), golden.number("c_in"), BIAS) }),
    inputs: ["x"],
    run: (params, { x }) => ({ y: linear(x, params.linear) }), // of features as they are; see build_template_pair_feat
  }),
  moduleFamily<TemplatePairStackParams>({
    prefix: "template_pair_stack",
    source: TEMPLATE,
    shapes: (golden) => templatePairStackShapes(templatesOf(golden).templates),
    inputs: ["t"],
    constants: { pair_mask: "f32" },
    batched: false,
    run: (params, { t }, { pair_mask }, golden) => {
      const mask = broadcastTo(reshape(pair_mask, [1, ...pair_mask.shape]), t.shape.slice(0, 3)); // the same for all
      const maskTrans = golden.config._mask_trans === true;
      return { t: templatePairStack(params, t, templatesOf(golden).templates, { mask, maskTrans }) };
    },
  }),
  moduleFamily<TemplatePointwiseAttentionParams>({
    prefix: "template_pointwise_attention",
    source: TEMPLATE,
    shapes: (golden) => templatePointwiseAttentionShapes(templatesOf(golden).templates, golden.number("c_z")),
    inputs: ["t", "z"],
    constants: { template_mask: "f32" },
    run: (params, { t, z }, { template_mask: mask }, golden) => ({
      z_update: templatePointwiseAttention(params, z, t, { nHead: golden.number("no_heads"), mask }),
    }),
  }),
  moduleFamily<TemplateEmbedderParams>({
    prefix: "template_embedder_full",
    source: EMBEDDERS,
    shapes: (golden) => {
      const cM = recordOf(golden.config.template_single_embedder).c_out as number;
      const { config, templates } = templatesOf(
        golden,
        cM,
        recordOf(golden.config.template_pointwise_attention).c_z as number,
      );
      return templateEmbedderShapes(config, templates);
    },
    inputs: ["z"],
    constants: { ...TEMPLATE_CONSTANTS, ...ANGLE_CONSTANTS, template_mask: "f32", pair_mask: "f32" },
    run(params, { z }, given, golden) {
      const features = templateFeaturesOf(given);
      const options = { pairMask: given.pair_mask };
      const updated = addTemplatePairs(params, z, features, templatesOf(golden).templates, options);
      return {
        template_pair_embedding: subtract(updated, z),
        template_single_embedding: templateRows(params.templateSingleEmbedder!, features).rows,
      };
    },
  }),
  moduleFamily({
    prefix: "build_extra_msa_feat",
    source: FEATURES,
    constants: { extra_msa: "i32", extra_has_deletion: "f32", extra_deletion_value: "f32" },
    run: (_, __, { extra_msa, extra_has_deletion, extra_deletion_value }) => ({
      extra_msa_feat: extraMsaFeatures({
        extraMsa: extra_msa,
        extraHasDeletion: extra_has_deletion,
        extraDeletionValue: extra_deletion_value,
      }),
    }),
  }),
  moduleFamily({
    prefix: "build_template_angle_feat",
    source: FEATURES,
    constants: ANGLE_CONSTANTS,
    run: (_, __, given) => ({ template_angle_feat: templateAngleFeatures(templateFeaturesOf(given)) }),
  }),
  moduleFamily({
    prefix: "build_template_pair_feat",
    source: FEATURES,
    constants: TEMPLATE_CONSTANTS,
    batched: false, // templates stand side by side in the batch
    run(_, __, given, golden) {
      const { templates } = templatesOf(golden);
      const params = identity(given.template_aatype.device, templatePairFeatures(templates));
      const features = templateFeaturesOf(given);
      return { template_pair_feat: embedTemplatePairs(params, features, templates, golden.number("eps")) };
    },
  }),
];
