/** One device that the Vulkan drivers of this machine offer. */
export interface VulkanDevice {
  /** Its name, such as `NVIDIA H100` or `llvmpipe (LLVM 15.0.6, 256 bits)`. */
  name: string;
  /** What kind it is; `cpu` is a software driver. */
  type: "other" | "integrated" | "discrete" | "virtual" | "cpu";
  /** PCI vendor number, or a number of the Khronos registry for software. */
  vendorId: number;
  /** Version of Vulkan that the driver offers for it, such as `1.3.230`. */
  apiVersion: string;
  /** The driver and its version in its own words, such as `llvmpipe Mesa 22.3.6 (LLVM 15.0.6)`; may be empty. */
  driver: string;
}

const DEVICE_TYPES = ["other", "integrated", "discrete", "virtual", "cpu"] as const;
const LOADER_NAMES = ["libvulkan.so.1", "libvulkan.so"];

const SYMBOLS = {
  vkCreateInstance: { parameters: ["buffer", "pointer", "buffer"], result: "i32" },
  vkEnumeratePhysicalDevices: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  vkGetPhysicalDeviceProperties2: { parameters: ["pointer", "buffer"], result: "void" },
} as const;

type Loader = Deno.DynamicLibrary<typeof SYMBOLS>;
let openLoader: Loader | undefined;

/**
 * Lists the devices of the installed Vulkan drivers without touching WebGPU, which looks for drivers only once in the
 * life of a process: what is missing can be installed before that one look.
 *
 * The Vulkan instance stays open on purpose. It keeps the drivers loaded, so that WebGPU finds them warm.
 *
 * @param loaderPath The Vulkan loader to open where the system has none, a path to `libvulkan.so.1`.
 * @returns The devices, none if there is no driver, `undefined` if there is no Vulkan loader at all or this is not Linux.
 */
export function vulkanDevices(loaderPath?: string): VulkanDevice[] | undefined {
  if (Deno.build.os !== "linux") return undefined;
  openLoader ??= open([...LOADER_NAMES, ...(loaderPath ? [loaderPath] : [])]);
  if (!openLoader) return undefined;
  const { symbols } = openLoader;

  const handle = new BigUint64Array(1);
  if (symbols.vkCreateInstance(instanceCreateInfo(), null, handle) !== 0) return [];
  const instance = Deno.UnsafePointer.create(handle[0]);
  const count = new Uint32Array(1);
  if (symbols.vkEnumeratePhysicalDevices(instance, count, null) !== 0 || count[0] === 0) return [];
  const devices = new BigUint64Array(count[0]);
  symbols.vkEnumeratePhysicalDevices(instance, count, devices);
  return Array.from(devices.subarray(0, count[0]), (device) => describe(symbols, device));
}

/** VkInstanceCreateInfo that asks for Vulkan 1.2 and nothing else; the offsets are those of 64-bit machines. */
function instanceCreateInfo(): Uint8Array<ArrayBuffer> {
  const applicationInfo = new Uint8Array(48); // sType 0
  new DataView(applicationInfo.buffer).setUint32(44, (1 << 22) | (2 << 12), true); // apiVersion
  const createInfo = new Uint8Array(64);
  const view = new DataView(createInfo.buffer);
  view.setUint32(0, 1, true); // sType
  view.setBigUint64(24, Deno.UnsafePointer.value(Deno.UnsafePointer.of(applicationInfo)), true); // pApplicationInfo
  keptAlive.push(applicationInfo);
  return createInfo;
}

/** Buffers that others point to, kept from the garbage collector. */
const keptAlive: Uint8Array[] = [];

/** Reads VkPhysicalDeviceProperties2 with VkPhysicalDeviceDriverProperties chained to it. */
function describe(symbols: Loader["symbols"], device: bigint): VulkanDevice {
  const driverProperties = new Uint8Array(544);
  new DataView(driverProperties.buffer).setUint32(0, 1_000_196_000, true); // sType
  const properties = new Uint8Array(2048); // more than its 840 bytes
  const view = new DataView(properties.buffer);
  view.setUint32(0, 1_000_059_001, true); // sType
  view.setBigUint64(8, Deno.UnsafePointer.value(Deno.UnsafePointer.of(driverProperties)), true); // pNext
  symbols.vkGetPhysicalDeviceProperties2(Deno.UnsafePointer.create(device), properties);
  const apiVersion = view.getUint32(16, true);
  return {
    name: text(properties, 36),
    type: DEVICE_TYPES[view.getUint32(32, true)] ?? "other",
    vendorId: view.getUint32(24, true),
    apiVersion: [(apiVersion >>> 22) & 0x7f, (apiVersion >>> 12) & 0x3ff, apiVersion & 0xfff].join("."),
    driver: `${text(driverProperties, 20)} ${text(driverProperties, 276)}`.trim(),
  };
}

/** The text of up to 255 letters at an offset, ended by a zero. */
function text(bytes: Uint8Array, at: number): string {
  const field = bytes.subarray(at, at + 256);
  return new TextDecoder().decode(field.subarray(0, Math.max(0, field.indexOf(0))));
}

function open(names: string[]): Loader | undefined {
  for (const name of names) {
    try {
      return Deno.dlopen(name, SYMBOLS);
    } catch {
      // Not there, or not to be opened: try the next one.
    }
  }
  return undefined;
}

/** Folders in which Vulkan drivers announce themselves; the second line is for GPU containers that mount them elsewhere. */
const ICD_FOLDERS = [
  "/etc/vulkan/icd.d",
  "/usr/local/share/vulkan/icd.d",
  "/usr/share/vulkan/icd.d",
  "/usr/local/nvidia/share/vulkan/icd.d",
];

/** The files by which Vulkan drivers announce themselves on this machine: those the user names, else those installed. */
export function driverFiles(): string[] {
  const named = Deno.env.get("VK_DRIVER_FILES") || Deno.env.get("VK_ICD_FILENAMES");
  if (named) return named.split(":").filter((file) => file !== "");
  const home = Deno.env.get("HOME");
  const folders = [...(home ? [`${home}/.local/share/vulkan/icd.d`] : []), ...ICD_FOLDERS];
  return folders.flatMap((folder) => {
    try {
      const names = Array.from(Deno.readDirSync(folder), (entry) => entry.name);
      return names.filter((name) => name.endsWith(".json")).sort().map((name) => `${folder}/${name}`);
    } catch {
      return []; // The folder is not there.
    }
  });
}

/** Makes the Vulkan loader use these drivers alone, or with `undefined` the installed ones. Call before WebGPU starts. */
export function useDriverFiles(files: string[] | undefined): void {
  for (const variable of ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"]) { // the second is the name in loaders before 1.3.207
    if (files) Deno.env.set(variable, files.join(":"));
    else Deno.env.delete(variable);
  }
}
