/** Every kernel of every op on an adapter, against float64: the table of `denofold doctor --check`. */
import { ADD_INTO, ADD_UP } from "../../core/add_into.ts";
import { requestTraits } from "../../core/adapter.ts";
import {
  type AdapterTraits,
  Device,
  type Kernel,
  type KernelFamily,
  type LoadPath,
  type Precision,
  PRECISIONS,
  type ProbeOutcome,
} from "../../core/mod.ts";
import { loadsKernel } from "../../core/kernels.ts";
import { CHECK } from "../../core/numerics.ts";
import { adamKernel, emaKernel, squareSumKernel, stepGuardKernel } from "../../finetune/optimizer.wgsl.ts";
import { fapeFramesKernel, fapeKernel, fapePointsKernel } from "../../model/alphafold/losses/fape.wgsl.ts";
import { lddtCountsKernel, lddtScoresKernel } from "../../model/alphafold/losses/lddt_ca.wgsl.ts";
import { renamingKernel } from "../../model/alphafold/losses/renamed_ground_truth.wgsl.ts";
import { bondTermsKernel, bondTermsVjpKernel } from "../../model/alphafold/losses/violations/bonds.wgsl.ts";
import {
  clashesKernel,
  clashesVjpKernel,
  spheresKernel,
} from "../../model/alphafold/losses/violations/clashes.wgsl.ts";
import {
  withinResiduesKernel,
  withinResiduesVjpKernel,
} from "../../model/alphafold/losses/violations/within_residues.wgsl.ts";
import { pointGradientKernel, pointLogitsKernel } from "../../model/alphafold/structure/_point_logits.wgsl.ts";
import { atom37Kernel, atom37VjpKernel } from "../../model/alphafold/structure/atom14_to_atom37.wgsl.ts";
import { atom14Kernel, atom14VjpKernel } from "../../model/alphafold/structure/frames_to_atom14.wgsl.ts";
import {
  torsionFramesKernel,
  torsionFramesVjpKernel,
} from "../../model/alphafold/structure/torsion_angles_to_frames.wgsl.ts";
import { pullKernel, spreadKernel } from "../../model/distance_geometry/mds_gpu.wgsl.ts";
import { type BatteryKernel, batteryOf, type BatteryRow } from "../../ops/_battery/mod.ts";
import { attention, gatedTriangleProduct, layerNorm, linear } from "../../ops/mod.ts";
import { linesOf, ownCommand } from "./own_process.ts";

/** What all kernels of a row gave that load one way. */
export interface CheckedPath {
  /** `same`: they load nothing that could come from a texture. */
  readonly status: "ok" | "wrong" | "not offered" | "same";
  /** Kernels that were run. */
  readonly kernels: number;
  /** Largest error of a right kernel, as a share of the largest number. */
  readonly largestError: number;
  /** Those that are wrong, and why. */
  readonly wrong: readonly string[];
}

/** One version of an op's way there or back. */
export interface CheckedRow extends Record<LoadPath, CheckedPath> {
  /** The op. */
  readonly op: string;
  /** The way there, or back. */
  readonly pass: "forward" | "gradient";
  /** The version; `all` where there is one for all adapters. */
  readonly family: KernelFamily | "all";
}

/** What {@linkcode checkKernels} found. */
export interface KernelCheck {
  /** Every version of every op. */
  readonly rows: readonly CheckedRow[];
  /** Whether every op has a version that is right. */
  readonly ok: boolean;
  /** Kernels that were not run, as it would have taken too long: further structures of versions that were. */
  readonly leftOut: number;
  /** What it took. */
  readonly timeMs: number;
}

const FAMILIES: readonly KernelFamily[] = ["matrix", "subgroup", "workgroup", "plain"];
const PATHS: readonly LoadPath[] = ["textures", "buffers"];
const NOT_OFFERED: CheckedPath = { status: "not offered", kernels: 0, largestError: 0, wrong: [] };

/** Most processes that check kernels side by side. */
const PROCESSES = 4;

/** Kernels of each row that are run before any others; some of them are made of many pieces of text, and few are alike. */
const FIRST = 4;
/** Kernels of a row that are run at once, from then on. */
const AT_ONCE = 12;
/**
 * Milliseconds after which no more kernels are begun where every row has had its first ones, so that all of it takes less
 * than a minute. What a driver has compiled it keeps: the next time, more of them fit.
 */
const ENOUGH_MS = 47_000;

/** Some kernels of a row. */
interface Piece {
  readonly row: number;
  readonly from: number;
  readonly to: number;
}

