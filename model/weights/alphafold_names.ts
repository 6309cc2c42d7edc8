/**
 * Parameters of AlphaFold's published files (`params_model_1.npz`, `params_model_1_multimer_v3.npz` …) under OpenFold's
 * names.
 *
 * Arrays of a stack of blocks have the blocks on their first axis. A matrix is `[in, out]` where OpenFold's is `[out, in]`,
 * and axes of heads and channels stand apart.
 *
 * Source: AlphaFold, `alphafold/model/modules.py` and `folding.py` (names of Haiku modules); OpenFold,
 * `openfold/utils/import_weights.py`.
 */

/** How an array's axes become those of a state dict's tensor. */
export type ArrayLayout =
  /** The same, but for axes that stand apart. */
  | "same"
  /** `[in, ...out]` becomes `[out, in]`. */
  | "in first"
  /** `[...in, out]` becomes `[out, in]`. */
  | "out last"
  /** `[out]` becomes `[out, 1]`. */
  | "column";

/**
 * Which networks' arrays: those for single chains, those for complexes, and the third version of these, whose triangle
 * multiplications have maps of both edges together.
 */
export type AlphafoldNaming = "monomer" | "multimer" | "multimer v3";

/** An array of AlphaFold's and the parameters it holds. */
export interface AlphafoldArray {
  /** Its name, `alphafold/alphafold_iteration/…//weights`. */
  readonly name: string;
  /** OpenFold's name; `*` stands for the index of the block where the array holds a stack. */
  readonly parameter: string;
  /** Whether its first axis counts blocks. */
  readonly stacked: boolean;
  /** How its other axes become the parameter's. */
  readonly layout: ArrayLayout;
  /** Whether the halves of the parameter's first axis stand the other way round in the array. */
  readonly swapped: boolean;
}

const ROOT = "alphafold/alphafold_iteration";

/** Parameters of one module: names of a state dict's ending, of an array's, the layout, and whether halves are swapped. */
type Rows = readonly (readonly [parameter: string, array: string, layout: ArrayLayout, swapped?: true])[];

const linear = (parameter: string, array: string): Rows => [
  [`${parameter}.weight`, `${array}//weights`, "in first"],
  [`${parameter}.bias`, `${array}//bias`, "same"],
];

const norm = (parameter: string, array: string): Rows => [
  [`${parameter}.weight`, `${array}//scale`, "same"],
  [`${parameter}.bias`, `${array}//offset`, "same"],
];

const attention = (parameter: string, array: string): Rows => [
  [`${parameter}.linear_q.weight`, `${array}//query_w`, "in first"],
  [`${parameter}.linear_k.weight`, `${array}//key_w`, "in first"],
  [`${parameter}.linear_v.weight`, `${array}//value_w`, "in first"],
  [`${parameter}.linear_o.weight`, `${array}//output_w`, "out last"],
  [`${parameter}.linear_o.bias`, `${array}//output_b`, "same"],
  [`${parameter}.linear_g.weight`, `${array}//gating_w`, "in first"],
  [`${parameter}.linear_g.bias`, `${array}//gating_b`, "same"],
];

const transition = (name: string): Rows => [
  ...norm(`${name}.layer_norm`, `${name}/input_layer_norm`),
  ...linear(`${name}.linear_1`, `${name}/transition1`),
  ...linear(`${name}.linear_2`, `${name}/transition2`),
];

/** The edges change places between the two forms: AlphaFold calls left what multiplies first. */
const triangleMultiplication = (parameter: string, array: string, [left, right]: string): Rows => [
  ...norm(`${parameter}.layer_norm_in`, `${array}/layer_norm_input`),
  ...linear(`${parameter}.linear_${left}_p`, `${array}/left_projection`),
  ...linear(`${parameter}.linear_${right}_p`, `${array}/right_projection`),
  ...linear(`${parameter}.linear_${left}_g`, `${array}/left_gate`),
  ...linear(`${parameter}.linear_${right}_g`, `${array}/right_gate`),
  ...norm(`${parameter}.layer_norm_out`, `${array}/center_layer_norm`),
  ...linear(`${parameter}.linear_z`, `${array}/output_projection`),
  ...linear(`${parameter}.linear_g`, `${array}/gating_linear`),
];

