/** What the page and its worker say to each other. */
import type { PredictReportData } from "../predict/report_data.ts";

/** A file that the reader chose. */
export interface ChosenFile {
  readonly name: string;
  readonly blob: Blob;
}

/** What is to be predicted. */
export interface FoldRequest {
  /** Sequence as it was typed: letters, or FASTA of one entry. Empty where the alignment's first row is it. */
  readonly sequence: string;
  /** Alignments of the sequence, plain or packed with gzip. */
  readonly alignments: readonly ChosenFile[];
  readonly weights: ChosenFile;
  /** Iterations after the first. @default as the network is configured */
  readonly recycles?: number;
  readonly seed: number;
  /** Most rows of the alignment in the main stack. @default as the network is configured */
  readonly maxMsa?: number;
}

/** A file to save. */
export interface FoldFile {
  readonly name: string;
  readonly text: string;
}

/** What the worker says: where it is, what came of it, or why nothing did. */
export type FoldMessage =
  | { readonly kind: "step"; readonly text: string; readonly done: number; readonly of: number }
  | { readonly kind: "done"; readonly report: PredictReportData; readonly files: readonly FoldFile[] }
  | { readonly kind: "failed"; readonly message: string };

/** Data of the page itself. */
export interface WebPageData {
  /** Version of denofold. */
  readonly version: string;
  /** Script of the worker. */
  readonly worker: string;
  /** Weights that the page brings along, in base64. @default none */
  readonly weights?: { readonly name: string; readonly bytes: string };
}
