import type { KernelRun, MemoryEvent, Profile } from "../../../core/mod.ts";

/** A profile of two steps, small enough to reckon by hand. Times in ms. */
export function sampleProfile(): Profile {
  const run = (path: string, kernel: string, startMs: number, ms: number, flops: number | null = null): KernelRun => ({
    ...{ path, kernel, startMs, ms, flops },
    ...{ bytesRead: 3e6, bytesWritten: 1e6, grid: [4, 1, 1] as const },
  });
  const step = (at: number, slower: number) => [
    run("step/forward/evoformer/0/pairTransition/linear", "matmul", at, 1 + slower, 8e6),
    run("step/forward/evoformer/1/pairTransition/linear", "matmul", at + 2, 1, 8e6),
    run("step/backward/evoformer/1/block.vjp/forward/pairTransition/linear", "matmul", at + 3, 1, 8e6),
    run("step/backward/evoformer/1/block.vjp/backward/pairTransition/linear.vjp", "matmul", at + 4, 2, 24e6),
    run("step/backward/evoformer/0/pairTransition/linear.vjp", "matmul", at + 6, 2, 24e6),
    { ...run("step/optimizer", "adamw", at + 8, 0.5), bytesRead: 39e6 },
  ];
  const memory: MemoryEvent[] = [
    [1, 4096, "step/forward/evoformer/0/pairTransition/linear", 0],
    [2, -1024, "", -1],
    [3, 8192, "step/forward/evoformer/1/pairTransition/linear", 2],
    [4, -4096, "step/forward/evoformer/0/pairTransition/linear", 0],
    [5, 1024, "step/optimizer", 4],
    [6, 2048, "step/optimizer", 5],
    [7, -8192, "step/forward/evoformer/1/pairTransition/linear", 2],
  ].map(([atMs, bytes, path, taken]) => ({
    ...{ atMs: Number(atMs), bytes: Number(bytes), path: String(path), taken: Number(taken), allocatedBytes: 65536 },
  }));
  return {
    adapter: "a made-up adapter",
    clock: "timestamps",
    wallMs: 24,
    kernels: [...step(1, 0), ...step(12, 0.25)],
    host: [
      { kind: "compile", name: "matmul", startMs: 0, ms: 0.75 },
      { kind: "submit", name: "", startMs: 0.9, ms: 0.1 },
      { kind: "wait", name: "", startMs: 1, ms: 9 },
      { kind: "submit", name: "", startMs: 11.5, ms: 0.25 },
      { kind: "wait", name: "", startMs: 11.75, ms: 10 },
    ],
    encodeMs: 1.5,
    copies: { count: 3, bytes: 300 },
    startBytes: 2048,
    memory,
    marks: [{ name: "step", atMs: 0.5, kernels: 0 }, { name: "step", atMs: 11, kernels: 6 }, {
      name: "end",
      atMs: 23,
      kernels: 12,
    }],
  };
}

/** What a summary of it says besides. */
export const SAMPLE_FACTS = {
  workload: "sample <b>",
  settings: { nRes: 32, backward: true },
  warmup: 1,
  roofs: { gflops: 16, gbs: 5 },
  version: "0.0.0",
  now: new Date("2026-01-31T12:34:56Z"),
};
