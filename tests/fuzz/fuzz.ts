/** Gives spoilt files to a reader and looks at what comes of it. */
import { join } from "node:path";
import process from "node:process";
import { InputError } from "../../tools/errors.ts";
import { mutate } from "./mutate.ts";
import { type Reader, READERS, type Sample } from "./readers.ts";

/** Something that must not be. */
export interface Finding {
  readonly reader: string;
  /** Number of the input; with the seed it makes the same input again. */
  readonly index: number;
  readonly what: string;
  readonly done: readonly string[];
}

/** What one spoilt file led to. */
export type Outcome = { readonly kind: "read" | "refused" } | { readonly kind: "wrong"; readonly what: string };

/** Longest time that a small file may take, in processor time. */
const MAX_MS = 1000;

/** Most memory that reading a small file may add. */
const MAX_GROWTH = 256 << 20;

/** The place in a file that a refusal names. */
const PLACE = /\b(?:line|row) \d+/;

/** A reader with its samples, ready for any number of inputs. */
export class Fuzzer {
  readonly name: string;
  readonly #reader: Reader;
  readonly #samples: readonly Sample[];
  readonly #folder: string;
  readonly #seed: number;
  #highWater = Deno.memoryUsage().rss;

  private constructor(name: string, samples: readonly Sample[], folder: string, seed: number) {
    this.name = name;
    this.#reader = READERS[name];
    this.#samples = samples;
    this.#folder = folder;
    this.#seed = seed;
  }

  /** @param folder For the file that is read. */
  static async open(name: string, folder: string, seed: number): Promise<Fuzzer> {
    return new Fuzzer(name, await READERS[name].samples(), folder, seed);
  }

  /** The input of a number. */
  input(index: number): { ending: string; bytes: Uint8Array; done: readonly string[] } {
    const { ending, bytes } = this.#samples[index % this.#samples.length];
    return { ending, ...mutate(bytes, Math.imul(this.#seed, 0x9e3779b1) + index) };
  }

  /** Reads the samples as they are; throws if one is refused. */
  async readSamples(): Promise<void> {
    for (const { ending, bytes } of this.#samples) {
      const outcome = await this.#run(ending, bytes);
      if (outcome.kind !== "read") throw new Error(`${this.name}: a sample was not read: ${JSON.stringify(outcome)}`);
    }
  }

  /** Reads the input of a number; a finding if that went wrong. */
  async run(index: number): Promise<Finding | undefined> {
    const { ending, bytes, done } = this.input(index);
    const outcome = await this.#run(ending, bytes);
    return outcome.kind === "wrong" ? { reader: this.name, index, what: outcome.what, done } : undefined;
  }

  async #run(ending: string, bytes: Uint8Array): Promise<Outcome> {
    const path = join(this.#folder, `input.${ending}`);
    await Deno.writeFile(path, bytes);
    const start = performance.now(), cpu = cpuMs();
    const outcome = await judge(this.#reader, path);
    if (performance.now() - start > MAX_MS && cpuMs() - cpu > MAX_MS) {
      return { kind: "wrong", what: `took ${((cpuMs() - cpu) / 1000).toFixed(1)} s` };
    }
    const { rss } = Deno.memoryUsage();
    const growth = rss - this.#highWater;
    this.#highWater = Math.max(rss, this.#highWater);
    if (growth > MAX_GROWTH) return { kind: "wrong", what: `took ${growth >> 20} MiB of memory` };
    return outcome;
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Reads a file, and looks whether what was read is sound, or its refusal such as a person can use. */
async function judge(reader: Reader, path: string): Promise<Outcome> {
  const wrong = (what: string): Outcome => ({ kind: "wrong", what });
  try {
    const result = await reader.read(path);
    const at = reader.anyNumbers ? undefined : notFinite(result, "result");
    if (at !== undefined) return wrong(`let ${at} through`);
    reader.check?.(result as never);
    return { kind: "read" };
  } catch (error) {
    if (!(error instanceof InputError)) {
      return wrong(`crashed: ${error instanceof Error ? error.stack ?? error.message : error}`);
    }
    const { message } = error;
    if (!message.includes(path)) return wrong(`refused without the file's name: ${message}`);
    // deno-lint-ignore no-control-regex -- what must not be in a message
    if (/[\x00-\x1f\x7f]/.test(message)) return wrong(`refused with control characters: ${JSON.stringify(message)}`);
    if (message.length > 2000) return wrong(`refused in ${message.length} characters: ${message.slice(0, 300)}…`);
    const said = message.replaceAll(path, "");
    if (!reader.whole.test(said) && !PLACE.test(said)) return wrong(`refused without a place: ${message}`);
    return { kind: "refused" };
  }
}

/** Where a result has a number that is not finite; undefined if it has none. */
function notFinite(value: unknown, at: string): string | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${at} = ${value}`;
  if (value === null || typeof value !== "object" || value instanceof BigInt64Array) return undefined;
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const numbers = value as Float32Array;
    const k = numbers.findIndex((number) => !Number.isFinite(number));
    return k < 0 ? undefined : `${at}[${k}] = ${numbers[k]}`;
  }
  const entries = value instanceof Map ? value.entries() : Object.entries(value);
  for (const [key, child] of entries) {
    const found = notFinite(child, `${at}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
