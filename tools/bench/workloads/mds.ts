import { mds as mdsOnCpu, mdsOnGpu } from "../../../model/distance_geometry/mod.ts";
import { pairwiseDistances } from "../../../model/protein/metrics/mod.ts";
import { agree, hashed } from "../hashed.ts";
import { Stopwatch } from "../measure.ts";
import { type Measurement, round, timeFields } from "../record.ts";
import type { BenchContext } from "./mod.ts";

const SIZES = [64, 400];
const STARTS = 4;
const ITERATIONS = 100;

/** Coordinates from distances, a fixed number of steps from the same random starts: on the device and in float64. */
export async function* mds({ device, rounds }: BenchContext): AsyncIterable<Measurement> {
  for (const n of SIZES) {
    const distances = pairwiseDistances(Float64Array.from(hashed("points", 3 * n, { std: 10 })));
    const starts = Array.from({ length: STARTS }, (_, s) => Float64Array.from(hashed(`start${s}`, 3 * n)));
    const options = { starts, classicalStart: false, iterations: ITERATIONS, tolerance: -Infinity };
    const onDevice = new Stopwatch(), onCpu = new Stopwatch();
    const stresses: [number[], number[]] = [[], []];
    const run = async () => void (stresses[0] = (await mdsOnGpu(device, distances, n, options)).runs.map(stressOf));
    await run(); // compiles
    for (let round = 0; round < rounds; round++) {
      await onDevice.time(run);
      await onCpu.time(() => void (stresses[1] = mdsOnCpu(distances, n, options).runs.map(stressOf)));
    }
    const sizes = { points: n, starts: STARTS, steps: ITERATIONS };
    const { software } = device.traits;
    const rest = { workload: "mds", sizes, peak_bytes: null } as const;
    yield { ...rest, dtype: "f64", mode: "CPU", ...timeFields(onCpu.times, { software }) };
    yield {
      ...rest,
      dtype: "f32",
      mode: "device",
      ...timeFields(onDevice.times, { software }),
      checksum: stresses[0].map(round),
      peer: "float64 on the CPU",
      peer_ms_min: round(onCpu.times.msMin),
      ratio: round(onDevice.times.msMin / onCpu.times.msMin),
      agrees: agree(stresses[0], stresses[1], 1e-3),
    };
  }
}

function stressOf({ stress }: { readonly stress: number }): number {
  return stress;
}
