/** Tells what a file holds. */
import { parseNpy } from "../../model/weights/npy.ts";
import { parseSafetensors } from "../../model/weights/safetensors.ts";
import { splitLines } from "../data/_lines.ts";
import { fileKind, hasGaps } from "../data/file_kind.ts";
import { parseHhr } from "../data/hhr.ts";
import { parseAlignment } from "../data/read_alignment.ts";
import { asInputError, InputError } from "../errors.ts";
import { decodeText, readFileMaybeGzip } from "../files.ts";
import { isFeatureHeader } from "../prep/feature_file.ts";
import { inspectAlignment } from "./alignments.ts";
import type { Inspection } from "./inspection.ts";
import { inspectStructure } from "./structures.ts";
import { inspectFasta, inspectHits, inspectManifest, inspectTable } from "./tables.ts";
import { inspectCheckpoint, inspectFeatures, inspectSafetensors, inspectTensors } from "./tensors.ts";

/** Choices of {@linkcode inspectFile}. */
export interface InspectOptions {
  /** Chain of a structure that the contact map shows. @default the longest */
  readonly chain?: string;
  /** Number of the model of a structure. @default the first */
  readonly model?: number;
  /** Whether to make maps of pairs and conservation. @default false */
  readonly maps?: boolean;
}

/**
 * Tells what a structure, alignment, table, sequence file, HHR file, checkpoint, safetensors, npy or feature file holds; the
 * ending of its name says which it is.
 *
 * @throws {InputError} If it cannot be read or is of no known kind.
 */
export async function inspectFile(path: string, options: InspectOptions = {}): Promise<Inspection> {
  const { maps = false } = options;
  const kind = fileKind(path);
  if (kind === "structure") return await inspectStructure(path, options);
  if (kind === "table") return await inspectTable(path);
  if (/(?:^|[/\\])manifest\.jsonl$/.test(path)) return await inspectManifest(path);
  const bytes = await readFileMaybeGzip(path);
  const name = path.replace(/\.gz$/i, "").toLowerCase();
  if (name.endsWith(".npy")) {
    const array = asInputError(() => parseNpy(bytes, path));
    return inspectTensors(path, "npy array", new Map([["array", array]]));
  }
  if (name.endsWith(".safetensors")) {
    const file = asInputError(() => parseSafetensors(bytes, path));
    if (isFeatureHeader(file.metadata)) return inspectFeatures(path, bytes, file, maps);
    return file.metadata.format === "denofold-checkpoint-1"
      ? asInputError(() => inspectCheckpoint(path, bytes))
      : inspectSafetensors(path, file);
  }
  const text = decodeText(bytes, path);
  if (kind === "hits") return inspectHits(parseHhr(text, path));
  if (kind === "alignment") return inspectAlignment(parseAlignment(text, path), maps);
  if (kind === "fasta") {
    return splitLines(text).some(hasGaps)
      ? inspectAlignment(parseAlignment(text, path), maps)
      : inspectFasta(path, text);
  }
  throw new InputError(
    `${path} is of no known kind: expected .cif, .bcif, .pdb, .a3m, .sto, .fasta, .hhr, .csv, .tsv, .npy, .safetensors ` +
      "(each may end in .gz too) or a manifest.jsonl",
  );
}
