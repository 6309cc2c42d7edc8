import { Device } from "../core/mod.ts";
import { setTuning, tuningOf } from "../ops/mod.ts";

/** The adapter as if it were a GPU, whose attention is to be computed in tiles. */
export function tiled({ gpu, traits }: Pick<Device, "gpu" | "traits">): Device {
  const bare = { kernelFamilies: ["workgroup"], loadPaths: ["buffers"], subgroupSize: 0 } as const;
  const device = new Device(gpu, { ...traits, ...bare, software: false });
  setTuning(device, { ...tuningOf(device), attention: "tiles" });
  return device;
}
