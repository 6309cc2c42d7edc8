/** From what the profiler saw to the tables of a profile. */
import type { KernelRun, Profile } from "../../core/mod.ts";
import type { KernelChoice } from "../../ops/mod.ts";
import type { Grouping, KernelRow, LiveRow, ProfileData, ProfileParts, Roofs } from "./profile_data.ts";

/** The least time that work takes under an adapter's roofs, in milliseconds. */
export function roofMs({ flops, bytes }: { flops: number; bytes: number }, { gflops, gbs }: Roofs): number {
  return Math.max(flops / gflops, bytes / gbs) / 1e6;
}

/** What a summary says besides the measurements. */
export interface SummaryFacts {
  /** What ran. */
  readonly workload: string;
  /** Its sizes and choices. */
  readonly settings: ProfileData["settings"];
  /** What was looked at. @default all */
  readonly parts?: ProfileParts;
  /** Steps before the profile began. */
  readonly warmup: number;
  /** The kernels it was computed with. @default not said */
  readonly kernels?: KernelChoice;
  /** The adapter's measured roofs. */
  readonly roofs: Roofs | null;
  /** Version of denofold. */
  readonly version: string;
  /** When it was made. */
  readonly now: Date;
}

/** The name under which {@linkcode Profiler.mark} notes the beginning of a step; a last mark ends it. */
export const STEP_MARK = "step";

/** Everything. */
export const ALL_PARTS: ProfileParts = { kernels: true, memory: true };

const CURVE_POINTS = 1500;
const TIMELINE_RUNS = 20_000;
const SLOWEST_COMPILATIONS = 20;

/** A path of scopes without those that only say which way it goes. */
export function splitPath(path: string): { place: string; phase: string } {
  const segments = path.split("/");
  const first = segments.findIndex(isWay);
  if (first < 0) return { place: path, phase: "" };
  const ways = segments.filter(isWay);
  const phase = !ways.includes("backward") ? "forward" : ways.at(-1) === "forward" ? "recompute" : "backward";
  const place = segments.slice(first).filter((segment) => !isWay(segment)).map((segment) =>
    segment.replace(/\.vjp$/, "")
  );
  return { place: place.join("/"), phase };
}

function isWay(segment: string): boolean {
  return segment === "forward" || segment === "backward";
}

/** A place with the numbers of blocks as `*`. */
export function moduleOf(place: string): string {
  return place.split("/").map((segment) => /^\d+$/.test(segment) ? "*" : segment).join("/");
}

/** Summarises a profile. */
export function summarize(profile: Profile, facts: SummaryFacts): ProfileData {
  const { kernels, host, clock, adapter } = profile;
  const timed = clock !== "none";
  const gpuMs = kernels.reduce((sum, { ms }) => sum + ms, 0);
  const split = new Map<string, ReturnType<typeof splitPath>>();
  const of = ({ path }: KernelRun) => {
    let found = split.get(path);
    if (!found) split.set(path, found = splitPath(path));
    return found;
  };
  const context = { gpuMs, timed, roofs: facts.roofs };
  const group = (head: (run: KernelRun) => Head) => rowsOf(kernels, head, context);
  const byPlace = group((run) => ({ ...of(run), kernel: run.kernel }));
  const rows: { [G in Grouping]: KernelRow[] } = {
    kernel: group(({ kernel }) => ({ kernel, place: "*", phase: "*" })).rows,
    module: group((run) => ({ kernel: run.kernel, place: moduleOf(of(run).place), phase: of(run).phase })).rows,
    place: byPlace.rows,
  };
  const sum = (kind: string) => {
    const events = host.filter((event) => event.kind === kind);
    return { ms: events.reduce((total, { ms }) => total + ms, 0), count: events.length };
  };
  const [submit, wait, compile, verify] = [sum("submit"), sum("wait"), sum("compile"), sum("verify")];
  const slowest = host.filter(({ kind }) => kind === "compile").map(({ name, ms }) => ({ kernel: name, ms }))
    .toSorted((a, b) => b.ms - a.ms).slice(0, SLOWEST_COMPILATIONS);
  // A step that was begun and never made has no kernels.
  const steps = profile.marks.map((mark, i) => ({ ...mark, endMs: profile.marks[i + 1]?.atMs ?? profile.wallMs }))
    .filter(({ name, kernels }) => name === STEP_MARK && kernels < profile.kernels.length);
  return {
    format: "denofold profile 1",
    created: facts.now.toISOString(),
    version: facts.version,
    workload: facts.workload,
    settings: facts.settings,
    ...(facts.kernels && { kernels: facts.kernels }),
    ...{ adapter, clock, parts: facts.parts ?? ALL_PARTS, warmup: facts.warmup },
    stepMs: steps.map(({ atMs, endMs }) => endMs - atMs),
    wallMs: profile.wallMs,
    gpuMs,
    host: {
      encodeMs: profile.encodeMs,
      ...{ submitMs: submit.ms, submits: submit.count, waitMs: wait.ms, waits: wait.count },
    },
    compilations: { count: compile.count, totalMs: compile.ms, slowest },
    verifications: { count: verify.count, totalMs: verify.ms },
    copies: profile.copies,
    roofs: facts.roofs,
    rows,
    memory: memoryOf(profile),
    timeline: timelineOf(kernels.slice(steps.at(-1)?.kernels ?? 0), byPlace.indexOf),
  };
}

type Head = Pick<KernelRow, "kernel" | "place" | "phase">;

