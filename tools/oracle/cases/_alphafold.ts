import { type Device, type Shape, sizeOf, type Tensor } from "../../../core/mod.ts";
import type { AlphaFoldFeatures } from "../../../model/alphafold/features.ts";
import {
  ALPHAFOLD_PRESETS,
  type AlphaFoldConfig,
  alphafoldConfig,
  type AlphaFoldPreset,
  MULTIMER_PRESETS,
  type TemplateConfig,
  type TemplateFeatures,
} from "../../../model/alphafold/mod.ts";
import type { EvoformerConfig } from "../../../model/evoformer/mod.ts";
import { hashed } from "../../bench/hashed.ts";
import { makeTemplateFeatures } from "../../data/features/template_feats.ts";
import { type Golden, recordOf } from "../golden.ts";
import type { Tensors } from "./_module.ts";

type Json = Readonly<Record<string, unknown>>;

/** What is given, without what is not. */
function given<T extends object>(values: { readonly [K in keyof T]: unknown }): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** The template embedder's configuration from that of one of its parts, or of all. */
export function templateChoices(config: Json): Partial<TemplateConfig> {
  const part = (name: string) => (name in config ? recordOf(config[name]) : config);
  const distogram = part("distogram");
  const stack = part("template_pair_stack"), pointwise = part("template_pointwise_attention");
  return given<TemplateConfig>({
    cT: stack.c_t ?? pointwise.c_t ?? part("template_pair_embedder").c_out,
    minBin: distogram.min_bin,
    maxBin: distogram.max_bin,
    bins: distogram.no_bins,
    embedAngles: config.embed_angles,
    useUnitVector: config.use_unit_vector,
    cHiddenTriAtt: stack.c_hidden_tri_att,
    nHead: stack.no_blocks === undefined ? undefined : stack.no_heads,
    cHiddenTriMul: stack.c_hidden_tri_mul,
    nBlock: stack.no_blocks,
    transitionN: stack.pair_transition_n,
    dropout: stack.dropout_rate,
    attentionFirst: stack.tri_mul_first === undefined ? undefined : stack.tri_mul_first !== true,
    fusedTriangles: stack.fuse_projection_weights,
    cHiddenPointwise: pointwise.c_hidden,
    nHeadPointwise: pointwise.no_heads,
  });
}

function stackChoices(config: Json): Partial<EvoformerConfig> {
  return given<Partial<EvoformerConfig>>({
    cHiddenMsaAtt: config.c_hidden_msa_att,
    cHiddenOpm: config.c_hidden_opm,
    cHiddenMul: config.c_hidden_mul,
    cHiddenPairAtt: config.c_hidden_pair_att,
    nHeadMsa: config.no_heads_msa,
    nHeadPair: config.no_heads_pair,
    nBlock: config.no_blocks,
    transitionN: config.transition_n,
    msaDropout: config.msa_dropout,
    pairDropout: config.pair_dropout,
    columnAttention: config.no_column_attention === undefined ? undefined : config.no_column_attention !== true,
    opmFirst: config.opm_first,
    fusedTriangles: config.fuse_projection_weights,
  });
}

/**
 * A network's configuration from OpenFold's.
 *
 * @throws {RangeError} If there is no such preset.
 */
