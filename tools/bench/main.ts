/**
 * Measures: `deno task bench [NAME…] [--json]`.
 *
 * Exit code: 0, 1 if something failed or a peer computes other numbers, 2 for wrong usage. A bar that is missed is shown,
 * and is no failure.
 *
 * @module
 */
import { Argument, Command, CommanderError, InvalidArgumentError } from "commander";
import config from "../../deno.json" with { type: "json" };
import { Device } from "../../core/mod.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { isBusy, loadAverage } from "./machine.ts";
import { findTorch, type Torch } from "./peers.ts";
import { type BenchRecord, judge } from "./record.ts";
import { formatDetails, formatTable } from "./table.ts";
import { WORKLOADS } from "./workloads/mod.ts";

interface Flags {
  readonly json?: true;
  readonly peers: boolean;
  readonly kit?: string;
  readonly device?: string;
  readonly rounds: number;
  readonly threads: number;
}

/** @returns The exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let code = 0;
  const program = new Command("deno task bench")
    .description("Measures this machine's adapter, beside other programs where they are installed.")
    .addArgument(new Argument("[NAME...]", "what to measure (default: all)").choices(Object.keys(WORKLOADS)))
    .option("--json", "print one JSON object a line instead of a table")
    .option("--no-peers", "compare with no other programs")
    .option("--kit <dir>", "folder of the benchmark kit's torch_peer.py (default: DENOFOLD_BENCH_KIT, ../shared/bench)")
    .option("--device <name>", "auto, gpu, low-power, software, or a part of an adapter's name")
    .option("--rounds <n>", "how many times we and the peer take turns", positiveInteger, 2)
    .option("--threads <n>", "threads of a peer on the CPU", positiveInteger, navigator.hardwareConcurrency)
    .action(async (names: string[], flags: Flags) => {
      code = await bench(names.length ? names : Object.keys(WORKLOADS), flags);
    })
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(oneLine(text)) });
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // it has printed its message
    console.error(`denofold: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}

async function bench(names: readonly string[], flags: Flags): Promise<number> {
  const note = (line: string) => console.error(line);
  const start = loadAverage();
  const cores = navigator.hardwareConcurrency;
  const { adapter } = await ensureAdapter({ device: flags.device, log: note });
  const device = await Device.open(adapter);
  const torch = flags.peers ? await torchOr(note, flags, device) : null;
  const records: BenchRecord[] = [];
  const { description, subgroupSize } = device.traits;
  const about = {
    engine: `denofold ${config.version}`,
    adapter: subgroupSize ? `${description}, ${subgroupSize} lanes` : description,
  };
  for (const name of new Set(names)) {
    note(`Measuring ${name} …`);
    const loadBefore = loadAverage();
    for await (const measurement of WORKLOADS[name]({ device, torch, rounds: flags.rounds })) {
      const loadAfter = loadAverage();
      const busy = isBusy(start, loadAfter, cores);
      const loads = { load_before: loadBefore, load_after: loadAfter, busy };
      const record = { ...about, ...measurement, bars: judge(measurement.bars ?? [], busy), ...loads };
      records.push(record);
      if (flags.json) console.log(JSON.stringify(record));
    }
  }
  device.close();
  if (!flags.json) {
    console.log(`${about.engine} on ${about.adapter}\n`);
    console.log(formatTable(records));
    const details = records.flatMap(formatDetails);
    if (details.length) console.log(`\n${details.join("\n")}`);
  }
  if (records.some(({ busy }) => busy)) {
    note(
      `The machine was busy (load average ${start} before, ${loadAverage()} after, on ${cores} processors): wall-clock ` +
        "times and ratios to peers say little, CPU times more. Measure again when it is idle.",
    );
  }
  return records.some(({ agrees }) => agrees === false) ? 1 : 0;
}

async function torchOr(note: (line: string) => void, flags: Flags, device: Device): Promise<Torch | null> {
  const found = await findTorch({ kit: flags.kit, cuda: !device.traits.software, threads: flags.threads });
  if (!("missing" in found)) return found;
  note(found.missing);
  return null;
}

/** Commander's message, and the suggestion that it puts on a line below, as one line of the project's form. */
function oneLine(text: string): string {
  return `${text.replace(/^error: /, "denofold: ").trim().replace(/\s*\n\s*/g, " ")}\n`;
}

function positiveInteger(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError("Expected a positive integer.");
  return Number(text);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
