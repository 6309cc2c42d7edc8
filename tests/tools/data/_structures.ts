/** Small structures that several tests share. */
import { ATOM_SLOTS } from "../../../model/protein/residues.ts";
import type { Chain, Structure } from "../../../tools/data/structure.ts";

/** A mmCIF file with what real ones have: two models, alternative locations, an insertion, a gap, MSE, ligand and water. */
export const CIF_TEXT = `data_TEST
_entry.id TEST
_struct.title 'A test; with "quotes"'
_exptl.method 'X-RAY DIFFRACTION'
_refine.ls_d_res_high 1.75
loop_
_pdbx_audit_revision_history.ordinal
_pdbx_audit_revision_history.revision_date
1 2012-03-04
2 2015-01-01
loop_
_entity_poly.entity_id
_entity_poly.type
1 'polypeptide(L)'
2 polydeoxyribonucleotide
loop_
_pdbx_poly_seq_scheme.asym_id
_pdbx_poly_seq_scheme.entity_id
_pdbx_poly_seq_scheme.seq_id
_pdbx_poly_seq_scheme.mon_id
_pdbx_poly_seq_scheme.pdb_seq_num
_pdbx_poly_seq_scheme.auth_seq_num
_pdbx_poly_seq_scheme.pdb_ins_code
A 1 1 GLY 10 10 .
A 1 2 MSE 11 11 .
A 1 3 SER 11 11 A
A 1 4 TRP 12 ?  .
A 1 5 ABC 13 13 .
C 2 1 DA  1  1  .
loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_alt_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_entity_id
_atom_site.label_seq_id
_atom_site.pdbx_PDB_ins_code
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.occupancy
_atom_site.B_iso_or_equiv
_atom_site.auth_seq_id
_atom_site.auth_asym_id
_atom_site.pdbx_PDB_model_num
ATOM   1  N  N  . GLY A 1 1 ? 1.000 2.000 3.000 1.00 10.5 10 X 1
ATOM   2  C  CA . GLY A 1 1 ? 2.000 2.000 3.000 1.00 11.5 10 X 1
HETATM 3  C  CA A MSE A 1 2 ? 4.000 1.000 1.000 0.40 12.0 11 X 1
HETATM 4  C  CA B MSE A 1 2 ? 4.500 1.000 1.000 0.60 13.0 11 X 1
HETATM 5  SE SE . MSE A 1 2 ? 5.000 1.000 1.000 1.00 14.0 11 X 1
ATOM   6  C  CA A SER A 1 3 A 7.000 0.000 0.000 0.50 15.0 11 X 1
ATOM   7  C  CA B SER A 1 3 A 7.100 0.000 0.000 0.50 16.0 11 X 1
ATOM   8  C  CB . SER A 1 3 A 7.200 1.000 0.000 1.00 17.0 11 X 1
ATOM   9  H  HA . SER A 1 3 A 7.300 1.000 0.000 1.00 17.0 11 X 1
HETATM 10 C  CA . ABC A 1 5 ? 9.000 0.000 0.000 1.00 18.0 13 X 1
ATOM   11 P  P  . DA  C 2 1 ? 0.000 0.000 0.000 1.00 20.0 1  Z 1
HETATM 12 CA CA . CA  D 3 . ? 0.000 9.000 0.000 1.00 20.0 20 X 1
HETATM 13 O  O  . HOH E 4 . ? 0.000 9.900 0.000 1.00 20.0 30 X 1
ATOM   14 C  CA . GLY A 1 1 ? 99.00 2.000 3.000 1.00 11.5 10 X 2
#
`;

/** Assemblies of that file: a dimer, and one of 120 copies with a nucleic acid. */
export const CIF_ASSEMBLIES = `loop_
_pdbx_struct_assembly.id
_pdbx_struct_assembly.details
_pdbx_struct_assembly.oligomeric_details
1 author_defined_assembly dimeric
2 software_defined_assembly ?
loop_
_pdbx_struct_assembly_gen.assembly_id
_pdbx_struct_assembly_gen.oper_expression
_pdbx_struct_assembly_gen.asym_id_list
1 1,P A,D,E
2 (1-60)(61,62) A
2 1 C
`;