interface Context {
  readonly gpuMs: number;
  readonly timed: boolean;
  readonly roofs: Roofs | null;
}

function rowsOf(kernels: readonly KernelRun[], head: (run: KernelRun) => Head, context: Context) {
  const groups = new Map<string, { head: Head; runs: KernelRun[] }>();
  const keyOf = (run: KernelRun) => Object.values(head(run)).toSorted().join("\0");
  for (const run of kernels) {
    const key = keyOf(run);
    const group = groups.get(key);
    if (group) group.runs.push(run);
    else groups.set(key, { head: head(run), runs: [run] });
  }
  const sorted = [...groups].map(([key, { head, runs }]) => ({ key, row: rowOf(head, runs, context) }))
    .toSorted((a, b) => b.row.totalMs - a.row.totalMs);
  const indexes = new Map(sorted.map(({ key }, i) => [key, i]));
  return { rows: sorted.map(({ row }) => row), indexOf: (run: KernelRun) => indexes.get(keyOf(run))! };
}

function rowOf(head: Head, runs: readonly KernelRun[], { gpuMs, timed, roofs }: Context): KernelRow {
  const add = (of: (run: KernelRun) => number) => runs.reduce((sum, run) => sum + of(run), 0);
  const times = runs.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const middle = times.length >> 1;
  const totalMs = add(({ ms }) => ms);
  const known = runs.filter(({ flops }) => flops !== null);
  // Speed is that of the runs whose operations are known.
  const flops = known.length === 0 ? null : known.reduce((sum, run) => sum + (run.flops ?? 0), 0);
  const knownMs = known.reduce((sum, { ms }) => sum + ms, 0);
  const knownBytes = known.reduce((sum, run) => sum + run.bytesRead + run.bytesWritten, 0);
  const bytesRead = add((run) => run.bytesRead), bytesWritten = add((run) => run.bytesWritten);
  const per = (amount: number, ms: number) => timed && ms > 0 ? amount / ms / 1e6 : null;
  const gflops = flops === null ? null : per(flops, knownMs);
  const gbs = per(bytesRead + bytesWritten, totalMs);
  const intensity = flops === null || knownBytes === 0 ? null : flops / knownBytes;
  // Where no operations are known, bytes alone tell.
  const [work, workMs] = flops === null ? [bytesRead + bytesWritten, totalMs] : [knownBytes, knownMs];
  const roofShare = !roofs || gbs === null ? null : roofMs({ flops: flops ?? 0, bytes: work }, roofs) / workMs;
  return {
    ...head,
    count: runs.length,
    totalMs,
    minMs: times[0],
    medianMs: times.length % 2 ? times[middle] : (times[middle - 1] + times[middle]) / 2,
    share: gpuMs > 0 ? totalMs / gpuMs : 0,
    ...{ flops, bytesRead, bytesWritten, gflops, gbs, intensity, roofShare },
  };
}

/** How the memory of tensors went, and what was held at its peak. */
export function memoryOf({ memory, startBytes }: Profile): ProfileData["memory"] {
  let live = startBytes, peakBytes = startBytes, peakAt = -1, peakAllocatedBytes = 0;
  const points: [number, number, number][] = [];
  memory.forEach(({ atMs, bytes, allocatedBytes }, i) => {
    live += bytes;
    points.push([atMs, live, allocatedBytes]);
    if (live > peakBytes) [peakBytes, peakAt] = [live, i];
    peakAllocatedBytes = Math.max(peakAllocatedBytes, allocatedBytes);
  });
  const alive = new Map<number, { place: string; bytes: number }>();
  let before = startBytes;
  for (let i = 0; i <= peakAt; i++) {
    const { bytes, path, taken } = memory[i];
    if (bytes > 0) alive.set(i, { place: splitPath(path).place, bytes });
    else if (taken >= 0) alive.delete(taken);
    else before += bytes;
  }
  const places = new Map<string, LiveRow>();
  if (before > 0) places.set("", { place: "", bytes: before, count: 0 });
  for (const { place, bytes } of alive.values()) {
    const row = places.get(place) ?? { place, bytes: 0, count: 0 };
    row.bytes += bytes;
    row.count++;
    places.set(place, row);
  }
  const thin = thinned(points);
  return {
    ...{ startBytes, peakBytes, peakAllocatedBytes },
    curve: {
      atMs: thin.map(([atMs]) => round(atMs)),
      liveBytes: thin.map(([, live]) => live),
      allocatedBytes: thin.map(([, , allocated]) => allocated),
    },
    atPeak: [...places.values()].toSorted((a, b) => b.bytes - a.bytes),
  };
}

/** At most so many points that a plot shows; each stands for its neighbours with the most memory among them. */
function thinned(points: readonly [number, number, number][]): readonly [number, number, number][] {
  if (points.length <= CURVE_POINTS) return points;
  const size = Math.ceil(points.length / (CURVE_POINTS - 1));
  const most = Array.from(
    { length: Math.ceil(points.length / size) },
    (_, i) => points.slice(i * size, (i + 1) * size).reduce((most, point) => point[1] > most[1] ? point : most),
  );
  return [...most, points[points.length - 1]];
}

function timelineOf(runs: readonly KernelRun[], indexOf: (run: KernelRun) => number): ProfileData["timeline"] {
  const zero = runs[0]?.startMs ?? 0;
  return runs.slice(0, TIMELINE_RUNS).map((run) => [indexOf(run), round(run.startMs - zero), round(run.ms)]);
}

function round(ms: number): number {
  return Math.round(ms * 1e4) / 1e4;
}
