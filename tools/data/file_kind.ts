/** Tells by its name what a file of the user's holds. */

/** Kinds of files. */
export type FileKind = "structure" | "alignment" | "fasta" | "hits" | "table";

const ENDINGS: Readonly<Record<FileKind, RegExp>> = {
  structure: /\.(?:cif|mmcif|bcif|pdb|ent)$/,
  alignment: /\.(?:a3m|a2m|sto|sth|stk|stockholm|afa|aln|clustal|clw)$/,
  fasta: /\.(?:fasta|fa|faa|fas)$/,
  hits: /\.hhr$/,
  table: /\.(?:csv|tsv)$|(?:^|[/\\])INDEX_[^/\\]*$/i,
};

const KNOWN_ENDINGS =
  /(?<=.)(?:\.(?:gz|cif|mmcif|bcif|pdb|ent|a3m|a2m|sto|sth|stk|stockholm|afa|aln|clustal|clw|fasta|fa|faa|fas|hhr))+$/i;

/** Kind of a file by the ending of its name, packed or not; `undefined` if it is none of them. */
export function fileKind(path: string): FileKind | undefined {
  const name = path.replace(/\.gz$/i, "");
  const kinds = Object.keys(ENDINGS) as FileKind[];
  return kinds.find((kind) => ENDINGS[kind].test(kind === "table" ? name : name.toLowerCase()));
}

/** Whether a line of a FASTA file has gaps, by which alignments are told from sequences. */
export function hasGaps(line: string): boolean {
  return !line.startsWith(">") && /[-.]/.test(line);
}

/** A file's name without folder and without the endings that tell its kind: `1abc_A` of `dir/1abc_A.pdb.gz`. */
export function stem(path: string): string {
  return (path.split(/[\\/]/).pop() ?? path).replace(KNOWN_ENDINGS, "");
}
