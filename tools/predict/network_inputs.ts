/** A target's features on the device, as AlphaFold 2 reads them. */
import type { Device, Tensor } from "../../core/mod.ts";
import type { AlphaFoldFeatures } from "../../model/alphafold/features.ts";
import type { TemplateFeatures as DeviceTemplates } from "../../model/alphafold/templates/mod.ts";
import { makeAtom14Masks } from "../data/features/atom14.ts";
import type { ComplexInputs } from "../data/features/complex/complex_inputs.ts";
import type { NetworkInputs } from "../data/features/network_inputs.ts";
import { takeRows } from "../data/features/_rows.ts";
import type { TemplateFeatures } from "../data/features/template_feats.ts";
import { type FeatureRecord, featureShape, windowFeatures } from "../data/features/window.ts";

/** Sizes up to which a target is filled with padding, which masks keep out of the numbers. */
export interface PaddedSizes {
  readonly residues: number;
  readonly clusters: number;
  readonly extra: number;
  readonly templates: number;
}

/** Residues are padded to a multiple of this, so that targets of a batch share kernels and buffers. */
const RESIDUE_STEP = 16;
const ROW_STEP = 4;
/** Fewest residues: attention over 32 or fewer has kernels of its own, which a batch should not have to compile too. */
const FEWEST_RESIDUES = 48;

/** The sizes to which a target with these is padded: few different ones, little padding. */
export function paddedSizes(sizes: PaddedSizes): PaddedSizes {
  const up = (size: number, step: number) => Math.ceil(size / step) * step;
  return {
    residues: Math.max(FEWEST_RESIDUES, up(sizes.residues, RESIDUE_STEP)),
    clusters: up(sizes.clusters, ROW_STEP),
    extra: Math.max(ROW_STEP, up(sizes.extra, ROW_STEP)),
    templates: sizes.templates,
  };
}

const WHOLE = new Set([
  "aatype",
  "residue_index",
  "extra_msa",
  "true_msa",
  "residx_atom37_to_atom14",
  "template_aatype",
  "asym_id",
  "entity_id",
  "sym_id",
]);

/**
 * Puts the inputs of one iteration on the device.
 *
 * @param templates Those that are there, at most as many as the sizes say; undefined for a network without.
 * @param residueIndex Numbers along the chain that relative positions are told from. @default 0, 1, …
 * @returns Owned by the current scope.
 */
export function deviceFeatures(
  device: Device,
  inputs: NetworkInputs | ComplexInputs,
  templates: TemplateFeatures | undefined,
  padded: PaddedSizes,
  residueIndex: Int32Array = inputs.residue_index,
): AlphaFoldFeatures {
  const residues = inputs.aatype.length;
  const { residx_atom37_to_atom14, atom37_atom_exists } = makeAtom14Masks(inputs.aatype);
  const put = paddedTensors(device, {
    residues,
    clusters: inputs.msa_row_mask.length,
    extra: inputs.extra_msa_row_mask.length,
    templates: templates?.template_mask.length ?? 0,
  }, padded);
  return {
    aatype: put("aatype", inputs.aatype),
    residueIndex: put("residue_index", residueIndex),
    targetFeat: put("row_order" in inputs ? "complex_target_feat" : "target_feat", inputs.target_feat),
    seqMask: put("seq_mask", inputs.seq_mask),
    msaFeat: put("msa_feat", inputs.msa_feat),
    msaMask: put("msa_mask", inputs.msa_mask),
    extraMsa: {
      extraMsa: put("extra_msa", inputs.extra_msa),
      extraHasDeletion: put("extra_has_deletion", inputs.extra_has_deletion),
      extraDeletionValue: put("extra_deletion_value", inputs.extra_deletion_value),
      mask: put("extra_msa_mask", inputs.extra_msa_mask),
    },
    ...(templates && padded.templates > 0 && { templates: deviceTemplates(put, templates) }),
    residxAtom37ToAtom14: put("residx_atom37_to_atom14", residx_atom37_to_atom14),
    atom37AtomExists: put("atom37_atom_exists", atom37_atom_exists),
    ...("row_order" in inputs && {
      asymId: put("asym_id", inputs.asym_id),
      entityId: put("entity_id", inputs.entity_id),
      symId: put("sym_id", inputs.sym_id),
    }),
  };
}

/** Letters of the main stack that were hidden, padded as {@linkcode deviceFeatures} pads; owned by the current scope. */
export function deviceHidden(
  device: Device,
  inputs: NetworkInputs,
  padded: PaddedSizes,
): { readonly trueMsa: Tensor; readonly bertMask: Tensor } {
  const sizes = { residues: inputs.aatype.length, clusters: inputs.msa_row_mask.length, extra: 0, templates: 0 };
  const put = paddedTensors(device, sizes, padded);
  return { trueMsa: put("true_msa", inputs.true_msa), bertMask: put("bert_mask", inputs.bert_mask) };
}

/** Puts an array on the device by its feature's name. */
type Put = (name: string, data: Float32Array | Int32Array) => Tensor;

/** Fills an array with zeros up to the padded sizes and puts it on the device, with a batch axis of 1. */
export function paddedTensors(device: Device, sizes: PaddedSizes, padded: PaddedSizes): Put {
  const windows = Object.fromEntries(Object.entries(padded).map(([axis, size]) => [axis, { start: 0, size }]));
  return (name, data) => {
    const cut = windowFeatures({ [name]: data } as FeatureRecord, { ...sizes }, windows);
    return device.tensor(cut[name], [1, ...featureShape(name, { ...padded })], WHOLE.has(name) ? "i32" : "f32");
  };
}

function deviceTemplates(put: Put, templates: TemplateFeatures): DeviceTemplates {
  return {
    mask: put("template_mask", templates.template_mask),
    aatype: put("template_aatype", templates.template_aatype),
    allAtomPositions: put("template_all_atom_positions", templates.template_all_atom_positions),
    allAtomMask: put("template_all_atom_mask", templates.template_all_atom_mask),
    pseudoBeta: put("template_pseudo_beta", templates.template_pseudo_beta),
    pseudoBetaMask: put("template_pseudo_beta_mask", templates.template_pseudo_beta_mask),
    torsionAnglesSinCos: put("template_torsion_angles_sin_cos", templates.template_torsion_angles_sin_cos),
    altTorsionAnglesSinCos: put("template_alt_torsion_angles_sin_cos", templates.template_alt_torsion_angles_sin_cos),
    torsionAnglesMask: put("template_torsion_angles_mask", templates.template_torsion_angles_mask),
  };
}

/** The first so many templates. */
export function firstTemplates(templates: TemplateFeatures, count: number): TemplateFeatures {
  const there = templates.template_mask.length;
  if (there <= count) return templates;
  const rows = Array.from({ length: count }, (_, i) => i);
  const cut = <T extends Float32Array | Int32Array>(data: T): T =>
    takeRows(data as Float32Array, data.length / there, rows) as T;
  return {
    template_aatype: cut(templates.template_aatype),
    template_all_atom_positions: cut(templates.template_all_atom_positions),
    template_all_atom_mask: cut(templates.template_all_atom_mask),
    template_mask: cut(templates.template_mask),
    template_pseudo_beta: cut(templates.template_pseudo_beta),
    template_pseudo_beta_mask: cut(templates.template_pseudo_beta_mask),
    template_torsion_angles_sin_cos: cut(templates.template_torsion_angles_sin_cos),
    template_alt_torsion_angles_sin_cos: cut(templates.template_alt_torsion_angles_sin_cos),
    template_torsion_angles_mask: cut(templates.template_torsion_angles_mask),
  };
}
