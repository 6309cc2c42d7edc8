/** Features of alignments: rows without repeats, as numbers. */
import { InputError } from "../../errors.ts";
import type { Alignment } from "../alignment.ts";
import { RESIDUE_LETTERS } from "../../../model/protein/residues.ts";
import { checkTokens, rowCount } from "./_check.ts";

/** Letters in the order of HHblits' profiles, which raw alignments are numbered by; `X` is 20, the gap 21. */
export const HHBLITS_LETTERS = "ACDEFGHIKLMNPQRSTVWYX-";

/** Classes of a raw token: 20 amino acids, `X`, gap. */
export const MSA_CLASSES = 22;

/** Token of a gap, in both orders. */
export const GAP_TOKEN = 21;

/** Letters that stand for one of the 22: B (D or N) as D, Z (E or Q) as E, U (selenocysteine) as C, J and O as X. */
const ALIASES: Readonly<Record<string, string>> = { B: "D", Z: "E", U: "C", J: "X", O: "X" };

const HHBLITS_TOKENS: ReadonlyMap<string, number> = new Map([
  ...Array.from(HHBLITS_LETTERS, (letter, token): [string, number] => [letter, token]),
  ...Object.entries(ALIASES).map(([alias, letter]): [string, number] => [alias, HHBLITS_LETTERS.indexOf(letter)]),
]);

/** HHblits' token as a residue type; `X` and the gap keep theirs. */
const TYPE_OF_HHBLITS: readonly number[] = Array.from(
  HHBLITS_LETTERS,
  (letter) => letter === "-" ? GAP_TOKEN : RESIDUE_LETTERS.indexOf(letter),
);

/** Features of one or more alignments of the same query. */
export interface MsaFeatures {
  /** Tokens in HHblits' order, `[N_seq, N_res]`. */
  readonly msa: Int32Array;
  /** Residues left out before each, `[N_seq, N_res]`. */
  readonly deletion_matrix_int: Int32Array;
  /** N_seq, for every residue, `[N_res]`. */
  readonly num_alignments: Int32Array;
  /** Mnemonic of the species from UniProt's names, `[N_seq]`; empty where a name has none. */
  readonly msa_species_identifiers: readonly string[];
}

/**
 * Rows of alignments, one after the other, of equal rows only the first.
 *
 * Source: AlphaFold's `make_msa_features`.
 *
 * @param alignments Alignments of the same query; the order counts.
 * @throws {InputError} If there is none, or their queries have different lengths.
 */
export function makeMsaFeatures(alignments: readonly Alignment[]): MsaFeatures {
  if (alignments.length === 0) throw new InputError("There is no alignment, expected at least one");
  const columns = alignments[0].rows[0].length;
  const seen = new Set<string>();
  const kept: { row: string; deletions: Int32Array; name: string }[] = [];
  for (const { rows, deletions, names, source } of alignments) {
    if (rows[0].length !== columns) {
      throw new InputError(
        `${source} is of a query of ${rows[0].length} residues, expected ${columns} as in ${alignments[0].source}`,
      );
    }
    rows.forEach((row, index) => {
      if (seen.has(row)) return;
      seen.add(row);
      kept.push({ row, deletions: deletions[index], name: names[index] });
    });
  }
  const msa = new Int32Array(kept.length * columns);
  const deletion_matrix_int = new Int32Array(kept.length * columns);
  kept.forEach(({ row, deletions }, index) => {
    for (let c = 0; c < columns; c++) msa[index * columns + c] = hhblitsToken(row[c]);
    deletion_matrix_int.set(deletions, index * columns);
  });
  return {
    msa,
    deletion_matrix_int,
    num_alignments: new Int32Array(columns).fill(kept.length),
    msa_species_identifiers: kept.map(({ name }) => speciesIdentifier(name)),
  };
}

/**
 * Mnemonic of the species in a name of UniProtKB, such as `9BACT` of `tr|A0A1F2V377|A0A1F2V377_9BACT/4-68`; empty if the
 * name is not of that form.
 */
export function speciesIdentifier(name: string): string {
  const [identifier] = name.split("/");
  return /^(?:tr|sp)\|[A-Za-z0-9]{6,10}(?:_\d)?\|[A-Za-z0-9]+_([A-Za-z0-9]{1,5})(?:_\d+)?$/.exec(identifier)?.[1] ?? "";
}

/**
 * Tokens in HHblits' order as residue types (20 is `X`, 21 the gap).
 *
 * Source: AlphaFold's `correct_msa_restypes`.
 *
 * @throws {RangeError} If a token is not 0 … 21.
 */
export function correctMsaRestypes(msa: ArrayLike<number>): Int32Array {
  checkTokens("correctMsaRestypes", "msa", msa, MSA_CLASSES);
  return Int32Array.from(msa, (token) => TYPE_OF_HHBLITS[token]);
}

/**
 * How often each residue type stands in each column.
 *
 * Source: AlphaFold's `make_hhblits_profile`.
 *
 * @param msa Residue types, `[N_seq, N_res]`.
 * @param columns N_res.
 * @returns Parts of the rows, `[N_res, 22]`.
 * @throws {TypeError} If the rows are not whole, or there is none.
 * @throws {RangeError} If a token is not 0 … 21.
 */
export function makeHhblitsProfile(msa: ArrayLike<number>, columns: number): Float32Array {
  const rows = rowCount("makeHhblitsProfile", "msa", msa, columns);
  if (rows === 0) throw new TypeError("Cannot run makeHhblitsProfile as msa has no row: expected at least one");
  checkTokens("makeHhblitsProfile", "msa", msa, MSA_CLASSES);
  const counts = new Float64Array(columns * MSA_CLASSES);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) counts[c * MSA_CLASSES + msa[r * columns + c]]++;
  }
  return Float32Array.from(counts, (count) => count / rows);
}

/** A letter's token as a residue type: 20 for `X` and what is not known, 21 for a gap. */
export function residueToken(letter: string): number {
  return TYPE_OF_HHBLITS[hhblitsToken(letter)];
}

/** A letter as a token in HHblits' order: 20 for `X` and what is not known, 21 for a gap. */
export function hhblitsToken(letter: string): number {
  return HHBLITS_TOKENS.get(letter) ?? HHBLITS_LETTERS.indexOf("X");
}
