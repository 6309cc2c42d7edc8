import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Stopwatch } from "../measure.ts";
import { atMost, type Measurement, onIdleMachine, round } from "../record.ts";
import type { BenchContext } from "./mod.ts";

const CHILD = fileURLToPath(new URL("../cold_start_child.ts", import.meta.url));
const SIZE = { n_seq: 32, n_res: 64 };

/**
 * An Evoformer block, there alone, as the first thing that a fresh process does on a machine that has never compiled its
 * kernels: the drivers' and our own caches are empty folders.
 */
export async function* coldStart({ device, rounds }: BenchContext): AsyncIterable<Measurement> {
  const watch = new Stopwatch();
  const inside: { firstMs: number; cpuMs: number }[] = [];
  const denoFolder = await denoCache();
  for (let round = 0; round < rounds; round++) {
    const cache = await Deno.makeTempDir({ prefix: "denofold_cold_" });
    try {
      const command = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--unstable-webgpu", CHILD, String(SIZE.n_seq), String(SIZE.n_res)],
        env: {
          DENO_DIR: denoFolder, // our own sources are no part of it
          DENOFOLD_CACHE: join(cache, "denofold"),
          DENOFOLD_DEVICE: device.traits.description,
          MESA_SHADER_CACHE_DIR: join(cache, "mesa"),
          XDG_CACHE_HOME: cache,
          __GL_SHADER_DISK_CACHE_PATH: cache, // NVIDIA's
        },
        stdout: "piped",
        stderr: "piped",
      });
      await watch.time(async () => {
        const { success, stdout, stderr } = await command.output();
        const decoder = new TextDecoder();
        if (!success) throw new Error(`The cold start failed: ${decoder.decode(stderr).trim().split("\n").at(-1)}`);
        inside.push(JSON.parse(decoder.decode(stdout)));
      });
    } finally {
      await Deno.remove(cache, { recursive: true });
    }
  }
  yield {
    workload: "cold-start",
    sizes: SIZE,
    dtype: "f32",
    mode: "fresh process, forward",
    ms_min: round(watch.times.msMin),
    ms_median: round(watch.times.msMedian),
    gflops: null,
    gflops_per_cpu_s: null,
    cpu_ms_min: round(Math.min(...inside.map(({ cpuMs }) => cpuMs))),
    repeats: rounds,
    peak_bytes: null,
    first_forward_ms: round(Math.min(...inside.map(({ firstMs }) => firstMs))),
    bars: device.traits.software ? [onIdleMachine(atMost("ms", round(watch.times.msMin), 8000))] : [],
  };
}

async function denoCache(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"], stdout: "piped" }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}
