/**
 * Gives every reader of files many spoilt or rewritten ones: `deno task fuzz [READER…] [--rewrite] [--count N] [--seed N] [--from N]`.
 *
 * A reader must refuse with one line that names the file and the place, or read something sound: no crash, no second of
 * processor time, no number that is not finite, no memory beyond measure. With `--rewrite` it gets valid files in other
 * words — columns and categories permuted, other quotes, spaces, line lengths and ends, chains renamed — and must read
 * the same. The number of an input makes it again.
 *
 * @module
 */
import { Command } from "commander";
import { nonNegativeInteger, positiveInteger } from "../../tools/cli/_shared.ts";
import { type Finding, Fuzzer } from "./fuzz.ts";
import { READERS } from "./readers.ts";
import { RewriteFuzzer, REWRITERS } from "./rewrite.ts";
import type { FuzzNews, FuzzTask } from "./worker.ts";

/** A reader that works on one input for so long is ended. */
const HANGS_MS = 20_000;

/** A reader that hung so often gets no more inputs. */
const MOST_HANGS = 2;

/** Findings that are shown of each kind. */
const SHOWN = 3;

interface Flags {
  readonly rewrite: boolean;
  readonly count: number;
  readonly seed: number;
  readonly from: number;
  readonly keep?: string;
}

/** Runs one reader; goes on after an input at which it hung. */
async function fuzzReader(reader: string, { rewrite, count, seed, from }: Flags, folder: string): Promise<boolean> {
  const findings: Finding[] = [];
  const at = new Int32Array(new SharedArrayBuffer(4));
  const to = from + count;
  let cpuSeconds = 0, mostMs = 0, hangs = 0;
  for (let next = from; next < to && hangs < MOST_HANGS;) {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    const task: FuzzTask = { reader, rewrite, seed, from: next, to, folder, at };
    next = await new Promise<number>((resolve, reject) => {
      let seen = -1, since = performance.now();
      const watch = setInterval(() => {
        const index = Atomics.load(at, 0);
        if (index !== seen) [seen, since] = [index, performance.now()];
        else if (performance.now() - since > HANGS_MS) {
          hangs++;
          findings.push({ reader, index, what: "hangs", done: [] });
          end(index + 1);
        }
      }, 500);
      const end = (index: number) => {
        clearInterval(watch);
        worker.terminate();
        resolve(index);
      };
      worker.onmessage = ({ data }: MessageEvent<FuzzNews>) => {
        if ("finding" in data) return void findings.push(data.finding);
        cpuSeconds += data.cpuSeconds;
        mostMs = Math.max(mostMs, data.mostMs);
        end(to);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        clearInterval(watch);
        reject(new Error(`${reader}: ${event.message}`));
      };
      worker.postMessage(task);
    });
  }
  const kinds = Map.groupBy(findings, ({ what }) => what.replace(/"[^"]*"|\d+/g, "#").slice(0, 80));
  console.log(
    `${reader.padEnd(14)} ${count} inputs${hangs < MOST_HANGS ? "" : ", given up"}, ${findings.length} findings, ${
      cpuSeconds.toFixed(1)
    } s of processor time, ` +
      `${mostMs.toFixed(0)} ms at most`,
  );
  for (const some of kinds.values()) {
    for (const { index, what, done } of some.slice(0, SHOWN)) {
      console.log(`   input ${index} (${done.join(", ")}): ${what.replaceAll("\n", "\n      ")}`);
    }
    if (some.length > SHOWN) console.log(`   and ${some.length - SHOWN} more like these`);
  }
  return findings.length === 0;
}

async function main(readers: string[], given: Omit<Flags, "count"> & { readonly count?: number }): Promise<void> {
  const flags: Flags = { ...given, count: given.count ?? (given.rewrite ? 2000 : 10_000) };
  const all = Object.keys(flags.rewrite ? REWRITERS : READERS);
  const names = readers.length > 0 ? readers : all;
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined) {
    console.error(`fuzz: there is no reader "${unknown}": there are ${all.join(", ")}`);
    Deno.exit(2);
  }
  const folder = await Deno.makeTempDir();
  try {
    let sound = true;
    for (const name of names) {
      if (flags.keep !== undefined) {
        const fuzzer = await (flags.rewrite ? RewriteFuzzer : Fuzzer).open(name, folder, flags.seed);
        const { bytes, ending } = await fuzzer.input(flags.from);
        await Deno.writeFile(`${flags.keep}.${ending}`, bytes);
      } else sound = await fuzzReader(name, flags, folder) && sound;
    }
    if (!sound) Deno.exitCode = 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  Deno.exit(); // a thread that hangs keeps on, though it was ended
}

await new Command("fuzz")
  .description("give every reader of files many spoilt ones, or valid ones in other words")
  .argument("[readers...]", `of ${Object.keys(READERS).join(", ")} (default: all)`)
  .option("--rewrite", "rewrite the files so that they mean the same; they must be read as the same", false)
  .option("--count <n>", "inputs for each reader (default: 10,000; 2,000 rewritten ones)", positiveInteger)
  .option("--seed <n>", "decides all inputs", nonNegativeInteger, 1)
  .option("--from <n>", "number of the first input", nonNegativeInteger, 0)
  .option("--keep <file>", "write the first input to this file (its ending is added) instead of reading any")
  .action(main)
  .parseAsync(["deno", "fuzz", ...Deno.args]);
