/** Clusters by MMseqs2. */
import { join } from "node:path";
import { formatFasta } from "../data/fasta.ts";
import { InputError } from "../errors.ts";
import { findProgram, runProgram } from "../search/program.ts";
import { distinctSequences, type IdentityClusters } from "./clusters.ts";
import { numberGroups, UnionFind } from "./union_find.ts";

/** Clusters, and the program's version. */
export type MmseqsClusters = Pick<IdentityClusters, "clusterOf" | "members"> & { readonly version: string };

/**
 * Connected components of MMseqs2's hits at an identity, with the most sensitive search it has; the identity is divided
 * by the length of the shorter sequence, as everywhere in this folder.
 *
 * Source: Steinegger and Söding (2018), "Clustering huge protein sequence sets in linear time".
 *
 * @param sequences Sequences of letters.
 * @param threshold Identity, above 0 and at most 1.
 * @throws {InputError} If the program is missing or fails.
 */
export async function clusterByMmseqs(
  sequences: readonly string[],
  threshold: number,
  options: { threads?: number; signal?: AbortSignal } = {},
): Promise<MmseqsClusters> {
  const program = await findProgram("mmseqs");
  const { distinct, distinctOf } = distinctSequences(sequences);
  const folder = await Deno.makeTempDir({ prefix: "denofold_mmseqs_" });
  try {
    const fasta = join(folder, "in.fasta");
    const records = distinct.map((index, number) => ({ name: `s${number}`, sequence: letters(sequences[index]) }));
    await Deno.writeTextFile(fasta, formatFasta(records));
    const flags = ["--min-seq-id", String(threshold), "--seq-id-mode", "1", "-c", "0", "--cluster-mode", "1"];
    const search = ["--single-step-clustering", "1", "-s", "7.5", "--max-seqs", String(Math.max(300, distinct.length))];
    const run = ["--threads", String(options.threads ?? navigator.hardwareConcurrency), "-v", "1"];
    const args = ["easy-cluster", fasta, join(folder, "out"), join(folder, "tmp"), ...flags, ...search, ...run];
    await runProgram(program, args, { signal: options.signal });
    const groups = new UnionFind(distinct.length);
    for (const line of (await Deno.readTextFile(join(folder, "out_cluster.tsv"))).split("\n")) {
      if (line === "") continue;
      const [a, b] = line.split("\t").map((name) => /^s\d+$/.test(name) ? Number(name.slice(1)) : NaN);
      if (!(a < distinct.length && b < distinct.length)) {
        throw new InputError(`mmseqs wrote the line ${JSON.stringify(line)}, expected two names of sequences`);
      }
      groups.join(a, b);
    }
    const { groupOf, members } = numberGroups(sequences.length, (index) => groups.find(distinctOf[index]));
    return { clusterOf: groupOf, members, version: program.version };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function letters(sequence: string): string {
  return sequence.toUpperCase().replace(/[^A-Z]/g, "");
}