/** How {@linkcode checkKernels} goes about it. */
export interface CheckOptions {
  /** What to run on, as the `--device` flag says it. */
  readonly device: string;
  /** How matrix products are computed. @default "f32" */
  readonly precision?: Precision;
  /** Called after each row. */
  readonly onRow?: (done: number, total: number, op: string) => void;
}

/**
 * Runs the kernels of all ops on an adapter: every family that it can run, the way there and back, loads from where the
 * adapter prefers to load from. Of a family's kernels that load from elsewhere, one of each row stands for the others.
 * Where compiling them takes longer than a minute, each row has its first ones, and what is left out is counted.
 *
 * Most of the time goes into compiling, which software drivers do on one processor: rows are shared out among processes,
 * the command line started once more. A driver that ends such a process ends a row.
 */
export async function checkKernels(
  adapter: GPUAdapter,
  { device, precision = PRECISIONS[0], onRow }: CheckOptions,
): Promise<KernelCheck> {
  const began = performance.now();
  const { device: gpu, traits } = await requestTraits(adapter, { precision });
  gpu.destroy();
  const battery = allRows(traits);
  const found = battery.map((): Record<LoadPath, CheckedPath>[] => []);
  const ended = new Set<number>();
  const pieces = piecesOf(battery, traits.kernelFamilies);
  const total = pieces.length;
  let done = 0, leftOut = 0;
  const work = async () => {
    let child: RowProcess | undefined;
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      const { row, from, to } = piece;
      if (from > 0 && (ended.has(row) || performance.now() - began > ENOUGH_MS)) {
        leftOut += to - from;
        continue;
      }
      child ??= new RowProcess(device, precision);
      const { paths, reason } = await child.check(piece);
      if (reason !== undefined) {
        child = undefined;
        ended.add(row);
      }
      const lost: CheckedPath = { status: "wrong", kernels: 0, largestError: 0, wrong: [reason ?? ""] };
      found[row].push(paths ?? { textures: lost, buffers: lost });
      onRow?.(++done, total, battery[row].op);
    }
    await child?.close();
  };
  await Promise.all(Array.from({ length: Math.min(PROCESSES, navigator.hardwareConcurrency) }, work));
  const checked = battery.map(({ op, pass, family }, row): CheckedRow => ({
    ...{ op, pass, family },
    textures: together(found[row].map(({ textures }) => textures)),
    buffers: together(found[row].map(({ buffers }) => buffers)),
  }));
  const missing = FAMILIES.filter((family) => !traits.kernelFamilies.includes(family)).map((family): CheckedRow => ({
    ...{
      op: family === "matrix" ? "all products" : "all ops",
      pass: "forward",
      family,
      textures: NOT_OFFERED,
      buffers: NOT_OFFERED,
    },
  }));
  return { rows: [...checked, ...missing], ok: everyOpHasOne(checked), leftOut, timeMs: performance.now() - began };
}

/**
 * The rows in pieces: the first kernels of each, then the others, of the versions that the adapter prefers before those
 * that it does not; what takes longest goes ahead.
 */
function piecesOf(battery: readonly BatteryRow[], families: readonly KernelFamily[]): Piece[] {
  const heavy = ({ family, check, kernels }: BatteryRow) => check ? 12 : (family === "all" ? 0.1 : 1) * kernels.length;
  const rows = [...battery.keys()].sort((a, b) => heavy(battery[b]) - heavy(battery[a]));
  const first = rows.map((row): Piece => ({ row, from: 0, to: Math.min(FIRST, battery[row].kernels.length) }));
  const others = rows.flatMap((row): Piece[] => {
    const { length } = battery[row].kernels;
    const starts = Array.from({ length: Math.ceil((length - FIRST) / AT_ONCE) }, (_, k) => FIRST + k * AT_ONCE);
    return starts.map((from) => ({ row, from, to: Math.min(from + AT_ONCE, length) }));
  });
  const preferred = ["all", ...families.slice(0, families[0] === "matrix" ? 2 : 1)]; // on units there are products alone
  const isSpare = ({ row }: Piece) => !preferred.includes(battery[row].family);
  return [...first, ...others.filter((piece) => !isSpare(piece)), ...others.filter(isSpare)];
}

/** What all pieces of a row gave. */
function together(paths: readonly CheckedPath[]): CheckedPath {
  const status = (["wrong", "ok"] as const).find((status) => paths.some((path) => path.status === status));
  return {
    status: status ?? paths[0].status,
    kernels: paths.reduce((sum, { kernels }) => sum + kernels, 0),
    largestError: Math.max(...paths.map(({ largestError }) => largestError)),
    wrong: paths.flatMap(({ wrong }) => wrong),
  };
}

