/**
 * Dawn, the WebGPU of Chromium, as a second implementation beside Deno's own: the npm package `webgpu`, a native addon.
 * It is fetched into the cache folder when it is asked for, and needed for nothing else.
 *
 * @module
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { cacheFolder } from "./cache.ts";
import type { WebGpu } from "./device_wish.ts";
import { fetchNpmFiles } from "./npm_files.ts";
import { patientImmediate } from "./patience.ts";

const NAME = "webgpu";
const VERSION = "0.6.2";
const ADDON = "dawn.node";

/** The package's files for each system, with their SHA-256. */
const FILES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "linux-x86_64": {
    "dist/linux-x64/dawn.node": "ab18a659f8325e874ea45c80347b64336d7f748601102753d2bc669fdecfd710",
  },
  "linux-aarch64": {
    "dist/linux-arm64/dawn.node": "474a272ac9be570b04fa3791576d32e56f574818e60190c6788a83be90233980",
  },
  "darwin-x86_64": {
    "dist/darwin-universal/dawn.node": "f5b278f3dc65276bf1f8a667f91650d32585431d5b2d148ca729f67924c574a3",
  },
  "darwin-aarch64": {
    "dist/darwin-universal/dawn.node": "f5b278f3dc65276bf1f8a667f91650d32585431d5b2d148ca729f67924c574a3",
  },
  "windows-x86_64": {
    "dist/win32-x64/dawn.node": "75fff5db8a7541ad7a2d22c468e6f8bc3614b87c3b649c8ce712f7f5148ef338",
    "dist/win32-x64/d3dcompiler_47.dll": "289767b49dc8525bce262ea06fee4ef9fced2e131a55b25654ce871c1f0498b2",
    "dist/win32-x64/dxcompiler.dll": "04cf618004bf19f789f54e8931c7f7106223bccd354b093c4ff725c748512602",
  },
  "windows-aarch64": {
    "dist/win32-arm64/dawn.node": "d0ef6fe1551cd08fb0fee2a8281d38008434697e5d9a6f3bfdcbb9ab00755672",
    "dist/win32-arm64/d3dcompiler_47.dll": "3cdd009ee909bb2e5123990f7d4ea690a1e968202c3adba861eda69f5e672752",
    "dist/win32-arm64/dxcompiler.dll": "ed294f011f57eb8cfef061c2d91e56c1c192ca1a6ddaa315ccab7c2900029e6e",
  },
};

/** What it is called where it is shown. */
const DAWN = `Dawn (npm ${NAME} ${VERSION})`;

/** How Dawn is got. */
export interface DawnOptions {
  /** Whether it may be fetched from npm where an earlier run has not. */
  readonly install: boolean;
  /** Receives a line before it is fetched. */
  readonly log: (line: string) => void;
}

/** Dawn, loaded into this process. */
export interface Dawn extends WebGpu {
  /** An adapter that checks texts and pipelines as a real one does, and runs nothing; it needs no driver. */
  null(): Promise<GPUAdapter>;
}

interface Addon {
  readonly create: (options: readonly string[]) => GPU;
  readonly globals: Readonly<Record<string, unknown>>;
}

let loaded = false;

/** All that was made: where one is collected as garbage, what its devices are asked next aborts the process. */
const keptAlive: GPU[] = [];

/**
 * Loads Dawn into this process, after fetching it where it has to be.
 *
 * @throws {InputError} If it is not there and may not or cannot be fetched, or does not run here.
 */