/** A PDB file of the same chain, with a second chain whose records use every column. */
export const PDB_TEXT = `HEADER    TEST PROTEIN                            01-JAN-12   1TST
TITLE     A TITLE THAT GOES ON
TITLE    2 AND ON
EXPDTA    X-RAY DIFFRACTION
REVDAT   2   01-JAN-15 1TST    1       REMARK
REVDAT   1   04-MAR-12 1TST    0
REMARK   2 RESOLUTION.    1.75 ANGSTROMS.
SEQRES   1 X    6  GLY MSE SER TRP SER ALA
MODEL        1
ATOM      1  N   GLY X  10       1.000   2.000   3.000  1.00 10.50           N
ATOM      2  CA  GLY X  10       2.000   2.000   3.000  1.00 11.50           C
HETATM    3  CA AMSE X  11       4.000   1.000   1.000  0.40 12.00           C
HETATM    4  CA BMSE X  11       4.500   1.000   1.000  0.60 13.00           C
HETATM    5 SE   MSE X  11       5.000   1.000   1.000  1.00 14.00          SE
ATOM      6  CA  SER X  11A      7.000   0.000   0.000  0.50 15.00           C
ATOM      7  CB  SER X  11A      7.200   1.000   0.000                       C
ATOM      8  CA  ALA X  14      9.000   0.000   0.000  1.00 18.00           C
TER       9      ALA X  14
HETATM   10 CA    CA X  20       0.000   9.000   0.000  1.00 20.00          CA
HETATM   11  CA  MSE X  21       0.000   9.900   0.000  1.00 20.00           C
ATOM     12  CA  VAL Y-999    -999.9999999.999  -0.001  1.00999.99           C
ENDMDL
MODEL        2
ATOM      1  CA  GLY X  10      99.000   2.000   3.000  1.00 11.50           C
ENDMDL
END
`;

/** Assemblies for that file, one of which has a chain that is not there. */
export const PDB_ASSEMBLIES = `REMARK 350 BIOMOLECULE: 1
REMARK 350 AUTHOR DETERMINED BIOLOGICAL UNIT: TRIMERIC
REMARK 350 APPLY THE FOLLOWING TO CHAINS: X,
REMARK 350                    AND CHAINS: Q
REMARK 350   BIOMT1   1  1.000000  0.000000  0.000000        0.00000
REMARK 350   BIOMT1   2  1.000000  0.000000  0.000000        0.00000
REMARK 350 APPLY THE FOLLOWING TO CHAINS: Y
REMARK 350   BIOMT1   1  1.000000  0.000000  0.000000        0.00000
`;

/** A chain with atoms in some slots, coordinates at three decimals. */
export function makeTestChain(id: string, sequence: string, changes: Partial<Chain> = {}): Chain {
  const n = sequence.length;
  const atomPositions = new Float32Array(n * ATOM_SLOTS * 3);
  const atomMask = new Float32Array(n * ATOM_SLOTS);
  const bFactors = new Float32Array(n * ATOM_SLOTS);
  for (let i = 0; i < n; i++) {
    for (const slot of sequence[i] === "G" || sequence[i] === "X" ? [0, 1, 2, 4] : [0, 1, 2, 3, 4]) {
      const at = i * ATOM_SLOTS + slot;
      atomMask[at] = 1;
      bFactors[at] = Math.fround(10 + i + slot / 4);
      for (let axis = 0; axis < 3; axis++) {
        atomPositions[at * 3 + axis] = Math.fround(Math.round((i * 3.8 - 7 * axis + slot * 0.731 - 4) * 1000) / 1000);
      }
    }
  }
  return {
    id,
    labelId: id,
    sequence,
    residueNumbers: Int32Array.from({ length: n }, (_, i) => i - 1),
    insertionCodes: new Array(n).fill(""),
    atomPositions,
    atomMask,
    bFactors,
    ...changes,
  };
}

/** A structure of several chains with a gap, insertion codes and an unknown residue. */
export function makeTestStructure(): Structure {
  const first = makeTestChain("A", "MKXGWARNDCEQHILFPSTYV", {
    insertionCodes: Array.from({ length: 21 }, (_, i) => i === 4 ? "B" : ""),
  });
  const gap = makeTestChain("B", "GASPKK");
  for (const residue of [2, 3, 5]) {
    const [from, to] = [residue * ATOM_SLOTS, (residue + 1) * ATOM_SLOTS];
    gap.atomMask.fill(0, from, to);
    gap.bFactors.fill(0, from, to);
    gap.atomPositions.fill(0, from * 3, to * 3);
  }
  return {
    id: "9TST",
    source: "test",
    title: "It's a 'title' with \"quotes\", long enough that it has to go on over several lines of a file; # and _more",
    method: "x-ray diffraction",
    resolutionAngstrom: 1.8,
    chains: [first, gap, makeTestChain("C", "GASPKK")],
  };
}
