/** Says what a file of another kind than expected looks like, since arguments are easily swapped. */

/** What texts begin with, for each kind. */
const KINDS: readonly (readonly [start: RegExp, kind: string, words: string])[] = [
  [/^(?:#[^\n]*\n\s*)*data_\S*\s/i, "structure", "a structure (mmCIF)"],
  [/^(?:HEADER|TITLE |REMARK|EXPDTA|SEQRES|MODEL |CRYST1|ATOM {2}|HETATM|COMPND)/, "structure", "a structure (PDB)"],
  [/^# STOCKHOLM/, "alignment", "an alignment (Stockholm)"],
  [/^(?:CLUSTAL|MUSCLE)\b/, "alignment", "an alignment (CLUSTAL)"],
  [/^>/, "alignment", "sequences or an alignment (FASTA, A3M)"],
  [/^Query\s+\S.*\nMatch_columns/, "hits", "a file of hits (HHR)"],
  [/^(?:id|pdb_?id|name|target)[,;\t]/i, "table", "a table"],
];

/** Kind of a file by how it begins, in one word and in a few; `undefined` if it looks like none that is known. */
export function looksLike(bytes: Uint8Array): { readonly kind: string; readonly words: string } | undefined {
  if (bytes[8] === 0x7b && bytes[9] === 0x22) return { kind: "safetensors", words: "a safetensors file" };
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return { kind: "weights", words: "an archive (weights as .pt or .npz)" };
  const text = new TextDecoder().decode(bytes.subarray(0, 4096)).replace(/^\uFEFF?\s+/, "");
  const found = KINDS.find(([start]) => start.test(text));
  return found && { kind: found[1], words: found[2] };
}

/**
 * What to say of a file that is not what was expected: `; it looks like a structure (PDB): were two arguments swapped?`;
 * nothing where it looks like none that is known, or like what was expected.
 *
 * @param expected Kind of the file that was asked for, in one word.
 */
export function swappedText(bytes: Uint8Array, expected: string): string {
  const found = looksLike(bytes);
  return found === undefined || found.kind === expected
    ? ""
    : `; it looks like ${found.words}: were two arguments swapped?`;
}
