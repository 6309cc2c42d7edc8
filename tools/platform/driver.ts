/**
 * Finds the WebGPU adapter that denofold runs on, and sees to it that there is one: a real GPU where a driver offers it,
 * else a software driver, which is installed or fetched where the machine has none.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import { aptInstall, canUseApt } from "./apt.ts";
import { cacheFolder } from "./cache.ts";
import { loadDawn } from "./dawn.ts";
import { readDeviceWish, type WebGpu, type Wish } from "./device_wish.ts";
import { environmentIsPrepared, prepareEnvironment } from "./environment.ts";
import { installHelp, unusedGpuHint } from "./help.ts";
import { cachedSwiftShader, fetchSwiftShader, swiftShaderRunsHere } from "./swiftshader.ts";
import { driverFiles, useDriverFiles, type VulkanDevice, vulkanDevices } from "./vulkan.ts";

/** How {@link ensureAdapter} chooses. */
export interface AdapterOptions {
  /**
   * What to run on, as the `--device` flag says it:
   * `auto` (the fastest GPU, else software), `gpu` (a GPU or an error), `low-power` (the GPU that needs less power, else
   * software), `software` or `cpu` (a software driver), or a part of an adapter's name such as `nvidia` or `llvmpipe`.
   * With `dawn:` before it (`dawn:gpu`, `dawn:nvidia`; `dawn` alone is `dawn:auto`), or where the environment variable
   * `DENOFOLD_WEBGPU` is "dawn", it is an adapter of Dawn instead of Deno's own WebGPU.
   *
   * @default the environment variable `DENOFOLD_DEVICE`, else "auto"
   */
  device?: string;
  /**
   * Whether a missing driver may be installed (by apt as root on Debian and Ubuntu) or fetched (SwiftShader from npm), and
   * Dawn fetched where it is asked for (from npm), as the command line does; never where the environment variable
   * `DENOFOLD_NO_INSTALL` is set.
   *
   * @default false
   */
  install?: boolean;
  /**
   * Receives a line for each step that takes time, while it happens.
   *
   * @default console.error
   */
  log?: (line: string) => void;
}

/** What {@link ensureAdapter} found. */
export interface EnsuredAdapter {
  /** The entry to WebGPU. */
  gpu: GPU;
  /** The adapter to open the device on. */
  adapter: GPUAdapter;
  /** Whose WebGPU it is, and the version. */
  webgpu: string;
  /** What the user should know about the choice, a sentence each: which driver it became and why, what would be faster. */
  notes: string[];
}

let asked = false;

/**
 * Returns a WebGPU adapter, after seeing to a driver.
 *
 * Deno's WebGPU looks for drivers once in the life of a process, at the first call; a later call can still choose between
 * GPU and software, but no longer between drivers. Dawn looks each time.
 *
 * @throws {InputError} If there is none, or none of the kind wished for. The message says what was tried and what to install.
 */
