/** A network with its weights, before it is on the device. */
import type { WeightEntry } from "../../model/weights/weight_file.ts";
import type { AlphaFoldConfig } from "../../model/alphafold/mod.ts";

/** A network to run. */
export interface PlannedModel {
  /** Its preset, or what a packed network is called, as files are named. */
  readonly preset: string;
  /** Its sizes and choices. */
  readonly config: AlphaFoldConfig;
  /** What the weights are, in words for files and reports. */
  readonly weights: string;
  /** What everybody must know who sees what it predicts, a sentence without its full stop; null for nothing. */
  readonly notice: string | null;
  /** Opens the weights; dispose of them when they are on the device. */
  open(): Promise<{ readonly entries: ReadonlyMap<string, WeightEntry> } & Disposable>;
}

/** The last part of a file's path, for names of weights; a page knows no more. */
export function fileNameOf(path: string): string {
  return path.replace(/^.*[\\/]/, "");
}

/** What everybody must know of networks, each sentence once. */
export function noticesOf(models: readonly PlannedModel[]): string[] {
  return [...new Set(models.flatMap(({ notice }) => notice ?? []))];
}
