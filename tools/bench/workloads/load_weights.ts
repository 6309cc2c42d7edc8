import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { alphafoldConfig } from "../../../model/alphafold/mod.ts";
import { openfoldWeights } from "../../../model/weights/openfold_weights.ts";
import { randomWeights } from "../../predict/random_weights.ts";
import { loadNetwork } from "../../predict/network.ts";
import { convertWeights } from "../../weights/convert_weights.ts";
import { openWeights } from "../../weights/open_weights.ts";
import { namedShapes } from "../../weights/presets.ts";
import { writeWeights } from "../../weights/write_weights.ts";
import { Stopwatch } from "../measure.ts";
import { atMost, type Measurement, onIdleMachine, round, timeFields } from "../record.ts";
import type { BenchContext } from "./mod.ts";

const CHILD = fileURLToPath(new URL("../host_memory_child.ts", import.meta.url));

/** Most memory of the host at the peak, in sizes of the file: a software adapter's buffers are in it. */
const MOST_HOST = 1.3;

/** Most time, in that of reading the file and uploading its bytes as one buffer. */
const MOST = 2;

/** Weights of the full-size network from a file of each format to the device, beside reading and uploading the same bytes. */
export async function* loadWeights({ device, rounds, note }: BenchContext): AsyncIterable<Measurement> {
  const folder = await Deno.makeTempDir({ prefix: "denofold_weights_" });
  try {
    const config = alphafoldConfig("model_1_ptm");
    const first = join(folder, "weights.safetensors");
    await writeWeights(first, "safetensors", [...randomWeights(namedShapes(config), 1).values()]);
    for (const format of ["safetensors", "torch", "npz"] as const) {
      const path = join(folder, `weights.${format}`);
      if (format !== "safetensors") {
        using opened = await openWeights(first);
        await convertWeights(openfoldWeights(opened.file), path, format);
      }
      const { size } = await Deno.stat(path);
      const load = async () => {
        using _scope = device.scope("weights");
        using opened = await openWeights(path);
        await loadNetwork(device, config, openfoldWeights(opened.file).entries);
        await device.finish();
      };
      const upload = async () => {
        const bytes = await Deno.readFile(path);
        const buffer = device.gpu.createBuffer({
          size: Math.ceil(size / 4) * 4,
          usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
        });
        device.gpu.queue.writeBuffer(buffer, 0, bytes, 0, Math.floor(size / 4) * 4);
        device.gpu.queue.submit([]);
        await device.gpu.queue.onSubmittedWorkDone();
        buffer.destroy();
      };
      const watches = { load: new Stopwatch(), upload: new Stopwatch() };
      await upload(); // the file is in the system's cache then
      for (let turn = 0; turn < Math.max(3, rounds); turn++) {
        note(`  ${format}, ${Math.round(size / 1e6)} MB: turn ${turn + 1}`);
        await watches.upload.time(upload);
        await watches.load.time(load);
        device.trim();
      }
      const host = await hostPeak(path) - await hostPeak();
      const own = watches.load.times, plain = watches.upload.times;
      const what = "times reading and one upload";
      yield {
        workload: "load weights",
        sizes: { mb: Math.round(size / 1e6) },
        dtype: "f32",
        mode: format,
        ...timeFields(own, { software: device.traits.software }),
        mb_per_s: round(size / own.msMin / 1e3),
        peak_bytes: null,
        host_peak_bytes: Number.isFinite(host) ? host : null,
        peer: "the file read whole, and uploaded as one buffer",
        peer_ms_min: round(plain.msMin),
        ratio: round(own.msMin / plain.msMin),
        bars: [
          onIdleMachine(atMost(what, round(own.msMin / plain.msMin), MOST)),
          atMost(`${what} by CPU time`, round(own.cpuMsMin / plain.cpuMsMin), MOST),
          ...(Number.isFinite(host)
            ? [atMost("times the file in the host's memory", round(host / size), MOST_HOST)]
            : []),
        ],
      };
      if (format !== "safetensors") await Deno.remove(path);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The most memory of a process that loads a file of weights, or none; NaN where the system does not tell. */
async function hostPeak(...path: [] | [string]): Promise<number> {
  if (Deno.build.os !== "linux") return NaN;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-webgpu", CHILD, ...path],
    stdout: "piped",
    stderr: "piped",
  });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Loading weights failed: ${decoder.decode(stderr).trim().split("\n").at(-1)}`);
  return JSON.parse(decoder.decode(stdout)).peakBytes;
}
