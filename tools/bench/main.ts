/**
 * Measures: `deno task bench [NAME…] [--json]`, or what is asked of a GPU: `deno task bench --suite gpu`.
 *
 * Exit code: 0, 1 if something failed or a peer computes other numbers, 2 for wrong usage. A bar that is missed is shown,
 * and is no failure.
 *
 * @module
 */
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import config from "../../deno.json" with { type: "json" };
import type { Device, Precision } from "../../core/mod.ts";
import { ALL_FUSIONS, type Fusion, setFusions, tuningOf } from "../../ops/mod.ts";
import { withoutUnits } from "../../ops/tuning.ts";
import { fusionOption, fusionText } from "../cli/_fusion.ts";
import { precisionOption } from "../cli/_shared.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { processorName, systemName } from "../platform/machine.ts";
import { openDevice } from "../platform/open_device.ts";
import { MachineWatch } from "./machine.ts";
import { blockPeers, type BlockSize, defaultPeers, PEER_NAMES } from "./block_peers.ts";
import { findKit, findTorch } from "./peers.ts";
import { type BenchRecord, judge } from "./record.ts";
import { formatDetails, formatKernels, formatPeers, formatSizes, formatTable } from "./table.ts";
import { formatSuite, SUITE_PEERS, SUITE_SECONDS, suiteParts, SUITES } from "./suite.ts";
import { type BenchContext, LONG, WORKLOADS } from "./workloads/mod.ts";

interface Flags {
  readonly json?: true;
  readonly suite?: typeof SUITES[number];
  readonly peers?: readonly string[] | false;
  readonly sizes: readonly BlockSize[];
  readonly kit?: string;
  readonly device?: string;
  readonly precision: Precision;
  readonly rounds: number;
  readonly threads: number;
  readonly fusion: readonly Fusion[];
}

const SIZES: readonly BlockSize[] = [{ nSeq: 32, nRes: 64 }, { nSeq: 64, nRes: 128 }];

const EXAMPLES = `
Examples:
  deno task bench --suite gpu > gpu.md                figures of a GPU to send, in less than eight minutes
  deno task bench evoformer pair-block --json         beside all peers: about half an hour
  deno task bench evoformer --peers torch --sizes 32x64
  deno task bench evoformer --sizes 128x256,512x384   for a GPU; beside PyTorch in f32, tf32 and bf16`;

/** @returns The exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let code = 0;
  const program = new Command("deno task bench")
    .description("Measures this machine's adapter, beside other programs where they are installed.")
    .addArgument(
      new Argument("[NAME...]", "what to measure (default: all but the longest)").choices(Object.keys(WORKLOADS)),
    )
    .option("--json", "print one JSON object a line instead of a table")
    .addOption(
      new Option("--suite <name>", "measure what matters on a GPU; prints a Markdown table and one JSON").choices(
        SUITES,
      ),
    )
    .addOption(
      new Option("--sizes <list>", "N_seq x N_res of evoformer and pair-block (which has no N_seq)")
        .argParser(sizes).default(SIZES, "32x64,64x128"),
    )
    .option("--peers <list>", `compare with these alone: ${PEER_NAMES.join(", ")}`, peerNames)
    .option("--no-peers", "compare with no other programs")
    .option("--kit <dir>", "folder of the benchmark kit (default: DENOFOLD_BENCH_KIT, else ../shared/bench)")
    .option("--device <name>", "auto, gpu, low-power, software, or a part of an adapter's name")
    .addOption(precisionOption())
    .option("--rounds <n>", "how many times we and the peers take turns", positiveInteger, 2)
    .option("--threads <n>", "threads of a peer on the CPU", positiveInteger, navigator.hardwareConcurrency)
    .addOption(fusionOption())
    .action(async (names: string[], flags: Flags) => {
      if (flags.suite && names.length) {
        program.error(`denofold: --suite ${flags.suite} says what is measured: give no names`);
      }
      if (flags.suite) code = await suite({ ...flags, peers: flags.peers ?? SUITE_PEERS });
      else code = await bench(names.length ? names : Object.keys(WORKLOADS).filter((name) => !LONG.has(name)), flags);
    })
    .addHelpText("after", EXAMPLES)
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

/** An adapter to measure, and what it is measured with. */
interface Bench {
  readonly context: BenchContext;
  /** The program and the adapter, as every record tells them. */
  readonly about: { readonly engine: string; readonly adapter: string };
}

async function openBench(flags: Flags): Promise<Bench> {
  const note = (line: string) => console.error(line);
  const { adapter } = await ensureAdapter({ device: flags.device, install: true, log: note });
  const device = await openDevice(adapter, { precision: flags.precision });
  setFusions(device, flags.fusion);
  const { torch, peers } = await findPeers(note, flags, device);
  const { description, subgroupSize, matrixUnits } = device.traits;
  const units = withoutUnits(device) && matrixUnits ? `, products on ${matrixUnits.operands} matrix units` : "";
  const fusion = flags.fusion === ALL_FUSIONS ? "" : `, fusion ${fusionText(flags.fusion)}`;
  const about = {
    engine: `denofold ${config.version}${units}${fusion}`,
    adapter: subgroupSize ? `${description}, ${subgroupSize} lanes` : description,
  };
  return { context: { ...flags, device, torch, peers, note }, about };
}

