/** Every kernel of every op on an adapter, against float64: the table of `denofold doctor --check`. */
import { ADD_INTO } from "../../core/add_into.ts";
import { requestTraits } from "../../core/adapter.ts";
import { type AdapterTraits, Device, type KernelFamily, type LoadPath, type ProbeOutcome } from "../../core/mod.ts";
import { loadsKernel } from "../../core/kernels.ts";
import { CHECK } from "../../core/numerics.ts";
import { adamKernel, emaKernel, squareSumKernel, stepGuardKernel } from "../../finetune/optimizer.wgsl.ts";
import { pullKernel, spreadKernel } from "../../model/distance_geometry/mds_gpu.wgsl.ts";
import { batteryOf, type BatteryRow } from "../../ops/_battery/mod.ts";
import { attention, gatedTriangleProduct, layerNorm, linear } from "../../ops/mod.ts";

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
  /** What it took. */
  readonly timeMs: number;
}

const FAMILIES: readonly KernelFamily[] = ["subgroup", "workgroup", "plain"];
const PATHS: readonly LoadPath[] = ["textures", "buffers"];
const NOT_OFFERED: CheckedPath = { status: "not offered", kernels: 0, largestError: 0, wrong: [] };

/**
 * Runs all kernels of all ops on an adapter: every family that it can run, loads from textures and from buffers, the way
 * there and back.
 *
 * @param onRow Called before each row.
 */
export async function checkKernels(
  adapter: GPUAdapter,
  onRow: (done: number, total: number, op: string) => void = () => {},
): Promise<KernelCheck> {
  const began = performance.now();
  const { device: gpu, traits } = await requestTraits(adapter);
  const device = new Device(gpu, traits, { verify: false });
  const battery = allRows(traits);
  const rows: CheckedRow[] = [];
  for (const row of battery) {
    onRow(rows.length, battery.length, row.op);
    const { op, pass, family } = row;
    const [textures, buffers] = [await checkRow(device, row, "textures"), await checkRow(device, row, "buffers")];
    rows.push({ op, pass, family, textures, buffers });
  }
  device.close();
  const missing = FAMILIES.filter((family) => !traits.kernelFamilies.includes(family));
  for (const family of missing) {
    rows.push({ op: "all ops", pass: "forward", family, textures: NOT_OFFERED, buffers: NOT_OFFERED });
  }
  return { rows, ok: everyOpHasOne(rows), timeMs: performance.now() - began };
}

function allRows(traits: AdapterTraits): BatteryRow[] {
  const loads = loadsKernel({ lanes: traits.subgroupSize || 64 });
  return [
    {
      ...{ op: "loads and stores", pass: "forward", family: "all" },
      kernels: [[loads], [loads, ["x"]], [loads, ["out"]], [loads, ["x", "out"]]],
    },
    ...batteryOf(traits),
    { op: "gradient sums", pass: "gradient", family: "all", kernels: [[ADD_INTO]] },
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
      ...{ op: "distances to coordinates", pass: "forward", family: "all" },
      kernels: [[pullKernel({ weighted: true })], [pullKernel({ weighted: false })], [spreadKernel]],
    },
    { op: "search for NaN", pass: "forward", family: "all", kernels: [[CHECK], [CHECK, ["x"]]] },
  ];
}

async function checkRow(device: Device, row: BatteryRow, loads: LoadPath): Promise<CheckedPath> {
  const { traits } = device;
  if (!traits.loadPaths.includes(loads)) return NOT_OFFERED;
  const outcomes: [name: string, outcome: ProbeOutcome][] = [];
  for (const [kernel, halves] of row.kernels) {
    const loading = kernel.bindings.some(([, type]) => type === "load vec4f");
    if (!loading && loads === "textures") continue;
    const outcome = await device.kernels.probe(kernel, { loads, halves });
    if (!outcome) continue;
    const types = halves?.length ? `, f16: ${halves.join(", ")}` : "";
    outcomes.push([`${kernel.name}${kernel.structure && ` ${kernel.structure}`}${types}`, outcome]);
  }
  if (row.check && row.family !== "all") {
    const only = { ...traits, kernelFamilies: [row.family], loadPaths: [loads] };
    outcomes.push([row.op, await row.check(new Device(device.gpu, only, { verify: false }))]);
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