export async function ensureAdapter(options: AdapterOptions = {}): Promise<EnsuredAdapter> {
  const { device = Deno.env.get("DENOFOLD_DEVICE") || "auto", log = console.error } = options;
  const install = (options.install ?? false) && !Deno.env.get("DENOFOLD_NO_INSTALL");
  const { dawn, wish } = readDeviceWish(device);
  const webgpu = dawn ? await loadDawn({ install, log }) : denoWebGpu();
  prepareEnvironment();
  const notes: string[] = [];
  const tried: string[] = [];
  if (Deno.build.os === "linux" && (dawn || !asked)) await seeToDriver(wish, install, { log, notes, tried });
  asked ||= !dawn;
  let found = await webgpu.request(wish);
  let refused = "";
  if (!found && dawn) {
    refused = (vulkanDevices() ?? []).map(({ name }) => name).join(", ");
    if (refused) tried.push(`Dawn on the installed Vulkan drivers, of which it accepts none that fits (${refused})`);
    if ((wish.kind === "auto" || wish.kind === "software") && swiftShaderRunsHere()) {
      await trySwiftShader(install, { log, notes, tried });
      found = await webgpu.request(wish);
    }
  }
  if (!found) throw new InputError(noAdapter(wish, tried));
  const { gpu, adapter } = found;
  const name = adapterName(adapter);
  if (wish.kind === "gpu" && isSoftware(adapter)) {
    const hint = unusedGpuHint() ?? installHelp();
    throw new InputError(
      `A GPU is asked for (device "gpu"), but the only adapter is the software driver ${name}. ${hint}`,
    );
  }
  if (isSoftware(adapter) && wish.kind !== "software" && wish.kind !== "name") {
    const slow = /swiftshader/i.test(name)
      ? " SwiftShader is about 8 times slower than Mesa's lavapipe: install mesa-vulkan-drivers (Debian, Ubuntu, Fedora)."
      : "";
    if (refused) notes.push(`Dawn does not accept ${refused}, which Deno's WebGPU may: it wants a newer driver.`);
    notes.push(`No GPU found: running on the processor with the software driver ${name}.${slow}`);
    const hint = unusedGpuHint();
    if (hint) notes.push(hint);
  }
  if (!environmentIsPrepared()) {
    notes.push(
      "WebGPU was used before its environment was prepared: the software driver shares its kernel cache with other " +
        'programs and may run at half its speed. Begin the program with import "@denofold/denofold/setup".',
    );
  }
  return { gpu, adapter, webgpu: webgpu.name, notes };
}

/** Deno's own WebGPU. */
function denoWebGpu(): WebGpu {
  const gpu: GPU | undefined = navigator.gpu;
  if (!gpu) {
    throw new InputError("This Deno has no WebGPU; denofold needs Deno 2.9 or newer, run with --unstable-webgpu");
  }
  return {
    name: `wgpu (Deno ${Deno.version.deno})`,
    async request(wish) {
      const adapter = await request(gpu, wish);
      return adapter && { gpu, adapter };
    },
  };
}

/** The name by which an adapter is shown and chosen. */
export function adapterName(adapter: GPUAdapter): string {
  const { description, device, vendor } = adapter.info;
  return description || device || vendor || "unnamed adapter";
}

/** True for a driver that computes on the processor. */
export function isSoftware(adapter: GPUAdapter): boolean {
  return adapter.info.isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|basic render/i.test(adapterName(adapter));
}

interface Telling {
  log: (line: string) => void;
  notes: string[];
  tried: string[];
}

/** Makes the Vulkan loader offer a device that fits the wish, by installing or fetching a software driver if it must. */
async function seeToDriver(wish: Wish, install: boolean, { log, notes, tried }: Telling): Promise<void> {
  if (wish.kind === "name") {
    if (chooseDriverByName(wish.part) || !"swiftshader".includes(wish.part) || !swiftShaderRunsHere()) return;
    return await trySwiftShader(install, { log, notes, tried });
  }
  const fits = (device: VulkanDevice) => wish.kind !== "software" || device.type === "cpu";
  const found = () => {
    prepareEnvironment(); // for drivers that were not there, or not looked at, before
    return vulkanDevices()?.some(fits) ?? false;
  };
  if (found()) return;
  const named = Deno.env.get("VK_DRIVER_FILES") || Deno.env.get("VK_ICD_FILENAMES");
  if (named) {
    useDriverFiles(undefined);
    const note = `The environment names the Vulkan driver ${named}, which offers no fitting device; it is passed over.`;
    notes.push(note);
    tried.push(`the driver named by the environment (${named})`);
    if (found()) return;
  }
  tried.push(
    vulkanDevices() === undefined ? "the Vulkan loader (libvulkan.so.1 is missing)" : "the installed Vulkan drivers",
  );
  if (useExtraDrivers() && found()) return;
  if (!install) tried.push("no installation, which was not allowed");
  else log(wish.kind === "software" ? "No software Vulkan driver found." : "No GPU driver found.");
  if (install && canUseApt()) {
    log("Installing the software Vulkan driver mesa-vulkan-drivers with apt-get (a minute or two) …");
    const failure = await aptInstall("mesa-vulkan-drivers");
    if (failure === undefined) {
      if (found()) {
        notes.push("Installed mesa-vulkan-drivers with apt-get.");
        return;
      }
      tried.push("mesa-vulkan-drivers, installed with apt-get, without success");
    } else {
      tried.push(`apt-get install mesa-vulkan-drivers (${failure})`);
      log(`apt-get could not install it: ${failure}`);
    }
  }
  if (wish.kind !== "gpu" && swiftShaderRunsHere()) await trySwiftShader(install, { log, notes, tried });
}