/** Both edges together: one map of values, one of gates. */
const fusedTriangleMultiplication = (parameter: string, array: string, [left]: string): Rows => {
  const swapped = (rows: Rows): Rows =>
    left === "a" ? rows : rows.map(([name, of, layout]) => [name, of, layout, true]);
  return [
    ...norm(`${parameter}.layer_norm_in`, `${array}/left_norm_input`),
    ...swapped(linear(`${parameter}.linear_ab_p`, `${array}/projection`)),
    ...swapped(linear(`${parameter}.linear_ab_g`, `${array}/gate`)),
    ...norm(`${parameter}.layer_norm_out`, `${array}/center_norm`),
    ...linear(`${parameter}.linear_z`, `${array}/output_projection`),
    ...linear(`${parameter}.linear_g`, `${array}/gating_linear`),
  ];
};

const triangleAttention = (parameter: string, array: string): Rows => [
  ...norm(`${parameter}.layer_norm`, `${array}/query_norm`),
  [`${parameter}.linear.weight`, `${array}//feat_2d_weights`, "in first"],
  ...attention(`${parameter}.mha`, `${array}/attention`),
];

const pairStack = (multiplication: typeof triangleMultiplication): Rows => [
  ...multiplication("tri_mul_out", "triangle_multiplication_outgoing", "ab"),
  ...multiplication("tri_mul_in", "triangle_multiplication_incoming", "ba"),
  ...triangleAttention("tri_att_start", "triangle_attention_starting_node"),
  ...triangleAttention("tri_att_end", "triangle_attention_ending_node"),
  ...transition("pair_transition"),
];

const OUTER_PRODUCT_MEAN: Rows = [
  ...norm("outer_product_mean.layer_norm", "outer_product_mean/layer_norm_input"),
  ...linear("outer_product_mean.linear_1", "outer_product_mean/left_projection"),
  ...linear("outer_product_mean.linear_2", "outer_product_mean/right_projection"),
  ["outer_product_mean.linear_out.weight", "outer_product_mean//output_w", "out last"],
  ["outer_product_mean.linear_out.bias", "outer_product_mean//output_b", "same"],
];

const ROW_ATTENTION: Rows = [
  ...norm("msa_att_row.layer_norm_m", "msa_row_attention_with_pair_bias/query_norm"),
  ...norm("msa_att_row.layer_norm_z", "msa_row_attention_with_pair_bias/feat_2d_norm"),
  ["msa_att_row.linear_z.weight", "msa_row_attention_with_pair_bias//feat_2d_weights", "in first"],
  ...attention("msa_att_row.mha", "msa_row_attention_with_pair_bias/attention"),
];

const COLUMN_ATTENTION: Rows = [
  ...norm("msa_att_col._msa_att.layer_norm_m", "msa_column_attention/query_norm"),
  ...attention("msa_att_col._msa_att.mha", "msa_column_attention/attention"),
];

const GLOBAL_COLUMN_ATTENTION: Rows = [
  ...norm("msa_att_col.layer_norm_m", "msa_column_global_attention/query_norm"),
  ...attention("msa_att_col.global_attention", "msa_column_global_attention/attention"),
];

const TEMPLATES = "evoformer/template_embedding";
const TEMPLATE = `${TEMPLATES}/single_template_embedding`;
const FOLD = "structure_module/fold_iteration";
const POINTS = `${FOLD}/invariant_point_attention`;

/** `name`, `name_1`, `name_2` …: how Haiku tells modules of one name apart. */
const nth = (name: string, n: number) => (n === 0 ? name : `${name}_${n}`);

/** Residual blocks of the angles that names are known for; published networks have 2. */
const ANGLE_BLOCKS = 8;

