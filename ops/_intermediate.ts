import { type Device, mostVisible } from "../core/mod.ts";

/**
 * How an intermediate result is kept: as the device says, but in 32 bits where its rows are no whole vec4s, or where it
 * is so large that it must be gone through in windows.
 */
export function intermediateType(device: Device, rows: number, width: number): "f32" | "f16" {
  const fits = width % 4 === 0 && rows * width <= mostVisible(device);
  return fits ? device.intermediates : "f32";
}