export function alphafoldConfigOf(preset: string, config: Json): AlphaFoldConfig {
  const part = (...path: string[]) => path.reduce<Json>((node, key) => recordOf(node[key]), config);
  const input = part("input_embedder"), recycling = part("recycling_embedder"), structure = part("structure_module");
  const heads = part("heads"), extra = part("extra_msa", "extra_msa_embedder");
  const number = (value: unknown) => value as number;
  return alphafoldConfig(preset as AlphaFoldPreset, {
    cM: number(input.c_m),
    cZ: number(input.c_z),
    cS: number(part("evoformer_stack").c_s),
    maskTrans: config._mask_trans === true,
    embedders: {
      targetChannels: number(input.tf_dim),
      msaChannels: number(input.msa_dim),
      extraMsaChannels: number(extra.c_in),
      maxRelativePosition: number(input.relpos_k),
    },
    recycling: {
      ...(number(config.recycle_early_stop_tolerance) >= 0 && { // below, it never ends early
        tolerance: number(config.recycle_early_stop_tolerance),
      }),
      minBin: number(recycling.min_bin),
      maxBin: number(recycling.max_bin),
      bins: number(recycling.no_bins),
    },
    templates: templateChoices(part("template")),
    cExtra: number(extra.c_out),
    extraMsa: stackChoices(part("extra_msa", "extra_msa_stack")),
    evoformer: stackChoices(part("evoformer_stack")),
    structure: {
      cIpa: number(structure.c_ipa),
      cResnet: number(structure.c_resnet),
      nHeadIpa: number(structure.no_heads_ipa),
      nQkPoints: number(structure.no_qk_points),
      nVPoints: number(structure.no_v_points),
      nBlock: number(structure.no_blocks),
      nTransition: number(structure.no_transition_layers),
      nResnetBlock: number(structure.no_resnet_blocks),
      dropout: number(structure.dropout_rate),
      transScale: number(structure.trans_scale_factor),
    },
    heads: {
      plddtBins: number(recordOf(heads.lddt).no_bins),
      plddtHidden: number(recordOf(heads.lddt).c_hidden),
      distogramBins: number(recordOf(heads.distogram).no_bins),
      msaClasses: number(recordOf(heads.masked_msa).c_out),
      tmBins: number(recordOf(heads.tm).no_bins),
      tm: recordOf(heads.tm).enabled === true,
    },
    ablations: { templates: part("template").enabled === true },
    multimer: given<{ maxRelativeChain: number }>({ maxRelativeChain: input.max_relative_chain }),
  });
}

/** Whether there is a preset of that name. */
export function isPreset(name: unknown): name is AlphaFoldPreset {
  return [...ALPHAFOLD_PRESETS, ...MULTIMER_PRESETS].some((preset) => preset === name);
}

/** Templates by our names; a batch axis is in front. */
export function templateFeaturesOf(tensors: Tensors): TemplateFeatures {
  return {
    mask: tensors.template_mask,
    aatype: tensors.template_aatype,
    allAtomPositions: tensors.template_all_atom_positions,
    allAtomMask: tensors.template_all_atom_mask,
    pseudoBeta: tensors.template_pseudo_beta,
    pseudoBetaMask: tensors.template_pseudo_beta_mask,
    torsionAnglesSinCos: tensors.template_torsion_angles_sin_cos,
    altTorsionAnglesSinCos: tensors.template_alt_torsion_angles_sin_cos,
    torsionAnglesMask: tensors.template_torsion_angles_mask,
  };
}

/** Names of inputs whose numbers are whole. */
const WHOLE = new Set([
  ...["aatype", "residue_index", "extra_msa", "residx_atom37_to_atom14", "template_aatype"],
  ...["asym_id", "entity_id", "sym_id"],
]);

/** The inputs of an iteration, whose number is their last axis, with a batch axis in front. */
export function inputsOfIteration(device: Device, golden: Golden, iteration: number): Tensors {
  const put = (numbers: Float32Array, name: string, shape: Shape) =>
    device.tensor(numbers, [1, ...shape], WHOLE.has(name) ? "i32" : "f32");
  const tensors: Record<string, Tensor> = {};
  const arrays: Record<string, Float32Array> = {};
  for (const name of golden.names("in/")) {
    const all = golden.shape(`in/${name}`), data = golden.data(`in/${name}`);
    const count = all.at(-1)!, shape = all.slice(0, -1);
    arrays[name] = Float32Array.from({ length: sizeOf(shape) }, (_, i) => data[i * count + iteration]);
    tensors[name] = put(arrays[name], name, shape);
  }
  if (!arrays.asym_id) return tensors;
  // Those of complexes lack what follows from atoms of templates, and from counts of deletions.
  const [, ...deletions] = tensors.extra_deletion_matrix.shape, [, T, n] = tensors.template_aatype.shape;
  Object.assign(tensors, templateTensors(device, arrays, [T, n]));
  const { extra_deletion_matrix: counts } = arrays;
  tensors.extra_has_deletion = put(counts.map((count) => Math.min(count, 1)), "extra_has_deletion", deletions);
  tensors.extra_deletion_value = put(
    counts.map((count) => Math.atan(count / 3) * 2 / Math.PI),
    "extra_deletion_value",
    deletions,
  );
  return tensors;
}

