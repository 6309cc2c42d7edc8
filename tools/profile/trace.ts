/** A profile as a trace in Chrome's JSON format, which Perfetto (ui.perfetto.dev) and chrome://tracing read. */
import type { KernelRun, Profile } from "../../core/mod.ts";
import { splitPath } from "./summarize.ts";

/** An event of Chrome's trace format; times in microseconds. */
export type TraceEvent = {
  /** Kind: `X` something that lasts, `C` a counter, `i` a moment, `M` a name. */
  ph: "X" | "C" | "i" | "M";
  /** What is shown. */
  name: string;
  /** Process. */
  pid: number;
  /** Track of it. */
  tid: number;
  /** `kernels`, `scopes`, `host` or `memory`. */
  cat?: string;
  /** When it began. */
  ts?: number;
  /** How long it lasted. */
  dur?: number;
  /** How far a moment's mark reaches. */
  s?: "g";
  /** What is shown besides. */
  args?: Record<string, string | number | null>;
};

/** The trace as an object; its JSON is the file. */
export type Trace = {
  /** The events. */
  traceEvents: TraceEvent[];
  /** Unit that viewers show. */
  displayTimeUnit: "ms";
  /** Facts of the whole. */
  otherData: Record<string, string | number>;
};

const DEVICE = 1, HOST = 2;
const KERNELS = 1, SCOPES = 2, ENCODE = 1;

/** Makes the trace: the device's kernels and their scopes, the CPU's submissions and waits, and memory as a counter. */
export function traceOf(profile: Profile, workload: string): Trace {
  const events: TraceEvent[] = [
    ...names(DEVICE, `Device: ${profile.adapter}${profile.clock === "wall" ? ", timed by the CPU's clock" : ""}`, {
      [KERNELS]: "kernels",
      [SCOPES]: "scopes",
    }),
    ...names(HOST, "CPU", { [ENCODE]: "submit, wait, compile" }),
  ];
  const kernels = profile.clock === "none" ? [] : profile.kernels; // without times they have no place
  for (const run of kernels) {
    const { place, phase } = splitPath(run.path);
    const { flops, bytesRead, bytesWritten, ms } = run;
    events.push({
      ...slice("kernels", run.kernel, run.startMs, ms),
      ...{ pid: DEVICE, tid: KERNELS },
      args: {
        ...{ place, phase, grid: run.grid.join(" × "), bytesRead, bytesWritten, flops },
        gflops: flops === null || !(ms > 0) ? null : Math.round(flops / ms / 1e4) / 100,
      },
    });
  }
  events.push(...scopeSlices(kernels));
  for (const { kind, name, startMs, ms } of profile.host) {
    events.push({ ...slice("host", name ? `${kind} ${name}` : kind, startMs, ms), pid: HOST, tid: ENCODE });
  }
  for (const { name, atMs } of profile.marks) {
    events.push({ ph: "i", s: "g", name, cat: "host", ts: microseconds(atMs), pid: HOST, tid: ENCODE });
  }
  let live = profile.startBytes;
  for (const { atMs, bytes, allocatedBytes } of profile.memory) {
    live += bytes;
    const args = { live, pooled: Math.max(0, allocatedBytes - live) };
    events.push({ ph: "C", name: "GPU memory", cat: "memory", ts: microseconds(atMs), pid: HOST, tid: ENCODE, args });
  }
  return { traceEvents: events, displayTimeUnit: "ms", otherData: { workload, clock: profile.clock } };
}

/**
 * Scopes as nested slices: neighbouring kernels with the same beginning of their path share the slices of it. An outer
 * slice stands before those in it, by which viewers know it where both last equally long.
 */
function scopeSlices(kernels: readonly KernelRun[]): TraceEvent[] {
  const slices: TraceEvent[] = [];
  const open: TraceEvent[] = [];
  let endMs = 0;
  const close = (depth: number) => {
    for (const scope of open.splice(depth)) scope.dur = duration(scope.ts!, endMs);
  };
  for (const { path, startMs, ms } of kernels) {
    const segments = path.split("/");
    let same = 0;
    while (same < open.length && same < segments.length && open[same].name === segments[same]) same++;
    close(same);
    for (const segment of segments.slice(same)) {
      const scope = { ...slice("scopes", segment, startMs, 0), pid: DEVICE, tid: SCOPES };
      slices.push(scope);
      open.push(scope);
    }
    endMs = startMs + ms;
  }
  close(0);
  return slices;
}

function slice(cat: string, name: string, startMs: number, ms: number) {
  const ts = microseconds(startMs);
  return { ph: "X" as const, cat, name, ts, dur: duration(ts, startMs + ms) };
}

/** From `ts` in microseconds on, so that `ts` and it add up to the end to the bit. */
function duration(ts: number, endMs: number): number {
  return microseconds(endMs) - ts;
}

/** Microseconds, to 1/1024: sums of such numbers are exact, and what ends together does so for every viewer. */
function microseconds(ms: number): number {
  return Math.round(ms * 1024e3) / 1024;
}

function names(pid: number, process: string, tracks: Record<number, string>): TraceEvent[] {
  return [
    { ph: "M", name: "process_name", pid, tid: 0, args: { name: process } },
    ...Object.entries(tracks).map(([tid, name]): TraceEvent => ({
      ...{ ph: "M", name: "thread_name", pid, tid: Number(tid), args: { name } },
    })),
  ];
}
