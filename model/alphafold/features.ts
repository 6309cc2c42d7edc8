import type { Tensor } from "../../core/mod.ts";
import { checkShape } from "../layers/check_shape.ts";
import { ATOM_SLOTS } from "../protein/residues.ts";
import type { AlphaFoldConfig } from "./config.ts";
import type { ChainIds } from "../multimer/relative_encoding.ts";
import type { ExtraMsa } from "./embedders/extra_msa_embedder.ts";
import type { TemplateFeatures } from "./templates/template_features.ts";

/** What the network reads in an iteration; on the device, batch first. Masks may be left out where nothing is padding. */
export type AlphaFoldFeatures = {
  /** Residue types, i32 `[batch, N_res]`, 0 … 20. */
  readonly aatype: Tensor;
  /** Numbers of the residues along their chain, i32 `[batch, N_res]`; in each chain of a complex from 0. */
  readonly residueIndex: Tensor;
  /** `[batch, N_res, 22]`, or 21 channels in a complex. */
  readonly targetFeat: Tensor;
  /** 1 for residues, 0 for padding: `[batch, N_res]`. */
  readonly seqMask?: Tensor;
  /** `[batch, N_seq, N_res, 49]` */
  readonly msaFeat: Tensor;
  /** `[batch, N_seq, N_res]` */
  readonly msaMask?: Tensor;
  /** Rows of the extra stack; absent for a network without it. */
  readonly extraMsa?: ExtraMsa & {
    /** `[batch, N_extra, N_res]` */
    readonly mask?: Tensor;
  };
  /** Absent where there are none. */
  readonly templates?: TemplateFeatures;
  /** Atom14 slot of each of the 37 atoms, i32 `[batch, N_res, 37]`. */
  readonly residxAtom37ToAtom14: Tensor;
  /** 1 where the residue type has the atom, `[batch, N_res, 37]`. */
  readonly atom37AtomExists: Tensor;
  /**
   * Which chain a residue is of, which sequence that chain has, and which of the chains with that sequence it is: i32
   * `[batch, N_res]`; networks for complexes need them, others do not read them.
   */
  readonly asymId?: Tensor;
  readonly entityId?: Tensor;
  readonly symId?: Tensor;
};

/** @throws {TypeError} If shapes do not fit together, or to the network. */
export function checkFeatures(features: AlphaFoldFeatures, { embedders, extraMsa, multimer }: AlphaFoldConfig): void {
  const of = "alphafold";
  const check = (name: string, tensor: Tensor | undefined, shape: readonly (number | string)[], kind?: "i32") => {
    if (tensor) checkShape(of, name, tensor, shape, kind);
  };
  check("msaFeat", features.msaFeat, ["batch", "N_seq", "N_res", embedders.msaChannels]);
  const [batch, nSeq, nRes] = features.msaFeat.shape;
  const residues = [batch, nRes];
  check("aatype", features.aatype, residues, "i32");
  check("residueIndex", features.residueIndex, residues, "i32");
  check("targetFeat", features.targetFeat, [...residues, embedders.targetChannels]);
  check("seqMask", features.seqMask, residues);
  check("msaMask", features.msaMask, [batch, nSeq, nRes]);
  check("residxAtom37ToAtom14", features.residxAtom37ToAtom14, [...residues, ATOM_SLOTS], "i32");
  check("atom37AtomExists", features.atom37AtomExists, [...residues, ATOM_SLOTS]);
  for (const name of ["asymId", "entityId", "symId"] as const) check(name, features[name], residues, "i32");
  if (multimer) chainIdsOf(features);
  if (extraMsa && !features.extraMsa) {
    throw new TypeError("Cannot run alphafold: this network has an extra-MSA stack, the features have no extraMsa");
  }
  if (!features.extraMsa) return;
  const { mask, extraMsa: letters } = features.extraMsa;
  check("extraMsa.extraMsa", letters, [batch, "N_extra", nRes], "i32");
  check("extraMsa.mask", mask, letters.shape);
}

/**
 * The chains of a complex.
 *
 * @throws {TypeError} If the features do not tell them.
 */
export function chainIdsOf({ asymId, entityId, symId }: AlphaFoldFeatures): ChainIds {
  if (asymId && entityId && symId) return { asymId, entityId, symId };
  const missing = Object.entries({ asymId, entityId, symId }).filter(([, tensor]) => !tensor).map(([name]) => name);
  throw new TypeError(
    `Cannot run alphafold: this network is for complexes, the features have no ${missing.join(", ")}`,
  );
}