/** What all networks have once, but for the embedder of templates. */
const SINGLE: Rows = [
  ...linear("input_embedder.linear_tf_m", "evoformer/preprocess_1d"),
  ...linear("input_embedder.linear_msa_m", "evoformer/preprocess_msa"),
  ...linear("input_embedder.linear_tf_z_i", "evoformer/left_single"),
  ...linear("input_embedder.linear_tf_z_j", "evoformer/right_single"),
  ...linear("recycling_embedder.linear", "evoformer/prev_pos_linear"),
  ...norm("recycling_embedder.layer_norm_m", "evoformer/prev_msa_first_row_norm"),
  ...norm("recycling_embedder.layer_norm_z", "evoformer/prev_pair_norm"),
  ...norm("template_embedder.template_pair_stack.layer_norm", `${TEMPLATE}/output_layer_norm`),
  ...linear("extra_msa_embedder.linear", "evoformer/extra_msa_activations"),
  ...linear("evoformer.linear", "evoformer/single_activations"),
  ...norm("structure_module.layer_norm_s", "structure_module/single_layer_norm"),
  ...norm("structure_module.layer_norm_z", "structure_module/pair_layer_norm"),
  ...linear("structure_module.linear_in", "structure_module/initial_projection"),
  ["structure_module.ipa.head_weights", `${POINTS}//trainable_point_weights`, "same"],
  ...linear("structure_module.ipa.linear_b", `${POINTS}/attention_2d`),
  ...linear("structure_module.ipa.linear_out", `${POINTS}/output_projection`),
  ...norm("structure_module.layer_norm_ipa", `${FOLD}/attention_layer_norm`),
  ...[0, 1, 2].flatMap((i) =>
    linear(`structure_module.transition.layers.0.linear_${i + 1}`, `${FOLD}/${nth("transition", i)}`)
  ),
  ...norm("structure_module.transition.layer_norm", `${FOLD}/transition_layer_norm`),
  ...linear("structure_module.angle_resnet.linear_in", `${FOLD}/rigid_sidechain/input_projection`),
  ...linear("structure_module.angle_resnet.linear_initial", `${FOLD}/rigid_sidechain/input_projection_1`),
  ...Array.from({ length: ANGLE_BLOCKS }, (_, i) => [
    ...linear(`structure_module.angle_resnet.layers.${i}.linear_1`, `${FOLD}/rigid_sidechain/${nth("resblock1", i)}`),
    ...linear(`structure_module.angle_resnet.layers.${i}.linear_2`, `${FOLD}/rigid_sidechain/${nth("resblock2", i)}`),
  ]).flat(),
  ...linear("structure_module.angle_resnet.linear_out", `${FOLD}/rigid_sidechain/unnormalized_angles`),
  ...norm("aux_heads.plddt.layer_norm", "predicted_lddt_head/input_layer_norm"),
  ...linear("aux_heads.plddt.linear_1", "predicted_lddt_head/act_0"),
  ...linear("aux_heads.plddt.linear_2", "predicted_lddt_head/act_1"),
  ...linear("aux_heads.plddt.linear_3", "predicted_lddt_head/logits"),
  ...linear("aux_heads.distogram.linear", "distogram_head/half_logits"),
  ...linear("aux_heads.masked_msa.linear", "masked_msa_head/logits"),
  ...linear("aux_heads.experimentally_resolved.linear", "experimentally_resolved_head/logits"),
  ...linear("aux_heads.tm.linear", "predicted_aligned_error_head/logits"),
];

/** What networks for single chains have, and those for complexes have otherwise. */
const OF_MONOMERS: Rows = [
  ...linear("input_embedder.linear_relpos", "evoformer/pair_activiations"), // so spelled in the files
  ...linear("template_embedder.template_single_embedder.linear_1", "evoformer/template_single_embedding"),
  ...linear("template_embedder.template_single_embedder.linear_2", "evoformer/template_projection"),
  ...linear("template_embedder.template_pair_embedder.linear", `${TEMPLATE}/embedding2d`),
  ...attention("template_embedder.template_pointwise_att.mha", `${TEMPLATES}/attention`).slice(0, 5),
  ...linear("structure_module.ipa.linear_q", `${POINTS}/q_scalar`),
  ...linear("structure_module.ipa.linear_kv", `${POINTS}/kv_scalar`),
  ...linear("structure_module.ipa.linear_q_points.linear", `${POINTS}/q_point_local`),
  ...linear("structure_module.ipa.linear_kv_points.linear", `${POINTS}/kv_point_local`),
  ...linear("structure_module.bb_update.linear", `${FOLD}/affine_update`),
];