/** Features of templates under the names of the cases, all that follow from their atoms, with a batch axis in front. */
export function templateTensors(
  device: Device,
  arrays: Readonly<Record<string, ArrayLike<number>>>,
  [T, n]: readonly [templates: number, residues: number],
): Tensors {
  const features = makeTemplateFeatures({
    template_aatype: Int32Array.from(arrays.template_aatype),
    template_all_atom_positions: Float32Array.from(arrays.template_all_atom_positions),
    template_all_atom_mask: Float32Array.from(arrays.template_all_atom_mask),
  }, n);
  const shapes: Readonly<Record<keyof typeof features, Shape>> = {
    template_mask: [T],
    template_aatype: [T, n],
    template_all_atom_positions: [T, n, 37, 3],
    template_all_atom_mask: [T, n, 37],
    template_pseudo_beta: [T, n, 3],
    template_pseudo_beta_mask: [T, n],
    template_torsion_angles_sin_cos: [T, n, 7, 2],
    template_alt_torsion_angles_sin_cos: [T, n, 7, 2],
    template_torsion_angles_mask: [T, n, 7],
  };
  return Object.fromEntries(
    Object.entries(features).map(([name, data]) => [
      name,
      device.tensor(data, [1, ...shapes[name as keyof typeof shapes]], WHOLE.has(name) ? "i32" : "f32"),
    ]),
  );
}

/** The inputs of a case that begin with a prefix and have no axis of iterations, with a batch axis in front. */
export function inputsUnder(device: Device, golden: Golden, prefix: string): Tensors {
  return Object.fromEntries(
    golden.names(`in/${prefix}`).map((name): [string, Tensor] => {
      const of = `in/${prefix}${name}`;
      return [name, device.tensor(golden.data(of), [1, ...golden.shape(of)], WHOLE.has(name) ? "i32" : "f32")];
    }),
  );
}

/** Features by our names. */
export function featuresOf(inputs: Tensors): AlphaFoldFeatures {
  return {
    aatype: inputs.aatype,
    residueIndex: inputs.residue_index,
    targetFeat: inputs.target_feat,
    seqMask: inputs.seq_mask,
    msaFeat: inputs.msa_feat,
    msaMask: inputs.msa_mask,
    extraMsa: {
      extraMsa: inputs.extra_msa,
      extraHasDeletion: inputs.extra_has_deletion,
      extraDeletionValue: inputs.extra_deletion_value,
      mask: inputs.extra_msa_mask,
    },
    ...(inputs.template_aatype && { templates: templateFeaturesOf(inputs) }),
    residxAtom37ToAtom14: inputs.residx_atom37_to_atom14,
    atom37AtomExists: inputs.atom37_atom_exists,
    ...(inputs.asym_id && { asymId: inputs.asym_id, entityId: inputs.entity_id, symId: inputs.sym_id }),
  };
}

/** Endings of names of matrices that add to a residual, and are filled half as wide. */
const HALVED = /(linear_o|linear_2|linear_out|linear_z|bb_update\.linear)\.weight$/;

/**
 * A parameter filled by the hash of its name.
 *
 * @param name Its name in OpenFold's state dict.
 * @param salt Put in front of it.
 */
export function hashedAlphaFoldParameter(name: string, shape: Shape, salt: string): Float32Array<ArrayBuffer> {
  const size = sizeOf(shape);
  if (shape.length === 2) {
    const gain = name === "aux_heads.plddt.linear_3.weight" ? 8 : HALVED.test(name) ? 0.5 : 1;
    return hashed(salt + name, size, { std: gain / Math.sqrt(shape[1]) });
  }
  const isScale = name.includes("norm") && name.endsWith("weight");
  return hashed(salt + name, size, { std: 0.1, mean: isScale ? 1 : 0 });
}