/** Measures one workload; gives each record as soon as it is there. */
async function* recordsOf(name: string, { context, about }: Bench): AsyncIterable<BenchRecord> {
  context.note(`Measuring ${name} …`);
  const watch = new MachineWatch(navigator.hardwareConcurrency);
  for await (const measurement of WORKLOADS[name](context)) {
    const { state } = watch;
    yield { ...about, ...measurement, bars: judge(measurement.bars ?? [], state.busy), ...state };
  }
}

/** @returns The exit code: 1 if a peer computes other numbers. */
function codeOf(records: readonly BenchRecord[], note: BenchContext["note"]): number {
  if (records.some(({ busy }) => busy)) {
    note(
      "The machine was busy: other programs took part of its processors. Wall-clock times and ratios to peers say " +
        "little then, CPU times more. Measure again when it is idle.",
    );
  }
  return records.some(({ agrees }) => agrees === false) ? 1 : 0;
}

async function bench(names: readonly string[], flags: Flags): Promise<number> {
  const opened = await openBench(flags);
  const { context, about } = opened;
  const records: BenchRecord[] = [];
  for (const name of new Set(names)) {
    for await (const record of recordsOf(name, opened)) {
      records.push(record);
      if (flags.json) console.log(JSON.stringify(record));
    }
  }
  context.device.close();
  if (!flags.json) {
    console.log(`${about.engine} on ${about.adapter}\n`);
    console.log(formatTable(records));
    const details = records.flatMap(formatDetails);
    for (const text of [formatPeers(records), formatKernels(records), details.join("\n")]) {
      if (text) console.log(`\n${text}`);
    }
  }
  return codeOf(records, context.note);
}

async function suite(flags: Flags): Promise<number> {
  const began = performance.now();
  const opened = await openBench(flags);
  const { context, about } = opened;
  const { device } = context;
  const records: BenchRecord[] = [], leftOut: string[] = [];
  for (const { name, sizes } of suiteParts(device.traits.software)) {
    if (performance.now() - began > 1000 * SUITE_SECONDS) {
      leftOut.push([name, ...sizes.map((size) => formatSizes({ ...size }))].join(" ") + ": there was no time");
      continue;
    }
    for await (const record of recordsOf(name, { about, context: { ...context, sizes } })) records.push(record);
  }
  const result = {
    about: {
      program: about.engine,
      adapter: about.adapter,
      tuning: JSON.stringify(tuningOf(device)),
      system: `${systemName()}, ${processorName()}, Deno ${Deno.version.deno}`,
      date: new Date().toISOString().slice(0, 10),
    },
    ...{ records, leftOut },
  };
  device.close();
  console.log(flags.json ? JSON.stringify(result) : formatSuite(result));
  return codeOf(records, context.note);
}

/** The peers that are wished for and there; says what is missing. */
async function findPeers(note: (line: string) => void, flags: Flags, device: Device) {
  const { software } = device.traits;
  if (flags.peers === false) return { torch: null, peers: [] };
  const names = flags.peers ?? defaultPeers(software);
  const kit = await findKit(flags.kit);
  if (typeof kit !== "string") {
    note(kit.missing);
    return { torch: null, peers: [] };
  }
  const wanted = names.some((name) => name.startsWith("torch"));
  const found = wanted ? await findTorch(kit, { cuda: !software, threads: flags.threads }) : null;
  if (found && "missing" in found) note(found.missing);
  const torch = found && "missing" in found ? null : found;
  return { torch, peers: blockPeers(names, kit, torch, software) };
}

/** Commander's message, and the suggestion that it puts on a line below, as one line of the project's form. */
function oneLine(text: string): string {
  return `${text.replace(/^error: /, "denofold: ").trim().replace(/\s*\n\s*/g, " ")}\n`;
}

function positiveInteger(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError("Expected a positive integer.");
  return Number(text);
}

function sizes(text: string): BlockSize[] {
  return text.split(",").map((size) => {
    const [, nSeq, nRes] = /^([1-9]\d*)x([1-9]\d*)$/.exec(size.trim()) ?? [];
    if (!nRes) throw new InvalidArgumentError("Expected sizes such as 32x64,64x128.");
    return { nSeq: Number(nSeq), nRes: Number(nRes) };
  });
}

function peerNames(text: string): string[] {
  return text.split(",").map((name) => {
    if (!PEER_NAMES.includes(name.trim())) {
      throw new InvalidArgumentError(`There is no peer ${name.trim()}; there are ${PEER_NAMES.join(", ")}.`);
    }
    return name.trim();
  });
}

if (import.meta.main) Deno.exit(await main(Deno.args));
