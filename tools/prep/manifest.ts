/** The list of what was prepared: one JSON object a line. */
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { decodeText, readFileBytes, writeFileAtomic } from "../files.ts";
import type { Relation } from "../data/bounds.ts";
import type { RemarkRow } from "../data/remarks.ts";
import type { SourceFile } from "./sources.ts";
import type { DepthSummary } from "../data/depth.ts";

/** Name of the manifest in the folder of the features. */
export const MANIFEST = "manifest.jsonl";

/** Numbers of a target. */
export interface TargetCounts extends DepthSummary {
  /** Residues of the target. */
  readonly residues: number;
  /** Residues of which the structure shows the C-alpha atom; 0 without a structure. */
  readonly observedResidues: number;
  /** Templates. */
  readonly templates: number;
}

/** One target in the manifest. */
export interface ManifestEntry {
  /** Name of the target. */
  readonly id: string;
  /** Whether its features were made. */
  readonly status: "ok" | "failed";
  /** Why not. */
  readonly error?: string;
  /** Name of the feature file, in the manifest's folder. */
  readonly file?: string;
  /** Size of the feature file in bytes. */
  readonly bytes?: number;
  /** SHA-256 of the feature file, hexadecimal. */
  readonly sha256?: string;
  /** Hash of all that the features depend on: sources, options, version. */
  readonly fingerprint?: string;
  /** Files that were read. */
  readonly sources?: readonly SourceFile[];
  /** What a model shall learn to predict, if it was given. */
  readonly label?: number;
  /** How the value stands to the label, or to `bound`, where it was not measured exactly. */
  readonly relation?: Relation;
  /** A bound or estimate that was left out of the labels. */
  readonly bound?: number;
  /** Numbers of the target. */
  readonly counts?: TargetCounts;
  /** What is doubtful, a sentence each. */
  readonly warnings?: readonly string[];
  /** What was done with all that is unusual in its files, in the form that `inspect` has too. */
  readonly remarks?: readonly RemarkRow[];
}

/**
 * Reads a manifest; a line that was cut short when the work was broken off counts as not written.
 *
 * @returns Entries by id, of several the last; none if there is no manifest.
 * @throws {InputError} If a line does not begin as an entry does.
 */
export async function readManifest(folder: string): Promise<Map<string, ManifestEntry>> {
  const path = join(folder, MANIFEST);
  const entries = new Map<string, ManifestEntry>();
  try {
    await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return entries;
    throw error;
  }
  const lines = decodeText(await readFileBytes(path), path).split("\n");
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const entry = parseEntry(line);
    if (entry) entries.set(entry.id, entry);
    else if (!line.startsWith("{")) {
      throw new InputError(`${path} line ${index + 1}: found ${JSON.stringify(line.slice(0, 40))}, expected an entry`);
    }
  }
  return entries;
}

/** Adds entries to a manifest while the work goes on, so that it can be taken up again after it was broken off. */
export class ManifestLog {
  readonly #folder: string;
  readonly #file: Deno.FsFile;

  /** Opens the manifest of a folder, to append to it. */
  constructor(folder: string) {
    this.#folder = folder;
    const path = join(folder, MANIFEST);
    try {
      this.#file = Deno.openSync(path, { create: true, append: true });
      // A line that was cut short must not run into the next.
      this.#file.writeSync(new TextEncoder().encode("\n"));
    } catch (error) {
      throw new InputError(`Cannot write ${path}: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Appends an entry. */
  add(entry: ManifestEntry): void {
    const bytes = new TextEncoder().encode(`${JSON.stringify(entry)}\n`);
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
  }

  /** Closes the file and writes it anew: the given entries in their order, then those of other targets. */
  async finish(entries: readonly ManifestEntry[]): Promise<void> {
    this.#file.close();
    const others = await readManifest(this.#folder);
    for (const { id } of entries) others.delete(id);
    const lines = [...entries, ...others.values()].map((entry) => `${JSON.stringify(entry)}\n`);
    await writeFileAtomic(join(this.#folder, MANIFEST), lines.join(""));
  }
}

function parseEntry(line: string): ManifestEntry | undefined {
  try {
    const entry = JSON.parse(line);
    return typeof entry?.id === "string" && (entry.status === "ok" || entry.status === "failed") ? entry : undefined;
  } catch {
    return undefined;
  }
}
