/** Folders of results: one for each target, as AlphaFold lays them out, with a record beside every file. */
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { makeFolder, writeFileAtomic } from "../files.ts";
import { sha256 } from "../prep/sources.ts";

/** What made a file: the same question has the same facts. */
export type Question = Readonly<Record<string, unknown>>;

/** A file of results. */
export class ResultFile {
  readonly #record: string;

  /**
   * @param folder Folder of all results.
   * @param target Name of the target, that of its folder.
   * @param name Name of the file.
   * @param path Path of the file.
   */
  private constructor(folder: string, target: string, name: string, readonly path: string) {
    this.#record = join(folder, target, `${name}.json`);
  }

  /** The file of a target; its folder is made. */
  static async of(folder: string, target: string, name: string): Promise<ResultFile> {
    await makeFolder(join(folder, target));
    return new ResultFile(folder, target, name, join(folder, target, name));
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