async function trySwiftShader(install: boolean, { log, notes, tried }: Telling): Promise<void> {
  let swiftShader = cachedSwiftShader();
  try {
    if (!swiftShader) {
      if (!install) return;
      log("Fetching the software driver SwiftShader from npm (70 MB, once) …");
      swiftShader = await fetchSwiftShader();
      notes.push(`Fetched SwiftShader into ${cacheFolder()}.`);
    }
    if (!startSwiftShader(swiftShader)) tried.push("SwiftShader, which did not start");
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    tried.push(`SwiftShader (${error.message})`);
  }
}

function startSwiftShader({ icd, loader }: { icd: string; loader: string }): boolean {
  useDriverFiles([icd]);
  return (vulkanDevices(loader)?.length ?? 0) > 0;
}

/** Adds drivers that lie where the loader does not look, as in some GPU containers. */
function useExtraDrivers(): boolean {
  const files = driverFiles();
  if (!files.some((file) => file.startsWith("/usr/local/nvidia/"))) return false;
  useDriverFiles(files);
  return true;
}

/** Leaves only the driver whose device has the wished name, if there is one. */
function chooseDriverByName(part: string): boolean {
  const before = Deno.env.get("VK_DRIVER_FILES") || Deno.env.get("VK_ICD_FILENAMES");
  for (const file of driverFiles()) {
    useDriverFiles([file]);
    if (vulkanDevices()?.some((device) => device.name.toLowerCase().includes(part))) return true;
  }
  useDriverFiles(before ? before.split(":") : undefined);
  return false;
}

async function request(gpu: GPU, wish: Wish): Promise<GPUAdapter | undefined> {
  if (wish.kind === "software") return await gpu.requestAdapter({ forceFallbackAdapter: true }) ?? undefined;
  if (wish.kind === "low-power") return await gpu.requestAdapter({ powerPreference: "low-power" }) ?? undefined;
  const fastest = await gpu.requestAdapter({ powerPreference: "high-performance" }) ?? undefined;
  if (wish.kind !== "name") return fastest;
  const others = [{ powerPreference: "low-power" }, { forceFallbackAdapter: true }] as const;
  const candidates = [fastest, ...await Promise.all(others.map((choice) => gpu.requestAdapter(choice)))];
  return candidates.find((adapter) => adapter && nameAndVendor(adapter).includes(wish.part)) ?? undefined;
}

function nameAndVendor(adapter: GPUAdapter): string {
  return `${adapterName(adapter)} ${adapter.info.vendor}`.toLowerCase();
}

function noAdapter(wish: Wish, tried: string[]): string {
  const after = tried.length > 0 ? ` Tried: ${tried.join("; ")}.` : "";
  if (wish.kind === "name") {
    const names = new Set((vulkanDevices() ?? []).map(({ name }) => name));
    const offered = names.size > 0
      ? `this machine offers ${[...names].join(", ")}`
      : "this machine offers none by a name";
    return `No adapter's name contains "${wish.part}"; ${offered}. ` +
      `Other choices are "auto", "gpu", "low-power" and "software".${after}`;
  }
  const what = wish.kind === "gpu" ? "GPU" : wish.kind === "software" ? "software driver" : "GPU or software driver";
  return `No ${what} was found.${after} ${unusedGpuHint() ?? ""} ${installHelp()}`.replace(/ {2,}/g, " ");
}