const PAIR_EMBEDDER = "template_embedder.template_pair_embedder";

/** A map of one number, whose weight is a vector in the files. */
const ofOne = (parameter: string, array: string): Rows => [
  [`${parameter}.weight`, `${array}//weights`, "column"],
  [`${parameter}.bias`, `${array}//bias`, "same"],
];

const OF_COMPLEXES: Rows = [
  ...linear("input_embedder.linear_relpos", "evoformer/~_relative_encoding/position_activations"),
  ...linear(
    "template_embedder.template_single_embedder.template_single_embedder",
    "evoformer/template_single_embedding",
  ),
  ...linear("template_embedder.template_single_embedder.template_projector", "evoformer/template_projection"),
  ...linear(`${PAIR_EMBEDDER}.dgram_linear`, `${TEMPLATE}/template_pair_embedding_0`),
  ...ofOne(`${PAIR_EMBEDDER}.pseudo_beta_mask_linear`, `${TEMPLATE}/template_pair_embedding_1`),
  ...linear(`${PAIR_EMBEDDER}.aatype_linear_1`, `${TEMPLATE}/template_pair_embedding_2`),
  ...linear(`${PAIR_EMBEDDER}.aatype_linear_2`, `${TEMPLATE}/template_pair_embedding_3`),
  ...ofOne(`${PAIR_EMBEDDER}.x_linear`, `${TEMPLATE}/template_pair_embedding_4`),
  ...ofOne(`${PAIR_EMBEDDER}.y_linear`, `${TEMPLATE}/template_pair_embedding_5`),
  ...ofOne(`${PAIR_EMBEDDER}.z_linear`, `${TEMPLATE}/template_pair_embedding_6`),
  ...ofOne(`${PAIR_EMBEDDER}.backbone_mask_linear`, `${TEMPLATE}/template_pair_embedding_7`),
  ...norm(`${PAIR_EMBEDDER}.query_embedding_layer_norm`, `${TEMPLATE}/query_embedding_norm`),
  ...linear(`${PAIR_EMBEDDER}.query_embedding_linear`, `${TEMPLATE}/template_pair_embedding_8`),
  ...linear("template_embedder.linear_t", `${TEMPLATES}/output_linear`),
  ...["q", "k", "v"].flatMap((part): Rows => [
    [`structure_module.ipa.linear_${part}.weight`, `${POINTS}/${part}_scalar_projection//weights`, "in first"],
    ...linear(
      `structure_module.ipa.linear_${part}_points.linear`,
      `${POINTS}/${part}_point_projection/point_projection`,
    ),
  ]),
  ...linear("structure_module.bb_update.linear", `${FOLD}/quat_rigid/rigid`),
];

const stacksOf = (naming: AlphafoldNaming): readonly (readonly [parameter: string, array: string, rows: Rows])[] => {
  const pairs = pairStack(naming === "multimer v3" ? fusedTriangleMultiplication : triangleMultiplication);
  const inPairStack = pairs.map(([parameter, ...rest]) => [`pair_stack.${parameter}`, ...rest] as const);
  const shared = [...ROW_ATTENTION, ...transition("msa_transition"), ...OUTER_PRODUCT_MEAN, ...inPairStack];
  const ofTemplates = naming === "monomer"
    ? "template_pair_stack/__layer_stack_no_state"
    : "template_embedding_iteration";
  return [
    ["extra_msa_stack.blocks.*", "evoformer/extra_msa_stack", [...shared, ...GLOBAL_COLUMN_ATTENTION]],
    ["evoformer.blocks.*", "evoformer/evoformer_iteration", [...shared, ...COLUMN_ATTENTION]],
    ["template_embedder.template_pair_stack.blocks.*", `${TEMPLATE}/${ofTemplates}`, pairs],
  ];
};

