/** What the network's template embedders read. */
import { ATOM_SLOTS } from "../../../model/protein/residues.ts";
import { type AtomInputs, checkAtoms, checkTokens, rowCount } from "./_check.ts";
import { correctMsaRestypes, MSA_CLASSES } from "./msa.ts";
import { typesOfOneHot } from "./msa_feat.ts";
import { makePseudoBeta } from "./pseudo_beta.ts";
import { atom37ToTorsionAngles } from "./torsions.ts";

/** Residues of templates and their atoms. */
export interface TemplateAtoms {
  /** Residue types, 0 … 20, and 21 where the template has no residue, `[N_templ, N_res]`. */
  readonly template_aatype: Int32Array;
  /** Å, `[N_templ, N_res, 37, 3]`. */
  readonly template_all_atom_positions: Float32Array;
  /** `[N_templ, N_res, 37]` */
  readonly template_all_atom_mask: Float32Array;
}

/** What follows from the atoms. */
export interface TemplateFeatures extends TemplateAtoms {
  /** 1 for every template, `[N_templ]`. */
  readonly template_mask: Float32Array;
  /** Å, `[N_templ, N_res, 3]`. */
  readonly template_pseudo_beta: Float32Array;
  /** `[N_templ, N_res]` */
  readonly template_pseudo_beta_mask: Float32Array;
  /** `[N_templ, N_res, 7, 2]` */
  readonly template_torsion_angles_sin_cos: Float32Array;
  /** `[N_templ, N_res, 7, 2]` */
  readonly template_alt_torsion_angles_sin_cos: Float32Array;
  /** `[N_templ, N_res, 7]` */
  readonly template_torsion_angles_mask: Float32Array;
}

/**
 * Template types from one-hot rows in HHblits' order.
 *
 * Source: AlphaFold's `fix_templates_aatype`.
 *
 * @param oneHot `[N_templ, N_res, 22]`
 * @returns `[N_templ, N_res]`
 */
export function fixTemplatesAatype(oneHot: ArrayLike<number>): Int32Array {
  rowCount("fixTemplatesAatype", "oneHot", oneHot, MSA_CLASSES);
  return correctMsaRestypes(typesOfOneHot(oneHot, MSA_CLASSES));
}

/**
 * All template features that follow from the atoms.
 *
 * Source: AlphaFold's `make_template_mask`, and `make_pseudo_beta` and `atom37_to_torsion_angles` for templates.
 *
 * @param columns N_res.
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a residue type is not 0 … 21.
 */
export function makeTemplateFeatures(atoms: TemplateAtoms, columns: number): TemplateFeatures {
  const owner = "makeTemplateFeatures";
  const { template_aatype, template_all_atom_positions, template_all_atom_mask } = atoms;
  const n = rowCount(owner, "template_aatype", template_aatype, columns);
  checkTokens(owner, "template_aatype", template_aatype, MSA_CLASSES);
  const betas: ReturnType<typeof makePseudoBeta>[] = [];
  const torsions: ReturnType<typeof atom37ToTorsionAngles>[] = [];
  for (let t = 0; t < n; t++) { // one at a time: the first residue of each has none before it
    const [from, to] = [t * columns, (t + 1) * columns];
    const own: AtomInputs = {
      aatype: template_aatype.slice(from, to).map((type) => Math.min(type, 20)),
      all_atom_positions: template_all_atom_positions.subarray(from * ATOM_SLOTS * 3, to * ATOM_SLOTS * 3),
      all_atom_mask: template_all_atom_mask.subarray(from * ATOM_SLOTS, to * ATOM_SLOTS),
    };
    checkAtoms(owner, own);
    betas.push(makePseudoBeta(own));
    torsions.push(atom37ToTorsionAngles(own));
  }
  return {
    ...atoms,
    template_mask: new Float32Array(n).fill(1),
    template_pseudo_beta: join(betas.map((beta) => beta.pseudo_beta)),
    template_pseudo_beta_mask: join(betas.map((beta) => beta.pseudo_beta_mask)),
    template_torsion_angles_sin_cos: join(torsions.map((torsion) => torsion.torsion_angles_sin_cos)),
    template_alt_torsion_angles_sin_cos: join(torsions.map((torsion) => torsion.alt_torsion_angles_sin_cos)),
    template_torsion_angles_mask: join(torsions.map((torsion) => torsion.torsion_angles_mask)),
  };
}

function join(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
