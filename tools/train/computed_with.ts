/** Which adapter and kernels a run is computed with: the same ones give the same bits. */
import type { Device } from "../../core/mod.ts";
import { kernelChoiceOf, useKernelChoice } from "../../ops/mod.ts";
import { driverOf } from "../platform/open_device.ts";
import type { ComputedWith } from "./checkpoint_file.ts";

/** What a device computes with at present. */
export function computedWith(device: Device): ComputedWith {
  const { traits } = device;
  return { adapter: traits.description, driver: driverOf(device), kernels: kernelChoiceOf(device) };
}

/**
 * Lets a device compute with what a saved run was computed with.
 *
 * @returns Why numbers will agree with the run's to rounding alone; undefined where they agree to the bit.
 */
export function goOnWith(device: Device, saved: ComputedWith | undefined): string | undefined {
  if (!saved) {
    return "The checkpoint does not say with which kernels it was computed: from here on numbers agree to rounding.";
  }
  const name = ({ adapter, driver }: ComputedWith) => (driver ? `${adapter} (${driver})` : adapter);
  const here = computedWith(device);
  try {
    useKernelChoice(device, saved.kernels);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return `The run was computed on ${name(saved)} with kernels that ${
      name(here)
    } does not have: from here on numbers agree ` +
      "to rounding.";
  }
  if (here.adapter === saved.adapter && here.driver === saved.driver) return undefined;
  return `The run was computed on ${name(saved)}, and goes on on ${
    name(here)
  }: from here on numbers agree to rounding.`;
}
