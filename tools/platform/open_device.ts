/** Opens devices with kernel parameters that fit their adapter. */
import config from "../../deno.json" with { type: "json" };
import { Device } from "../../core/mod.ts";
import { type MeasuredTile, setTuning, tune, type Tuning } from "../../ops/mod.ts";
import { type AdapterFile, readAdapterFile, writeAdapterFile } from "./adapter_file.ts";
import { vulkanDevices } from "./vulkan.ts";

/** How {@linkcode openDevice} goes about it. */
export interface OpenOptions {
  /**
   * Receives a line before the kernels are timed.
   *
   * @default console.error
   */
  readonly log?: (line: string) => void;
  /** What timing may cost; in milliseconds. @default 2500 */
  readonly budgetMs?: number;
}

/**
 * Opens an adapter's device. The first time on a GPU the tiles of the matrix product are timed there, for two or three
 * seconds, and what was found is kept in the cache folder; a new driver or version of denofold has them timed again.
 * For software drivers the built-in ones are known to be right.
 *
 * @throws {Error} If the device cannot be opened.
 */
export async function openDevice(adapter: GPUAdapter, options: OpenOptions = {}): Promise<Device> {
  const device = await Device.open(adapter);
  await prepareTuning(device, options);
  return device;
}

/** Sets the kernel parameters that were found on this adapter, or finds them if it is a GPU. */
export async function prepareTuning(
  device: Device,
  { log = console.error, budgetMs = 2500 }: OpenOptions = {},
): Promise<void> {
  if (await useKeptTuning(device) || device.traits.software) return;
  log(`Timing matrix products on ${device.traits.description}, once (about ${Math.ceil(budgetMs / 1000)} seconds) …`);
  await retune(device, budgetMs);
}

/**
 * Times the tiles of the matrix product on a device, uses the fastest and keeps them.
 *
 * @param budgetMs What timing may cost. @default no limit
 */
export async function retune(
  device: Device,
  budgetMs?: number,
): Promise<{ tuning: Tuning; measured: readonly MeasuredTile[] }> {
  const found = await tune(device, { budgetMs });
  device.resetPeakMemory();
  await writeAdapterFile(fileOf(device), { tuning: found.tuning });
  return found;
}

/** Uses what was kept; false where there is nothing that this device can use. */
async function useKeptTuning(device: Device): Promise<boolean> {
  const kept = await readAdapterFile(fileOf(device));
  if (typeof kept !== "object" || kept === null || !("tuning" in kept)) return false;
  try {
    setTuning(device, kept.tuning as Tuning);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false; // of a version with other tiles, or damaged
    throw error;
  }
}

function fileOf({ traits }: Device): AdapterFile {
  const driver = vulkanDevices()?.find(({ name }) => name === traits.description);
  return { name: "tuning", traits, valid: `${config.version} ${driver?.driver ?? ""} ${traits.kernelFamily}` };
}
