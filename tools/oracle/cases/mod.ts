import type { Family } from "../family.ts";
import { ALPHAFOLD_EMBEDDERS } from "./alphafold_embedders.ts";
import { ALPHAFOLD_HEADS } from "./alphafold_heads.ts";
import { ALPHAFOLD_LOSSES } from "./alphafold_losses.ts";
import { ALPHAFOLD_INVENTORY } from "./alphafold_inventory.ts";
import { ALPHAFOLD_MODEL } from "./alphafold_model.ts";
import { ALPHAFOLD_STRUCTURE } from "./alphafold_structure.ts";
import { CROSS_TRUNK } from "./distance_geometry.ts";
import { CROSS_TRUNK_MDS } from "./distance_geometry_mds.ts";
import { EQUIVARIANT_EGNN } from "./equivariant_egnn.ts";
import { EQUIVARIANT_LIE } from "./equivariant_lie.ts";
import { EQUIVARIANT_REFINER } from "./equivariant_refiner.ts";
import { EQUIVARIANT_SE3 } from "./equivariant_se3.ts";
import { EVOFORMER } from "./evoformer.ts";
import { EVOFORMER_PRIMITIVES } from "./evoformer_primitives.ts";
import { FINETUNING } from "./finetuning.ts";
import { FINETUNING_HEADS } from "./finetuning_heads.ts";
import { MULTIMER_DATA } from "./multimer_data.ts";
import { MULTIMER_EMBEDDERS } from "./multimer_embedders.ts";
import { MULTIMER_HEADS } from "./multimer_heads.ts";
import { MULTIMER_LOSSES } from "./multimer_losses.ts";
import { MULTIMER_STRUCTURE } from "./multimer_structure.ts";
import { NNX_EVOFORMER } from "./nnx_evoformer.ts";
import { NNX_EVOFORMER_TRAINING } from "./nnx_evoformer_training.ts";
import { OPENFOLD_DATA } from "./openfold_data.ts";
import { TINY_OPENFOLD } from "./tiny_openfold.ts";
import { TINY_OPENFOLD_DATASET } from "./tiny_openfold_dataset.ts";
import { TINY_OPENFOLD_TRAINING } from "./tiny_openfold_training.ts";
import { TINY_OPENFOLD_VARIANTS } from "./tiny_openfold_variants.ts";
import { TRUNK_2021 } from "./trunk2021.ts";
import { TRUNK_2021_TRAINING } from "./trunk2021_training.ts";

/** All families of golden cases that are covered. */
export const FAMILIES: readonly Family[] = [
  ...TINY_OPENFOLD,
  TINY_OPENFOLD_DATASET,
  TINY_OPENFOLD_TRAINING,
  ...TINY_OPENFOLD_VARIANTS,
  ...CROSS_TRUNK,
  ...TRUNK_2021,
  TRUNK_2021_TRAINING,
  ...CROSS_TRUNK_MDS,
  ...EQUIVARIANT_EGNN,
  ...EQUIVARIANT_LIE,
  ...EQUIVARIANT_SE3,
  ...EQUIVARIANT_REFINER,
  ...EVOFORMER,
  ...EVOFORMER_PRIMITIVES,
  ...ALPHAFOLD_EMBEDDERS,
  ...ALPHAFOLD_HEADS,
  ...ALPHAFOLD_LOSSES,
  ALPHAFOLD_INVENTORY,
  ...ALPHAFOLD_MODEL,
  ...ALPHAFOLD_STRUCTURE,
  ...MULTIMER_DATA,
  ...MULTIMER_EMBEDDERS,
  ...MULTIMER_HEADS,
  ...MULTIMER_LOSSES,
  ...MULTIMER_STRUCTURE,
  ...NNX_EVOFORMER,
  NNX_EVOFORMER_TRAINING,
  ...OPENFOLD_DATA,
  ...FINETUNING,
  ...FINETUNING_HEADS,
];
