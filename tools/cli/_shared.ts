/** What the commands share: exit codes, parsers of flag values, progress, Ctrl-C. */
import { InvalidArgumentError, Option } from "commander";
import { SingleBar } from "cli-progress";
import { PRECISIONS } from "../../core/mod.ts";
import { BOUNDS_POLICIES } from "../data/bounds.ts";
import { type Remarked, warningsOf } from "../data/remarks.ts";

/** The command as the user typed it, with quotes where a shell needs them. */
export function commandLine(): string {
  const words = ["denofold", ...Deno.args];
  return words.map((word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`).join(" ");
}

/** Prints on stderr what was unusual in what was read. */
export function tellRemarks(...read: readonly Remarked[]): void {
  for (const warning of read.flatMap(warningsOf)) console.error(`warning: ${warning}`);
}

/** How a command can end. */
export const EXIT = {
  ok: 0,
  /** The input, the machine or the program is at fault. */
  failure: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Ctrl-C; what was done up to then is saved. */
  interrupted: 130,
} as const;

/** The flag by which every command that computes chooses its adapter; pass its value to `ensureAdapter`, with `install: true`. */
export function deviceOption(): Option {
  return new Option(
    "--device <name>",
    'what to run on: "auto", "gpu", "low-power", "software" (or "cpu"), or a part of an adapter\'s name; ' +
      'after "dawn:" ("dawn" alone is "dawn:auto"), an adapter of Dawn instead of Deno\'s WebGPU',
  ).env("DENOFOLD_DEVICE").default("auto");
}

/** The flag that says how matrix products are computed where an adapter has matrix units; pass its value to `openDevice`. */
export function precisionOption(): Option {
  return new Option(
    "--precision <what>",
    "f16-products: round the operands of matrix products to f16, with sums in f32, where the adapter has matrix units for " +
      "that (through Dawn alone: --device dawn), but not of gradients; units that take f32 are used either way",
  ).choices(PRECISIONS).default(PRECISIONS[0]);
}

/** The flag that says what becomes of labels that are bounds or estimates. */
export function boundsOption(): Option {
  return new Option(
    "--bounds <what>",
    "labels such as Kd<10uM and IC50~3nM: leave them out, take them for values, or keep both",
  )
    .choices(BOUNDS_POLICIES).default("drop");
}

/** Parses a flag's value as a whole number above zero. */
export function positiveInteger(value: string): number {
  return integer(value, 1, "a whole number above zero");
}

/** Parses a flag's value as a whole number, zero included. */
export function nonNegativeInteger(value: string): number {
  return integer(value, 0, "a whole number, zero or more");
}

function integer(value: string, least: number, expected: string): number {
  const number = /^[+]?\d+$/.test(value.trim()) ? Number(value) : NaN;
  if (!Number.isSafeInteger(number) || number < least) throw expectedValue(expected);
  return number;
}

/** Parses a flag's value as a number above zero. */
export function positiveNumber(value: string): number {
  const number = decimal(value);
  if (!(number > 0)) throw expectedValue("a number above zero");
  return number;
}

/** Parses a flag's value as a number, zero included. */
export function nonNegativeNumber(value: string): number {
  const number = decimal(value);
  if (!(number >= 0)) throw expectedValue("a number, zero or more");
  return number;
}

/** Makes a parser of numbers from `least` to `most`, both included; for probabilities, say. */
export function numberBetween(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = decimal(value);
    if (!(number >= least && number <= most)) throw expectedValue(`a number from ${least} to ${most}`);
    return number;
  };
}

/** The number that a text says in decimal or with an exponent, else NaN. */
function decimal(value: string): number {
  const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value.trim()) ? Number(value) : NaN;
  return Number.isFinite(number) ? number : NaN;
}

/** The error that names the flag and the value found; commander puts both before this sentence. */
function expectedValue(expected: string): InvalidArgumentError {
  return new InvalidArgumentError(`Expected ${expected}.`);
}

/** Shows how far a command has come; see {@link startProgress}. */
export interface Progress {
  /** Says that `done` steps are done, with a few words about the last one. */
  update(done: number, text?: string): void;
  /** Prints a line without spoiling the bar. */
  log(line: string): void;
  /** Ends the bar; the last state stays on the screen. */
  stop(): void;
}

/** How {@link startProgress} shows progress. */
export interface ProgressOptions {
  /** What is being done, one or two words. */
  label: string;
  /** Number of steps. */
  total: number;
  /**
   * Without a terminal, print a line each time this many steps are done.
   *
   * @default a tenth of the steps
   */
  every?: number;
  /** Say how long the steps that are left will take. @default true */
  tellsTime?: boolean;
}

/** Starts to show progress on stderr: a bar in a terminal, plain lines elsewhere. */
export function startProgress({ label, total, every, tellsTime = true }: ProgressOptions): Progress {
  const left = tellsTime ? timeLeft(total) : () => "";
  return Deno.stderr.isTerminal()
    ? bar(label, total, left)
    : lines(label, total, every ?? Math.max(1, Math.ceil(total / 10)), left);
}

function bar(label: string, total: number, left: (done: number) => string): Progress {
  const single = new SingleBar({
    format: `${label} {bar} {value}/{total} · {duration_formatted} {left} · {text}`,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 24,
    hideCursor: true,
    gracefulExit: false, // Ctrl-C is the command's business
  });
  const leftText = (done: number) => {
    const time = left(done);
    return time === "" ? "" : ` · ${time}`;
  };
  single.start(total, 0, { text: "", left: "" });
  return {
    update: (done, text = "") => single.update(done, { text, left: leftText(done) }),
    log: (line) => {
      if (Deno.stderr.isTerminal()) write("\r\x1b[2K"); // the bar's line; it is drawn again at the next tick
      write(`${line}\n`);
    },
    stop: () => single.stop(),
  };
}

/** Words for the time that the steps still to be made will take, by the pace of the later half of those that were. */
function timeLeft(total: number): (done: number) => string {
  const marks: [done: number, time: number][] = [];
  return (done) => {
    const now = performance.now();
    marks.push([done, now]);
    while (marks.length > 2 && marks[1][0] <= done / 2) marks.shift();
    const [[first, from]] = marks;
    if (done >= total || done === first) return "";
    return `${shortTime((total - done) * (now - from) / (done - first) / 1000)} left`;
  };
}

/** A time in s as a person would say it. */
export function shortTime(seconds: number): string {
  if (seconds < 59.5) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function lines(label: string, total: number, every: number, left: (done: number) => string): Progress {
  let shown = 0;
  return {
    update(done, text = "") {
      const time = left(done);
      if (done < total && done < shown + every) return;
      if (done === shown) return;
      shown = done;
      write(`${[`${label} ${done}/${total}`, text, time].filter((part) => part !== "").join(" · ")}\n`);
    },
    log: (line) => write(`${line}\n`),
    stop() {},
  };
}

function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
}

/** Tells a command that the user wants it to stop; made by {@link onInterrupt}. */
export interface Interrupt extends Disposable {
  /** True once Ctrl-C was pressed (or the process was asked to end): finish the step, save, return. */
  readonly requested: boolean;
  /** Aborts at the same moment, for functions that take a signal. */
  readonly signal: AbortSignal;
  /** Lets signals come through and returns `requested`; a loop that never waits for anything else must ask this way. */
  poll(): Promise<boolean>;
}

/**
 * Takes over Ctrl-C (SIGINT, and SIGTERM outside Windows) until disposed. The first one lets the running step finish, so
 * that the command can save, and sets the exit code to 130; a second one ends the process at once.
 *
 * ```ts ignore
 * using interrupt = onInterrupt();
 * for (let step = 0; step < steps && !await interrupt.poll(); step++) await train(step);
 * await save();
 * ```
 *
 * @param message What is printed at the first Ctrl-C.
 */
export function onInterrupt(
  message = "Stopping after this step, then saving. Press Ctrl-C again to stop at once.",
): Interrupt {
  const controller = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  const handler = () => {
    if (controller.signal.aborted) Deno.exit(EXIT.interrupted);
    controller.abort();
    Deno.exitCode = EXIT.interrupted;
    write(`\n${message}\n`);
  };
  for (const signal of signals) Deno.addSignalListener(signal, handler);
  return {
    get requested() {
      return controller.signal.aborted;
    },
    signal: controller.signal,
    async poll() {
      await new Promise((resolve) => setTimeout(resolve, 0));
      return controller.signal.aborted;
    },
    [Symbol.dispose]() {
      for (const signal of signals) Deno.removeSignalListener(signal, handler);
    },
  };
}
