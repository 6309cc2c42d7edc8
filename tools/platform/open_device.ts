/** Opens devices that use what was found out about their adapter before: which kernels are right, and which are fastest. */
import config from "../../deno.json" with { type: "json" };
import { requestTraits } from "../../core/adapter.ts";
import { tellingFirst } from "../../core/kernels.ts";
import { Device, type Precision } from "../../core/mod.ts";
import { type MeasuredWay, setTuning, tune, type Tuning } from "../../ops/mod.ts";
import { type AdapterFile, readAdapterFile, writeAdapterFile } from "./adapter_file.ts";
import { openKernelFile } from "./kernel_file.ts";
import { processorName } from "./machine.ts";
import { vulkanDevices } from "./vulkan.ts";

/** How {@linkcode openDevice} goes about it. */
export interface OpenOptions {
  /**
   * Receives a line before the kernels are timed, and where one is found wrong.
   *
   * @default console.error
   */
  readonly log?: (line: string) => void;
  /** What timing may cost; in milliseconds. @default 2500 */
  readonly budgetMs?: number;
  /**
   * Whether the run is so long that timing pays on the processor too, where it takes longer than the gain of a short run.
   *
   * @default false
   */
  readonly long?: boolean;
  /**
   * How matrix products are computed, where the adapter has a choice; see {@linkcode Precision}.
   *
   * @default "f32"
   */
  readonly precision?: Precision;
}

/**
 * Opens an adapter's device. Kernels are verified before they are first used there; which ones are right is kept in the
 * cache folder. The first time on a GPU, or in a long run on the processor, the ways to compute that are right are timed,
 * for two or three seconds, and what was found is kept too. A new driver, Deno or denofold has all done again.
 *
 * @throws {Error} If the device cannot be opened.
 */
export async function openDevice(adapter: GPUAdapter, options: OpenOptions = {}): Promise<Device> {
  const device = await openVerified(adapter, options);
  await prepareTuning(device, options);
  return device;
}

/** The same without timing: what was timed before is not used either. */
export async function openVerified(
  adapter: GPUAdapter,
  { log = console.error, precision }: Pick<OpenOptions, "log" | "precision"> = {},
): Promise<Device> {
  const { device: gpu, traits } = await requestTraits(adapter, { precision });
  if (precision === "f16-products" && !traits.kernelFamilies.includes("matrix")) {
    log(
      `${traits.description} offers no matrix units through this WebGPU (Dawn does where there are some: --device dawn): ` +
        "products are computed in f32.",
    );
  }
  const store = openKernelFile({ name: "kernels", traits, valid: validFor({ gpu, traits }) });
  const device = new Device(gpu, traits, { store, onFinding: tellingFirst(traits, log) });
  await device.kernels.start();
  return device;
}

/** Sets what was found fastest on this adapter, or finds it. */
export async function prepareTuning(
  device: Device,
  { log = console.error, budgetMs = 2500, long = false }: OpenOptions = {},
): Promise<void> {
  if (useKeptTuning(device) || (device.traits.software && !long)) return;
  log(`Timing kernels on ${device.traits.description}, once (about ${Math.ceil(budgetMs / 1000)} seconds) …`);
  await retune(device, budgetMs);
}

/**
 * Times the ways to compute on a device, uses the fastest and keeps them.
 *
 * @param budgetMs What timing may cost. @default no limit
 */
export async function retune(
  device: Device,
  budgetMs?: number,
): Promise<{ tuning: Tuning; measured: readonly MeasuredWay[] }> {
  const found = await tune(device, { budgetMs });
  device.resetPeakMemory();
  writeAdapterFile(tuningFile(device), { tuning: found.tuning });
  return found;
}

/** Sets what was found fastest on a device's adapter before; false where there is nothing that this device can use. */
export function useKeptTuning(device: Device): boolean {
  const kept = readAdapterFile(tuningFile(device));
  if (typeof kept !== "object" || kept === null || !("tuning" in kept)) return false;
  try {
    setTuning(device, kept.tuning as Tuning);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false; // of a version with other kernels, or damaged
    throw error;
  }
}

function tuningFile(device: Device): AdapterFile {
  return { name: "tuning", traits: device.traits, valid: validFor(device) };
}

/** What {@linkcode driverOf} found: asking the loader takes milliseconds. */
const drivers = new WeakMap<GPUDevice, string>();

/** What compiles kernels for a device: its driver, as far as it can be known (else the system's), and its WebGPU. */
export function driverOf({ gpu, traits }: Pick<Device, "gpu" | "traits">): string {
  const known = drivers.get(gpu);
  if (known !== undefined) return known;
  const driver = vulkanDevices()?.find(({ name }) => name === traits.description)?.driver;
  const own = typeof GPUDevice === "function" && gpu instanceof GPUDevice;
  const found = `${driver ?? `${Deno.build.os} ${Deno.osRelease()}`}, ${own ? "wgpu" : "Dawn"}`;
  drivers.set(gpu, found);
  return found;
}

/** What has to be the same for what was found out about an adapter to hold. */
function validFor(device: Pick<Device, "gpu" | "traits">): string {
  const processor = device.traits.software ? processorName() : ""; // which is what a software driver compiles for
  return [config.version, Deno.version.deno, driverOf(device), processor].join("\n");
}
