import type { Device, Tensor } from "../../../core/mod.ts";
import { alphafoldConfig } from "../../../model/alphafold/config.ts";
import {
  embedMsa,
  embedPairs,
  type ExtraMsaEmbedderParams,
  extraMsaEmbedderShapes,
  type InputEmbedderParams,
  inputEmbedderShapes,
} from "../../../model/alphafold/embedders/mod.ts";
import {
  templatePairStack,
  type TemplatePairStackParams,
  templatePairStackShapes,
} from "../../../model/alphafold/templates/mod.ts";
import { atomOf, backboneMask } from "../../../model/alphafold/templates/template_features.ts";
import {
  addMultimerTemplatePairs,
  embedMultimerTemplatePairs,
  embedMultimerTemplateRows,
  type MultimerTemplateEmbedderParams,
  multimerTemplateEmbedderShapes,
  multimerTemplateFeatures,
  type MultimerTemplatePairEmbedderParams,
  multimerTemplatePairEmbedderShapes,
  multimerTemplateRows,
  type MultimerTemplateSingleEmbedderParams,
  multimerTemplateSingleEmbedderShapes,
  relativeEncoding,
  templateGeometry,
} from "../../../model/multimer/mod.ts";
import { SLOT } from "../../../model/protein/residues.ts";
import {
  atan2,
  broadcastTo,
  concat,
  distanceClasses,
  framesFromThreePoints,
  linear,
  multiply,
  oneHot,
  pairEmbedding,
  reshape,
  slice,
  subtract,
} from "../../../ops/mod.ts";
import type { Family } from "../family.ts";
import { type Golden, recordOf } from "../golden.ts";
import { templateChoices, templateFeaturesOf, templateTensors } from "./_alphafold.ts";
import { rotationsOf } from "./_frames.ts";
import { moduleFamily, type Tensors } from "./_module.ts";

const EMBEDDERS = /^openfold\/model\/(embedders|template)\.py/;

const CHAINS = { residue_index: "i32", asym_id: "i32", entity_id: "i32", sym_id: "i32" } as const;

const chainsOf = (given: Tensors) => ({ asymId: given.asym_id, entityId: given.entity_id, symId: given.sym_id });

/** A network for complexes with the templates of a case. */
function configOf(golden: Golden, cM = 8, cZ = 8) {
  const config = alphafoldConfig("model_1_multimer_v3", { cM, cZ, templates: templateChoices(golden.config) });
  return { config, templates: config.templates! };
}

/** Features of a case's templates. */
function templatesOf(device: Device, golden: Golden) {
  const [T, n] = golden.shape("in/template_aatype");
  const arrays = Object.fromEntries(
    golden.names("in/template_").map((name) => [`template_${name}`, golden.data(`in/template_${name}`)]),
  );
  return templateFeaturesOf(templateTensors(device, arrays, [T, n]));
}

const TEMPLATES = { template_aatype: "i32" } as const;

/** Templates that stand side by side in the batch, `[T, …]` of `[1, T, …]`. */
const sideBySide = (x: Tensor) => reshape(x, x.shape.slice(1));

