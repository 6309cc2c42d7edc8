/** Clusters of records by the sequences of their chains. */
import { InputError } from "../errors.ts";
import type { PairSearch } from "./candidates.ts";
import { clusterByIdentity } from "./clusters.ts";
import { clusterByMmseqs } from "./mmseqs.ts";
import type { SplitRecord } from "./records.ts";

/** Which program makes clusters. */
export type ClusterTool = "mmseqs" | "own";

/** Choices of {@linkcode clusterRecords}. */
export interface ClusterOptions {
  /** Identity from which sequences are in one cluster, above 0 and at most 1. */
  readonly identity: number;
  /** What makes clusters. */
  readonly tool: ClusterTool;
  /** Processor cores MMseqs2 may use. @default all */
  readonly cpu?: number;
  /** Ends MMseqs2 when it aborts. */
  readonly signal?: AbortSignal;
  /** Is told how many of the sequences our own clustering has compared. */
  readonly progress?: (done: number, total: number) => void;
}

/** Clusters, and how they were made. */
export interface RecordClusters {
  /** Records that have a chain in the cluster, for each cluster. */
  readonly members: readonly (readonly number[])[];
  /** What made them. */
  readonly tool: string;
  /** Its version, if it is another's program. */
  readonly version?: string;
  /** Pairs looked at by our own clustering. */
  readonly search?: PairSearch;
}

/** MMseqs2 refuses sets without any sequence of about this length: our own clustering takes them. */
const MMSEQS_LEAST_LENGTH = 20;

/**
 * Makes clusters of the chains of records.
 *
 * @throws {InputError} If a record has no sequence, or MMseqs2 is missing or fails.
 */
export async function clusterRecords(
  records: readonly SplitRecord[],
  { identity, tool, cpu, signal, progress }: ClusterOptions,
): Promise<RecordClusters> {
  const missing = records.find(({ sequences }) => sequences.length === 0);
  if (missing !== undefined) {
    throw new InputError(
      `${missing.place}: "${missing.id}" has no sequence, which a split by identity needs: give a column "sequence", or ` +
        "a FASTA file by --fasta",
    );
  }
  const rows = records.flatMap(({ sequences }, row) => sequences.map(() => row));
  const sequences = records.flatMap((record) => record.sequences);
  const rowsOf = (members: readonly (readonly number[])[]) => members.map((chains) => chains.map((k) => rows[k]));
  if (tool === "mmseqs" && sequences.some(({ length }) => length >= MMSEQS_LEAST_LENGTH)) {
    const { members, version } = await clusterByMmseqs(sequences, identity, { threads: cpu, signal });
    return { members: rowsOf(members), tool: "MMseqs2", version };
  }
  const { members, search } = clusterByIdentity(sequences, identity, (done) => progress?.(done, sequences.length));
  return { members: rowsOf(members), tool: "shared words and exact alignments of denofold", search };
}
