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

/** How long a peer may take before it is stopped. */
const LIMIT_MINUTES = 20;

/** One line of a peer's results. */
export interface PeerRecord {
  readonly engine: string;
  readonly device: string;
  readonly workload: string;
  readonly sizes: Readonly<Record<string, number>>;
  readonly mode: string;
  readonly ms_min: number;
  readonly ms_median: number;
  /** Processor time of all its threads, where it tells it. */
  readonly cpu_ms_min?: number;
  /** Root mean square and projection of each output (or gradient of an input), one after the other. */
  readonly checksum?: readonly number[];
}

/** What a peer could not do. */
export interface PeerFailure {
  readonly sizes: Readonly<Record<string, number>>;
  readonly mode: string;
  readonly error: string;
}

/** All that a peer said in one run. */
export interface PeerOutput {
  readonly records: readonly PeerRecord[];
  readonly failures: readonly PeerFailure[];
}

/** What PyTorch computed for a workload's inputs. */
export interface PeerNumbers {
  readonly workload: string;
  /** Sizes such as `512x512x512`, for a matrix product. */
  readonly shape?: string;
  readonly values: readonly number[];
}

/** How to look for PyTorch. */
export interface TorchOptions {
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
    const attention = Number.parseInt(version) < 2 ? ["--attn", "naive"] : []; // older ones have no fused attention
    this.#flags = ["--device", device, "--threads", String(threads), ...attention];
  }

  /**
   * Times a workload in a new process.
   *
   * @param args The workload's name and flags, as the kit's script takes them.
   * @throws {Error} If PyTorch fails, with its error's line.
   */
  async time(...args: string[]): Promise<readonly PeerRecord[]> {
    const text = await runPeer(this.#python, [join(this.#kit, TIMING), ...args, ...this.#flags]);
    return parsePeerLines(text, TIMING).records;
  }

  /**
   * Times one of our own scripts in a new process, as {@linkcode Torch.time} does those of the kit.
   *
   * @param script Name of the script in this folder.
   */
  async own(script: string, ...args: string[]): Promise<readonly PeerRecord[]> {
    const flags = this.#flags.slice(0, 4); // device and threads
    return parsePeerLines(await runPeer(this.#python, [join(HERE, script), this.#kit, ...args, ...flags]), script)
      .records;
  }

  /**
   * What PyTorch computes for the hashed inputs of a workload.
   *
   * @throws {Error} As {@linkcode Torch.time} does.
   */
  async numbers(...args: string[]): Promise<PeerNumbers[]> {
    const text = await runPeer(this.#python, [NUMBERS, this.#kit, ...args]);
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
 * Looks for the benchmark kit.
 *
 * @param named Its folder. @default DENOFOLD_BENCH_KIT, else `../shared/bench` if it is there
 * @returns Its folder, or how to get what is missing.
 * @throws {InputError} If a kit is named that is not there.
 */
export async function findKit(named = Deno.env.get("DENOFOLD_BENCH_KIT") || undefined): Promise<string | Missing> {
  const kit = resolve(named ?? join(ROOT, "..", "shared", "bench"));
  if (await isFile(join(kit, TIMING))) return kit;
  if (named) throw new InputError(`Cannot find ${TIMING} in the benchmark kit's folder ${kit}`);
  return {
    missing: `No comparison with other programs: the benchmark kit (a folder with ${TIMING}) was not found. ` +
      "Name it with --kit DIR or the environment variable DENOFOLD_BENCH_KIT.",
  };
}

/** Why something cannot be compared with, and how to get it. */
export interface Missing {
  readonly missing: string;
}

/**
 * Looks for PyTorch.
 *
 * @param kit The benchmark kit's folder.
 * @returns PyTorch, or how to get what is missing.
 */
export async function findTorch(kit: string, options: TorchOptions): Promise<Torch | Missing> {
  const python = options.python ?? (Deno.env.get("PYTHON") || "python3");
  const ask = "import json, torch; print(json.dumps([torch.__version__, torch.cuda.is_available()]))";
  let version: unknown, cuda: unknown;
  try {
    [version, cuda] = JSON.parse(await runPeer(python, ["-c", ask]));
  } catch (error) {
    return {
      missing: `No comparison with PyTorch: ${python} cannot import torch (${message(error)}). ` +
        "Get it with `pip install numpy torch` and name another Python with the environment variable PYTHON.",
    };
  }
  return new Torch(python, kit, String(version), options.cuda && cuda === true ? "cuda" : "cpu", options.threads);
}

/**
 * Reads a peer's results: one JSON object a line; lines that do not begin with a brace are passed over.
 *
 * @param text What the peer printed.
 * @param source The peer's name, for messages.
 * @throws {SyntaxError} If a line is no JSON or lacks a field.
 */
export function parsePeerLines(text: string, source: string): PeerOutput {
  const records: PeerRecord[] = [], failures: PeerFailure[] = [];
  for (const { value, at } of jsonLines(text, source)) {
    const { engine, device, workload, sizes, mode, ms_min, ms_median, cpu_ms_min, checksum } = value;
    if (typeof engine !== "string" || typeof device !== "string" || typeof workload !== "string") {
      throw new SyntaxError(`${at}: expected engine, device and workload as texts`);
    }
    if (typeof mode !== "string" || typeof sizes !== "object" || sizes === null) {
      throw new SyntaxError(`${at}: expected mode as a text and sizes as an object`);
    }
    const numbers = Object.fromEntries(
      Object.entries(sizes).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
    );
    if (ms_min === null) {
      const [error] = String(value.error ?? "no time given").split("\n");
      failures.push({ sizes: numbers, mode, error });
      continue;
    }
    if (typeof ms_min !== "number" || typeof ms_median !== "number" || !(ms_min > 0)) {
      throw new SyntaxError(
        `${at}: expected ms_min and ms_median as numbers above 0, found ${ms_min} and ${ms_median}`,
      );
    }
    const sums = Array.isArray(checksum) ? checksum.flat() : undefined;
    if (sums && !isNumbers(sums)) throw new SyntaxError(`${at}: expected checksum as lists of numbers`);
    const busy = typeof cpu_ms_min === "number" && { cpu_ms_min };
    const record = { engine, device, workload, sizes: numbers, mode, ms_min, ms_median, ...busy };
    records.push(sums ? { ...record, checksum: sums } : record);
  }
  return { records, failures };
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

/**
 * Runs a peer's program to its end.
 *
 * @returns What it printed.
 * @throws {Error} If it fails, with its error's line, or takes longer than it may.
 */
export async function runPeer(program: string, args: readonly string[]): Promise<string> {
  const limit = AbortSignal.timeout(LIMIT_MINUTES * 60_000);
  const command = new Deno.Command(program, {
    args: [...args],
    env: KEEP_MEMORY,
    signal: limit,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { success, code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  if (limit.aborted) throw new Error(`stopped after ${LIMIT_MINUTES} minutes`);
  const lines = decoder.decode(stderr).trim().split("\n");
  // What follows an error's own line is advice on how to see more.
  const line = lines.findLast((line) => /^(\w+\.)*\w*(Error|Exception|Failed)\b/.test(line)) ?? lines.at(-1);
  throw new Error(line || `${program} ended with code ${code}`);
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/** An error's text. */
export function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