/** `module//name` in a module without a name of its own: the slashes follow the module's path at once. */
const join = (module: string, array: string) => `${ROOT}/${module}/${array}`.replace(/\/\/\//, "//");

function tableOf(naming: AlphafoldNaming) {
  const row = (stacked: boolean, [parameter, name, layout, swapped]: Rows[number]): AlphafoldArray => ({
    ...{ name, parameter, stacked, layout, swapped: swapped === true },
  });
  const arrays: readonly AlphafoldArray[] = [
    ...[...SINGLE, ...(naming === "monomer" ? OF_MONOMERS : OF_COMPLEXES)].map(([parameter, array, layout]) =>
      row(false, [parameter, `${ROOT}/${array}`, layout])
    ),
    ...stacksOf(naming).flatMap(([stack, module, rows]) =>
      rows.map(([parameter, array, ...rest]) => row(true, [`${stack}.${parameter}`, join(module, array), ...rest]))
    ),
  ];
  return {
    arrays,
    byName: new Map(arrays.map((array) => [array.name, array])),
    byParameter: new Map(arrays.map((array) => [array.parameter, array])),
  };
}

const TABLES = new Map<AlphafoldNaming, ReturnType<typeof tableOf>>();

function table(naming: AlphafoldNaming) {
  const made = TABLES.get(naming) ?? tableOf(naming);
  TABLES.set(naming, made);
  return made;
}

/** All arrays that AlphaFold's networks of a kind can have. */
export function alphafoldArrays(naming: AlphafoldNaming = "monomer"): readonly AlphafoldArray[] {
  return table(naming).arrays;
}

/** Which networks' arrays these are, by their names. */
export function namingOfArrays(names: Iterable<string>): AlphafoldNaming {
  let complexes = false, fused = false;
  for (const name of names) {
    complexes ||= name.includes("/~_relative_encoding/") || name.includes("/quat_rigid/");
    fused ||= name.endsWith("/projection//weights");
  }
  return fused ? "multimer v3" : complexes ? "multimer" : "monomer";
}

/** Which networks' parameters these are, by OpenFold's names. */
export function namingOfParameters(names: Iterable<string>): AlphafoldNaming {
  let complexes = false, fused = false;
  for (const name of names) {
    complexes ||= name === "structure_module.ipa.linear_k.weight" || name === "template_embedder.linear_t.weight";
    fused ||= name.endsWith(".linear_ab_p.weight");
  }
  return fused ? "multimer v3" : complexes ? "multimer" : "monomer";
}

/** The array of a name; undefined where no network of the kind has it. */
export function alphafoldArray(name: string, naming: AlphafoldNaming = "monomer"): AlphafoldArray | undefined {
  return table(naming).byName.get(name);
}

/**
 * The array in which a parameter is, and the block it is of.
 *
 * @param parameter OpenFold's current name.
 * @returns undefined where AlphaFold's files have no such parameter.
 */
export function arrayOf(
  parameter: string,
  naming: AlphafoldNaming = "monomer",
): { readonly array: AlphafoldArray; readonly block: number } | undefined {
  const { byParameter } = table(naming);
  const single = byParameter.get(parameter);
  if (single) return { array: single, block: 0 };
  const index = /\.blocks\.(\d+)\./.exec(parameter);
  const array = index && byParameter.get(parameter.replace(/\.blocks\.\d+\./, ".blocks.*."));
  return array ? { array, block: Number(index[1]) } : undefined;
}

/** OpenFold's name of what an array holds for a block. */
export function parameterOf({ parameter }: AlphafoldArray, block: number): string {
  return parameter.replace("*", String(block));
}

/** Shape of the parameter in an array's block, by the shape of that. */
export function parameterShape(layout: ArrayLayout, shape: readonly number[]): readonly number[] {
  const product = (sizes: readonly number[]) => sizes.reduce((sum, size) => sum * size, 1);
  if (layout === "in first") return [product(shape.slice(1)), shape[0]];
  if (layout === "out last") return [shape.at(-1)!, product(shape.slice(0, -1))];
  if (layout === "column") return [product(shape), 1];
  return [product(shape)];
}
