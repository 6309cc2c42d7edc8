/** Folders of results: one for each target, as AlphaFold lays them out, with a record beside every file. */
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { fileName, fileNames, makeFolder, writeFileAtomic } from "../files.ts";
import { sha256 } from "../sha256.ts";

/** What made a file: the same question has the same facts. */
export type Question = Readonly<Record<string, unknown>>;

/**
 * Names of the folders of targets: their own as `fileName` writes them, with a checksum where the folder of another has
 * the same but for capitals.
 *
 * @param folder Folder of all results; it need not be there.
 */
export async function targetFolders(folder: string, targets: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const own = new Set(targets.map(fileName));
  const taken = new Set<string>();
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
  for (const { name } of entries) if (!own.has(name)) taken.add(name.toLowerCase());
  const names = fileNames(targets, taken);
  return new Map(targets.map((target, k) => [target, names[k]]));
}

/** A file of results. */
export class ResultFile {
  readonly #record: string;

  /** Path of the file. */
  readonly path: string;

  private constructor(folder: string, name: string) {
    this.path = join(folder, name);
    this.#record = `${this.path}.json`;
  }

  /** The file of a name in a target's folder, which is made. */
  static async in(folder: string, name: string): Promise<ResultFile> {
    await makeFolder(folder);
    return new ResultFile(folder, name);
  }

  /**
   * Whether the file is there, unchanged, and answers this question.
   *
   * @throws {InputError} If another program made it: it would be lost.
   */
  async answers(question: Question): Promise<boolean> {
    let record: unknown;
    try {
      record = JSON.parse(await Deno.readTextFile(this.#record));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return false;
      throw new InputError(`Cannot read ${this.#record}: ${error instanceof Error ? error.message : error}`);
    }
    if (!isRecord(record) || !isRecord(record.question) || !("sha256" in record)) return false;
    const { tool } = record.question;
    if (tool !== question.tool) {
      throw new InputError(`${this.path} was made by ${tool}, not by ${question.tool}: give another folder with --out`);
    }
    if (JSON.stringify(record.question) !== JSON.stringify(question)) return false;
    const bytes = await Deno.readFile(this.path).catch(() => undefined);
    return bytes !== undefined && record.sha256 === await sha256(bytes);
  }

  /** Writes the file, then its record. */
  async write(text: string, question: Question, facts: object): Promise<void> {
    await writeFileAtomic(this.path, text);
    const record = { question, ...facts, sha256: await sha256(text) };
    await writeFileAtomic(this.#record, `${JSON.stringify(record, undefined, 2)}\n`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
