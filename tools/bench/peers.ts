/**
 * Finds the programs that we are compared with and runs them as processes of their own, on the same machine, in turn
 * with ours.
 *
 * @module
 */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../errors.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, "..", "..");

/** The kit's script, which times PyTorch and prints JSON lines. */
const TIMING = "torch_peer.py";
/** Our own, which prints what PyTorch computes for the same inputs, with the kit's models. */
const NUMBERS = join(HERE, "torch_numbers.py");

/** Keeps glibc from returning every large tensor to the system: PyTorch on a CPU is up to a quarter faster with it. */
const KEEP_MEMORY = { MALLOC_MMAP_THRESHOLD_: "8589934592", MALLOC_TRIM_THRESHOLD_: "17179869184" };

/** One line of a peer's results. */
export interface PeerRecord {
  readonly engine: string;
  readonly device: string;
  readonly workload: string;
  readonly sizes: Readonly<Record<string, number>>;
  readonly mode: string;
  readonly ms_min: number;
  readonly ms_median: number;
}

/** What PyTorch computed for a workload's inputs. */
export interface PeerNumbers {
  readonly workload: string;
  /** Sizes such as `512x512x512`, for a matrix product. */
  readonly shape?: string;
  readonly values: readonly number[];
}

/** Where and how to look for PyTorch. */
export interface TorchOptions {
  /** Folder of the benchmark kit's `torch_peer.py`. @default DENOFOLD_BENCH_KIT, else `../shared/bench` if it is there */
  readonly kit?: string;
  /** Python with torch. @default the environment variable PYTHON, else python3 */
  readonly python?: string;
  /** Whether PyTorch shall use CUDA where it has it. */
  readonly cuda: boolean;
  /** Threads of PyTorch on a CPU. */
  readonly threads: number;
}

/** PyTorch, ready to run. */
export class Torch {
  /** Name, version and device. */
  readonly name: string;
  readonly #python: string;
  readonly #kit: string;
  readonly #flags: readonly string[];

  constructor(python: string, kit: string, version: string, device: "cpu" | "cuda", threads: number) {
    this.name = `torch ${version}, ${device === "cpu" ? `${threads} threads` : device}`;
    this.#python = python;
    this.#kit = kit;
    this.#flags = ["--device", device, "--threads", String(threads)];
  }

  /**
   * Times a workload in a new process.
   *
   * @param args The workload's name and flags, as the kit's script takes them.
   * @throws {Error} If PyTorch fails, with the last line it printed.
   */
  async time(...args: string[]): Promise<PeerRecord[]> {
    const text = await run(this.#python, [join(this.#kit, TIMING), ...args, ...this.#flags]);
    return parsePeerLines(text, TIMING);
  }

  /**
   * What PyTorch computes for the hashed inputs of a workload.
   *
   * @throws {Error} As {@linkcode Torch.time} does.
   */
  async numbers(...args: string[]): Promise<PeerNumbers[]> {
    const text = await run(this.#python, [NUMBERS, this.#kit, ...args]);
    return jsonLines(text, NUMBERS).map(({ value, at }) => {
      const { workload, shape, values } = value;
      if (typeof workload !== "string" || !isNumbers(values) || (shape !== undefined && typeof shape !== "string")) {
        throw new SyntaxError(`${at}: expected workload and values`);
      }
      return { workload, shape, values };
    });
  }
}

/**
 * Looks for PyTorch and the kit that runs it.
 *
 * @returns PyTorch, or how to get what is missing.
 * @throws {InputError} If a kit is named that is not there.
 */
export async function findTorch(options: TorchOptions): Promise<Torch | { missing: string }> {
  const named = options.kit ?? (Deno.env.get("DENOFOLD_BENCH_KIT") || undefined);
  const kit = resolve(named ?? join(ROOT, "..", "shared", "bench"));
  if (!await isFile(join(kit, TIMING))) {
    if (named) throw new InputError(`Cannot find ${TIMING} in the benchmark kit's folder ${kit}`);
    return {
      missing: `No comparison with PyTorch: the benchmark kit (a folder with ${TIMING}) was not found. ` +
        "Name it with --kit DIR or the environment variable DENOFOLD_BENCH_KIT.",
    };
  }
  const python = options.python ?? (Deno.env.get("PYTHON") || "python3");
  const ask = "import json, torch; print(json.dumps([torch.__version__, torch.cuda.is_available()]))";
  let version: unknown, cuda: unknown;
  try {
    [version, cuda] = JSON.parse(await run(python, ["-c", ask]));
  } catch (error) {
    return {
      missing: `No comparison with PyTorch: ${python} cannot import torch (${message(error)}). ` +
        "Get it with `pip install numpy torch` and name another Python with the environment variable PYTHON.",
    };
  }
  return new Torch(python, kit, String(version), options.cuda && cuda === true ? "cuda" : "cpu", options.threads);
}

/**
 * Reads a peer's results: one JSON object a line; lines that do not begin with a brace are passed over, and so are
 * results without a time.
 *
 * @param text What the peer printed.
 * @param source The peer's name, for messages.
 * @throws {SyntaxError} If a line is no JSON or lacks a field.
 */
export function parsePeerLines(text: string, source: string): PeerRecord[] {
  return jsonLines(text, source).flatMap(({ value, at }) => {
    const { engine, device, workload, sizes, mode, ms_min, ms_median } = value;
    if (ms_min === null) return [];
    if (typeof engine !== "string" || typeof device !== "string" || typeof workload !== "string") {
      throw new SyntaxError(`${at}: expected engine, device and workload as texts`);
    }
    if (typeof mode !== "string" || typeof sizes !== "object" || sizes === null) {
      throw new SyntaxError(`${at}: expected mode as a text and sizes as an object`);
    }
    if (typeof ms_min !== "number" || typeof ms_median !== "number" || !(ms_min > 0)) {
      throw new SyntaxError(
        `${at}: expected ms_min and ms_median as numbers above 0, found ${ms_min} and ${ms_median}`,
      );
    }
    const numbers = Object.entries(sizes).filter((entry): entry is [string, number] => typeof entry[1] === "number");
    return [{ engine, device, workload, sizes: Object.fromEntries(numbers), mode, ms_min, ms_median }];
  });
}

/** The shortest time of the records with these sizes. */
export function bestOf(records: readonly PeerRecord[], sizes: Readonly<Record<string, number>>): number | undefined {
  const fitting = records.filter((record) => Object.entries(sizes).every(([name, n]) => record.sizes[name] === n));
  return fitting.length ? Math.min(...fitting.map(({ ms_min }) => ms_min)) : undefined;
}

function jsonLines(text: string, source: string): { value: Record<string, unknown>; at: string }[] {
  return text.split("\n").flatMap((line, i) => {
    if (!line.startsWith("{")) return [];
    const at = `Output of ${source}, line ${i + 1}`;
    try {
      return [{ value: JSON.parse(line) as Record<string, unknown>, at }];
    } catch (error) {
      throw new SyntaxError(`${at}: not a JSON object: ${message(error)}`);
    }
  });
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((x) => typeof x === "number");
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const command = new Deno.Command(program, {
    args: [...args],
    env: KEEP_MEMORY,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { success, code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  const lastLine = decoder.decode(stderr).trim().split("\n").at(-1);
  throw new Error(lastLine || `${program} ended with code ${code}`);
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