export async function loadDawn({ install, log }: DawnOptions): Promise<Dawn> {
  const path = addonPath();
  if (!isFile(path)) {
    const files = FILES[`${Deno.build.os}-${Deno.build.arch}`];
    if (!files) throw new InputError(`${DAWN} is not made for ${Deno.build.os} on ${Deno.build.arch}`);
    if (!install) {
      throw new InputError(
        `${DAWN} is asked for and not here yet (${path}); the command line fetches it, unless DENOFOLD_NO_INSTALL is set: ` +
          "`denofold doctor --device dawn --fix`",
      );
    }
    log(`Fetching ${DAWN} from npm (50 MB, once) …`);
    await fetchNpmFiles({ name: NAME, version: VERSION, files }, { folder: dawnFolder() });
  }
  let addon: Addon;
  try {
    addon = createRequire(path)(path);
  } catch (error) {
    const [why] = (error instanceof Error ? error.message : String(error)).split("\n");
    throw new InputError(`${DAWN} cannot be loaded: ${why}; remove ${dawnFolder()} to have it fetched again`);
  }
  const scope = globalThis as Record<string, unknown>;
  for (const name of CONSTANTS) scope[name] ??= addon.globals[name];
  if (!loaded) scope.setImmediate = patientImmediate(scope.setImmediate as typeof setImmediate);
  loaded = true;
  return dawnOf((options) => {
    const gpu = addon.create(options);
    keptAlive.push(gpu);
    return gpu;
  });
}

/** What WebGPU puts into the global scope and Deno has only with `--unstable-webgpu`: the same numbers in both. */
const CONSTANTS = ["GPUBufferUsage", "GPUMapMode", "GPUShaderStage", "GPUTextureUsage"] as const;

/** Other backends than Vulkan lack subgroups and half floats on Linux; elsewhere Dawn takes the system's own. */
const BACKEND = Deno.build.os === "linux" ? ["backend=vulkan"] : [];

/**
 * Timestamps in full, which Dawn rounds to 0.1 ms unless told not to; matrix units, an experiment still; half floats on
 * NVIDIA, whose matrix units take them.
 */
const FEATURES = [
  "disable-dawn-features=timestamp_quantization",
  "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia",
];

function dawnOf(create: Addon["create"]): Dawn {
  const request = async (options: GPURequestAdapterOptions, name?: string) => {
    const gpu = create([...BACKEND, ...FEATURES, ...(name === undefined ? [] : [`adapter=${name}`])]);
    const adapter = await gpu.requestAdapter(options);
    return adapter ? { gpu, adapter: named(adapter, nameOf(adapter, await namesOf(create))) } : undefined;
  };
  return {
    name: DAWN,
    async request(wish) {
      if (wish.kind === "software") return await request({ forceFallbackAdapter: true });
      if (wish.kind === "low-power") return await request({ powerPreference: "low-power" });
      if (wish.kind !== "name") return await request({ powerPreference: "high-performance" });
      const name = (await namesOf(create)).find((name) => name.toLowerCase().includes(wish.part));
      return name === undefined ? undefined : await request({}, name);
    },
    async null() {
      const adapter = await create(["backend=null", ...FEATURES]).requestAdapter();
      if (!adapter) throw new Error(`${DAWN} offers no null backend`);
      return adapter;
    },
  };
}

/** Asks for an adapter of a name that none has: the refusal lists those that there are. */
async function namesOf(create: Addon["create"]): Promise<string[]> {
  try {
    await create([...BACKEND, "adapter=(list)"]).requestAdapter();
    return []; // no adapter at all
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return [...text.matchAll(/^ \* backend: '[^']*', name: '(.*)'$/gm)].map(([, name]) => name);
  }
}

/** Of an adapter's name, Dawn tells letters, digits and hyphens. */
function nameOf({ info }: GPUAdapter, names: readonly string[]): string {
  return names.find((name) => name.toLowerCase().replace(/[^a-z0-9]+/g, "-") === info.device) ?? info.device;
}

/** Gives an adapter its name as the description, where Deno has it; Dawn describes the driver there. */
function named(adapter: GPUAdapter, description: string): GPUAdapter {
  const { vendor, architecture, device, subgroupMinSize, subgroupMaxSize, isFallbackAdapter } = adapter.info;
  const { subgroupMatrixConfigs } = adapter.info as GPUAdapterInfo & { readonly subgroupMatrixConfigs?: unknown };
  const info = {
    ...{ vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize, isFallbackAdapter },
    subgroupMatrixConfigs,
  };
  return Object.defineProperty(adapter, "info", { value: info });
}

function dawnFolder(): string {
  return join(cacheFolder(), `dawn-${VERSION}`);
}

function addonPath(): string {
  return join(dawnFolder(), ADDON);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
