/** What searches have in common: databases, temporary folders, the record of what was run. */
import { basename } from "node:path";
import { InputError } from "../errors.ts";
import { fileName } from "../files.ts";
import { sha256 } from "../sha256.ts";
import type { Program } from "./program.ts";

/** A sequence to search with. */
export interface Query {
  /** Name, which becomes that of files. */
  readonly name: string;
  /** Residues. */
  readonly sequence: string;
}

/** Which programs were run, and on what; written as JSON beside what they found. */
export interface SearchRecord {
  /** Name of the query. */
  readonly query: string;
  /** SHA-256 of the query's residues. */
  readonly querySha256: string;
  /** Programs, in the order of their runs. */
  readonly programs: readonly { readonly name: string; readonly version: string; readonly arguments: string }[];
  /** Databases, as given. */
  readonly databases: readonly string[];
  /** Rows or hits that were found. */
  readonly found: number;
  /** Time the programs took. */
  readonly seconds: number;
}

/** Collects a {@linkcode SearchRecord}. */
export class Recorder {
  readonly #programs: { name: string; version: string; arguments: string }[] = [];
  readonly #start = performance.now();

  /** Starts the clock; `folder` is the temporary folder. */
  constructor(readonly query: Query, readonly databases: readonly string[], readonly folder: string) {}

  /** Notes a run; files of the temporary folder appear by their names. */
  add({ name, version }: Program, args: readonly string[]): void {
    const text = args.map((arg) => arg.replace(`${this.folder}/`, "")).join(" ");
    this.#programs.push({ name, version, arguments: text });
  }

  /** The record, of so many rows or hits. */
  async finish(found: number): Promise<SearchRecord> {
    const seconds = Math.round((performance.now() - this.#start) / 10) / 100;
    const querySha256 = await sha256(this.query.sequence);
    return { query: this.query.name, querySha256, programs: this.#programs, databases: this.databases, found, seconds };
  }
}

/** Runs work in a temporary folder that is gone afterwards. */
export async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "denofold_search_" });
  try {
    return await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Checks that a database is there.
 *
 * @param files Endings of which one makes a file of it.
 * @param kind Words for what is expected.
 * @throws {InputError} If none is.
 */
export async function checkDatabase(database: string, files: readonly string[], kind: string): Promise<void> {
  for (const ending of files) {
    const info = await Deno.stat(database + ending).catch(() => undefined);
    if (info?.isFile) return;
  }
  throw new InputError(
    `There is no database ${database}: expected ${kind}, that is a file ${files.map((e) => database + e).join(" or ")}`,
  );
}

/** Files of which databases are made, after their paths: FASTA, MMseqs2's, HH-suite's. */
const DATABASE_FILES = ["", ".dbtype", ".index", "_cs219.ffdata", "_hhm.ffdata", "_a3m.ffdata"] as const;

/** A database as it was when it was searched: a changed one is another. */
export interface DatabaseState {
  /** As the user named it. */
  readonly path: string;
  /** Bytes of its files. */
  readonly bytes: number;
  /** When the newest of them was changed, ISO 8601. */
  readonly modified: string;
}

/** How databases are now; those that are not there have no bytes. */
export async function databaseStates(databases: readonly string[]): Promise<DatabaseState[]> {
  return await Promise.all(databases.map(async (path) => {
    let bytes = 0, newest = 0;
    for (const ending of DATABASE_FILES) {
      const info = await Deno.stat(path + ending).catch(() => undefined);
      if (!info?.isFile) continue;
      bytes += info.size;
      newest = Math.max(newest, info.mtime?.getTime() ?? 0);
    }
    return { path, bytes, modified: new Date(newest).toISOString() };
  }));
}

/** Name of a database without folder and endings, as it appears in names of files. */
export function databaseName(database: string): string {
  return fileName(basename(database).replace(/(\.(gz|fasta|fas|fa|faa|txt|db))+$/i, ""));
}