/** Name of the hidden flag of `denofold doctor` with which {@linkcode checkKernels} starts it. */
export const CHECK_ROWS = "--check-rows";

/** The command line once more, checking rows that it is told of. */
class RowProcess {
  readonly #child: Deno.ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array>;
  readonly #errors: Promise<string>;

  constructor(device: string, precision: Precision) {
    const args = ["doctor", CHECK_ROWS, "--device", device, "--precision", precision];
    this.#child = ownCommand(args, { stdin: "piped" }).spawn();
    this.#answers = linesOf(this.#child.stdout);
    this.#orders = this.#child.stdin.getWriter();
    this.#errors = new Response(this.#child.stderr).text();
  }

  /** What some kernels of a row gave, or how the process ended over them. */
  async check(
    { row, from, to }: Piece,
  ): Promise<{ readonly paths?: Record<LoadPath, CheckedPath>; readonly reason?: string }> {
    await this.#orders.write(new TextEncoder().encode(`${row} ${from} ${to}\n`)).catch(() => {}); // it ended: so does the answer
    const { value, done } = await this.#answers.next();
    if (!done) return { paths: JSON.parse(value) };
    await this.#orders.abort().catch(() => {});
    const { code, signal } = await this.#child.status;
    const last = (await this.#errors).trim().split("\n").at(-1);
    return { reason: `the process that ran it ended (${signal ?? `exit code ${code}`})${last ? `: ${last}` : ""}` };
  }

  async close(): Promise<void> {
    await this.#orders.close();
    await this.#answers.next();
    await this.#errors;
    await this.#child.status;
  }
}

/**
 * What such a process does: reads numbers of a row and of its kernels from the first to before the last, a line each, and
 * prints what they gave, a line of JSON each.
 */
export async function checkRows(adapter: GPUAdapter, precision: Precision): Promise<void> {
  const { device: gpu, traits } = await requestTraits(adapter, { precision });
  const device = new Device(gpu, traits, { verify: false });
  const battery = allRows(traits);
  for await (const line of linesOf(Deno.stdin.readable)) {
    const [number, from, to] = line.split(" ").map(Number);
    const { kernels, check, ...about } = battery[number];
    const sample = kernels.findLast(([kernel]) => isLoading(kernel));
    const row = { ...about, ...(from === 0 && { check, sample }), kernels: kernels.slice(from, to) };
    const paths = {
      textures: await checkRow(device, row, "textures"),
      buffers: await checkRow(device, row, "buffers"),
    };
    console.log(JSON.stringify(paths));
  }
  device.close();
}

/** All rows for an adapter. */
export function allRows(traits: AdapterTraits): BatteryRow[] {
  const loads = loadsKernel({ lanes: traits.subgroupSize || 64 });
  return [
    {
      ...{ op: "loads and stores", pass: "forward", family: "all" },
      kernels: [[loads], [loads, ["x"]], [loads, ["out"]], [loads, ["x", "out"]]],
    },
    ...batteryOf(traits),
    { op: "gradient sums", pass: "gradient", family: "all", kernels: [[ADD_INTO], [ADD_UP]] },
    {
      ...{ op: "optimizer", pass: "forward", family: "all" },
      kernels: [
        [squareSumKernel],
        ...[true, false].flatMap((yes) =>
          [stepGuardKernel({ loss: yes }), emaKernel({ guarded: yes }), adamKernel({ decoupled: yes })].map((kernel) =>
            [kernel] as const
          )
        ),
      ],
    },
    {
      ...{ op: "point attention", pass: "forward", family: "all" },
      kernels: [true, false].flatMap((vectors) =>
        [true, false].map((other) =>
          [
            pointLogitsKernel({
              ...{ channelVectors: vectors, pointVectors: vectors },
              ...{ masked: other, rowVectors: vectors !== other },
            }),
          ] as const
        )
      ),
    },
    {
      ...{ op: "point attention", pass: "gradient", family: "all" },
      kernels: [true, false].flatMap((pointVectors) =>
        [true, false].map((transposed) => [pointGradientKernel({ pointVectors, transposed })] as const)
      ),
    },
    {
      ...{ op: "angles to atoms", pass: "forward", family: "all" },
      kernels: [[torsionFramesKernel], [atom14Kernel], [atom37Kernel]],
    },
    {
      ...{ op: "angles to atoms", pass: "gradient", family: "all" },
      kernels: [[torsionFramesVjpKernel], [atom14VjpKernel], [atom37VjpKernel]],
    },
    {
      ...{ op: "structure losses", pass: "forward", family: "all" },
      kernels: [
        ...[true, false].map((paired) => [fapeKernel({ paired })] as const),
        ...[[renamingKernel], [lddtCountsKernel], [lddtScoresKernel]] as const,
        ...[[bondTermsKernel], [spheresKernel], [clashesKernel], [withinResiduesKernel]] as const,
      ],
    },
    {
      ...{ op: "structure losses", pass: "gradient", family: "all" },
      kernels: [
        ...[true, false].flatMap((paired) => [[fapeFramesKernel({ paired })], [fapePointsKernel({ paired })]] as const),
        ...[[bondTermsVjpKernel], [clashesVjpKernel], [withinResiduesVjpKernel]] as const,
      ],
    },
    {
      ...{ op: "distances to coordinates", pass: "forward", family: "all" },
      kernels: [[pullKernel({ weighted: true })], [pullKernel({ weighted: false })], [spreadKernel]],
    },
    { op: "search for NaN", pass: "forward", family: "all", kernels: [[CHECK], [CHECK, ["x"]]] },
  ];
}

const isLoading = (kernel: Kernel) => kernel.bindings.some(([, type]) => type === "load vec4f");

/** @param row Some kernels of a row; the first ones with that which stands for all where they load from elsewhere. */
async function checkRow(
  device: Device,
  row: BatteryRow & { readonly sample?: BatteryKernel },
  loads: LoadPath,
): Promise<CheckedPath> {
  const { traits } = device;
  if (!traits.loadPaths.includes(loads)) return NOT_OFFERED;
  const outcomes: [name: string, outcome: ProbeOutcome][] = [];
  const sampled = row.family !== "all" && loads !== traits.loadPaths[0];
  const loading = row.kernels.filter(([kernel]) => isLoading(kernel));
  const others = loads === "buffers" ? row.kernels.filter(([kernel]) => !isLoading(kernel)) : [];
  for (const [kernel, halves] of [...sampled ? row.sample ? [row.sample] : [] : loading, ...others]) {
    const outcome = await device.kernels.probe(kernel, { loads, halves });
    if (!outcome) continue;
    const types = halves?.length ? `, f16: ${halves.join(", ")}` : "";
    outcomes.push([`${kernel.name}${kernel.structure && ` ${kernel.structure}`}${types}`, outcome]);
  }
  if (row.check && row.family !== "all") {
    const only = { ...traits, kernelFamilies: [row.family], loadPaths: [loads] };
    outcomes.push([row.op, await row.check(new Device(device.gpu, only, { verify: false }), !sampled)]);
  }
  if (!outcomes.length) return { ...NOT_OFFERED, status: "same" };
  const right = outcomes.filter(([, { right }]) => right);
  return {
    status: right.length === outcomes.length ? "ok" : "wrong",
    kernels: outcomes.length,
    largestError: Math.max(0, ...right.map(([, { largestError }]) => largestError)),
    wrong: outcomes.filter(([, { right }]) => !right).map(([name, { reason }]) => `${name}: ${reason}`),
  };
}

/** Whether every op's ways there and back can be computed by some version. */
export function everyOpHasOne(rows: readonly CheckedRow[]): boolean {
  const asked = new Map<string, boolean>();
  for (const { op, pass, family, textures, buffers } of rows) {
    if (textures.status === "not offered" && buffers.status === "not offered") continue;
    // What all adapters share has to be right beside the versions.
    const key = family === "all" ? `${op} ${pass} all` : `${op} ${pass}`;
    const right = PATHS.some((path) => ({ textures, buffers })[path].status === "ok");
    asked.set(key, (asked.get(key) ?? false) || right);
  }
  return [...asked.values()].every((right) => right);
}

/** Has the kernels of the hottest ops verified, as the device would use them. */
export async function checkHotKernels(device: Device): Promise<void> {
  using scope = device.scope("check");
  void scope;
  const x = device.zeros([8, 32]), weight = device.zeros([32, 32]);
  linear(x, { weight });
  layerNorm(x);
  attention({ qkv: device.zeros([1, 2, 4, 4 * 32]) }, { heads: 2, axis: 2, gated: true });
  gatedTriangleProduct({ packed: device.zeros([1, 4, 4, 4 * 16]) }, { direction: "outgoing" });
  await device.finish();
}