/** AlphaFold-Multimer's embedders as OpenFold computes them. */
export const MULTIMER_EMBEDDERS: readonly Family[] = [
  moduleFamily<InputEmbedderParams>({
    prefix: "input_embedder_multimer",
    source: EMBEDDERS,
    complexes: true,
    shapes: (golden) =>
      inputEmbedderShapes(alphafoldConfig("model_1_multimer_v3", {
        cM: golden.number("c_m"),
        cZ: golden.number("c_z"),
        multimer: { maxRelativeChain: golden.number("max_relative_chain") },
        embedders: {
          targetChannels: golden.number("tf_dim"),
          msaChannels: golden.number("msa_dim"),
          maxRelativePosition: golden.number("max_relative_idx"),
        },
      })),
    inputs: ["target_feat", "msa_feat"],
    constants: CHAINS,
    run(params, { target_feat: targetFeat, msa_feat }, given, golden) {
      const maxRelativeChain = golden.number("max_relative_chain");
      const [residueIndex, chains] = [given.residue_index, chainsOf(given)];
      const relative = relativeEncoding(params.linearRelpos.weight, residueIndex, chains, {
        residues: golden.number("max_relative_idx"),
        copies: maxRelativeChain,
      });
      return {
        m: embedMsa(params, targetFeat, msa_feat),
        z: embedPairs(params, { targetFeat, residueIndex, chains, maxRelativeChain }),
        relpos: pairEmbedding({ ...relative, bias: params.linearRelpos.bias }),
      };
    },
  }),
  moduleFamily({
    prefix: "relative_encoding_features",
    source: EMBEDDERS,
    complexes: true,
    constants: CHAINS,
    run(_, __, given, golden) {
      const most = { residues: golden.number("max_relative_idx"), copies: golden.number("max_relative_chain") };
      const n = golden.shape("out/rel_feat").at(-1)!;
      const { device } = given.residue_index;
      const identity = Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
      const relative = relativeEncoding(device.tensor(identity, [n, n]), given.residue_index, chainsOf(given), most);
      return { rel_feat: pairEmbedding(relative) };
    },
  }),
  moduleFamily<ExtraMsaEmbedderParams>({
    prefix: "extra_msa_embedder_multimer",
    source: /build_extra_msa_feat/,
    complexes: true,
    shapes: (golden) => extraMsaEmbedderShapes(golden.number("c_out"), golden.number("c_in")),
    constants: { extra_msa: "i32" },
    run(params, _, { extra_msa }, golden) {
      const { device, shape } = extra_msa;
      const deletions = golden.data("in/extra_deletion_matrix");
      const column = (of: (count: number) => number) => device.tensor(deletions.map(of), [...shape, 1]);
      const has = column((count) => Math.min(count, 1));
      const value = column((count) => Math.atan(count / 3) * 2 / Math.PI);
      const features = concat([oneHot(extra_msa, 23), has, value], -1);
      return { extra_msa_feat: features, a: linear(features, params.linear) };
    },
  }),
  moduleFamily({
    prefix: "template_geometry",
    source: /^openfold\/utils\/all_atom_multimer\.py/,
    complexes: true,
    constants: TEMPLATES,
    run(_, __, { template_aatype: { device } }, golden) {
      const { templates } = configOf(golden);
      const config = { ...templates, bins: golden.number("no_bins") };
      const all = templatesOf(device, golden);
      const { allAtomPositions, allAtomMask, pseudoBeta, pseudoBetaMask, aatype } = all;
      const [T, n] = golden.shape("in/template_aatype");
      const own = {
        ...{ allAtomPositions: sideBySide(allAtomPositions), allAtomMask: sideBySide(allAtomMask) },
        ...{ pseudoBeta: sideBySide(pseudoBeta), pseudoBetaMask: sideBySide(pseudoBetaMask) },
        aatype: sideBySide(aatype),
      };
      const [N, CA, C] = [SLOT.N, SLOT.CA, SLOT.C].map((slot) => atomOf(own, slot));
      const bounds = Array.from(
        { length: config.bins },
        (_, k) => config.minBin + (config.maxBin - config.minBin) * k / (config.bins - 1),
      );
      const classes = oneHot(distanceClasses(own.pseudoBeta, { bounds, end: Math.sqrt(1e5) }), config.bins + 1);
      const oneChain = device.tensor(new Int32Array(T * n), [T, n], "i32");
      const { directions } = templateGeometry(own, oneChain, config);
      const { torsionAnglesSinCos: torsions, torsionAnglesMask: torsionMask } = all;
      const part = (k: number) => reshape(slice(torsions, [0, 0, 0, 3, k], [1, T, n, 7, k + 1]), [T, n, 4]);
      const frames = framesFromThreePoints(N, CA, C, { eps: 1e-12 });
      return {
        pseudo_beta: own.pseudoBeta,
        pseudo_beta_mask: own.pseudoBetaMask,
        dgram: slice(classes, [0, 0, 0, 1], [T, n, n, config.bins + 1]),
        backbone_rotation: rotationsOf(frames),
        backbone_translation: CA,
        backbone_mask: backboneMask(own),
        unit_vector: slice(directions, [0, 0, 0, 0], [T, n, n, 3]),
        chi_angles: atan2(part(0), part(1)),
        chi_mask: reshape(slice(torsionMask, [0, 0, 0, 3], [1, T, n, 7]), [T, n, 4]),
      };
    },
  }),
  moduleFamily<MultimerTemplatePairEmbedderParams>({
    prefix: "template_pair_embedder_multimer",
    source: EMBEDDERS,
    complexes: true,
    shapes: (golden) => {
      const { templates } = configOf(golden);
      const sizes = { cT: golden.number("c_out"), bins: golden.number("c_dgram") };
      return multimerTemplatePairEmbedderShapes({ ...templates, ...sizes }, golden.number("c_in"));
    },
    inputs: ["query_embedding", "unit_vector"],
    constants: { backbone_mask: "f32", multichain_mask_2d: "f32" },
    run(params, { query_embedding: z, unit_vector }, { backbone_mask, multichain_mask_2d }, golden) {
      const { device, shape: [, n] } = z;
      const bins = golden.number("c_dgram"), classesOfType = golden.number("c_aatype");
      const first = (numbers: ArrayLike<number>, at: number, count: number) =>
        Array.from({ length: count }, (_, k) => numbers[at * count + k]).indexOf(1);
      const dgram = golden.data("in/template_dgram"), oneHots = golden.data("in/aatype_one_hot");
      const known = golden.data("in/pseudo_beta_mask"), chains = golden.data("in/multichain_mask_2d");
      const classes = Int32Array.from({ length: n * n }, (_, pair) => {
        const [i, j] = [Math.floor(pair / n), pair % n];
        return known[i] * known[j] * chains[pair] === 0 ? 0 : bins + 2 + first(dgram, pair, bins);
      });
      const aatype = Int32Array.from({ length: n }, (_, i) => first(oneHots, i, classesOfType));
      const backbones = multiply(reshape(backbone_mask, [1, n, 1, 1]), reshape(backbone_mask, [1, 1, n, 1]));
      const weights = multiply(backbones, reshape(multichain_mask_2d, [1, n, n, 1]));
      return {
        act: embedMultimerTemplatePairs(params, {
          classes: device.tensor(classes, [1, n, n], "i32"),
          directions: concat([multiply(unit_vector, weights), weights], -1),
          aatype: device.tensor(aatype, [1, n], "i32"),
          z,
        }),
      };
    },
  }),
  moduleFamily<MultimerTemplateSingleEmbedderParams>({
    prefix: "template_single_embedder_multimer",
    source: EMBEDDERS,
    complexes: true,
    shapes: (golden) => multimerTemplateSingleEmbedderShapes(golden.number("c_out")),
    constants: TEMPLATES,
    run(params, _, { template_aatype: { device } }, golden) {
      const { features, mask } = multimerTemplateFeatures(templatesOf(device, golden));
      return { template_single_embedding: embedMultimerTemplateRows(params, features), template_mask: mask };
    },
  }),
  moduleFamily<TemplatePairStackParams>({
    prefix: "template_pair_stack_multimer",
    source: EMBEDDERS,
    complexes: true,
    shapes: (golden) => templatePairStackShapes(configOf(golden).templates),
    inputs: ["t"],
    constants: { pair_mask: "f32" },
    batched: false,
    run(params, { t }, { pair_mask }, golden) {
      const mask = broadcastTo(reshape(pair_mask, [1, ...pair_mask.shape]), t.shape.slice(0, 3)); // the same for all
      return { t: templatePairStack(params, t, configOf(golden).templates, { mask }) };
    },
  }),
  moduleFamily<MultimerTemplateEmbedderParams>({
    prefix: "template_embedder_multimer",
    source: EMBEDDERS,
    complexes: true,
    shapes: (golden) => {
      const cM = recordOf(golden.config.template_single_embedder).c_out as number;
      const { config, templates } = configOf(golden, cM, golden.number("c_z"));
      return multimerTemplateEmbedderShapes(config, templates);
    },
    inputs: ["z"],
    constants: { asym_id: "i32", pair_mask: "f32" },
    run(params, { z }, { asym_id, pair_mask: pairMask }, golden) {
      const features = templatesOf(z.device, golden);
      const updated = addMultimerTemplatePairs(params, z, features, asym_id, configOf(golden).templates, { pairMask });
      const { rows, mask } = multimerTemplateRows(params.templateSingleEmbedder!, features);
      return {
        template_pair_embedding: subtract(updated, z),
        template_single_embedding: rows,
        template_mask: mask,
      };
    },
  }),
];
