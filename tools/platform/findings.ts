import config from "../../deno.json" with { type: "json" };
import { type Device, type KernelFinding, type MatrixUnits, type Precision, WrongKernelError } from "../../core/mod.ts";
import { type KernelChoice, kernelChoiceOf } from "../../ops/mod.ts";
import { InputError } from "../errors.ts";
import { findOnPath } from "../find_on_path.ts";
import { cacheFolder } from "./cache.ts";
import { adapterName, type EnsuredAdapter, isSoftware } from "./driver.ts";
import { vectorWidth } from "./environment.ts";
import { checkHotKernels } from "./kernel_check.ts";
import { processorName, systemName } from "./machine.ts";
import { openVerified, useKeptTuning } from "./open_device.ts";
import { type SelfTest, selfTest } from "./self_test.ts";
import type { VectorWidth } from "./vector_width.ts";
import { type VulkanDevice, vulkanDevices } from "./vulkan.ts";

export type { SelfTest, VulkanDevice };

/** What `denofold doctor` found out about the machine. */
export interface Findings {
  /** Whether there is an adapter and it computes right. */
  ok: boolean;
  /** The adapter that the commands would run on. */
  adapter?: AdapterFindings;
  /** How wide the vectors are for which Mesa's software driver compiles, and why; undefined where it is not used. */
  vectorWidth?: VectorWidth;
  /** A small kernel and whether its numbers were right. */
  selfTest?: SelfTest;
  /** All devices of the installed Vulkan drivers; empty outside Linux. */
  vulkanDevices: VulkanDevice[];
  /** Versions of what denofold runs on. */
  versions: { denofold: string; deno: string; v8: string; typescript: string };
  /** The machine; `memoryBytes` is all of its memory. */
  machine: { system: string; release: string; arch: string; processor: string; threads: number; memoryBytes: number };
  /** Folders in which files are kept that can be made again. */
  folders: { path: string; use: string; exists: boolean }[];
  /** Other programs that denofold can work with; without `path` where one is not installed. */
  programs: { name: string; path?: string; use: string }[];
  /** Remarks on the choice of the adapter. */
  notes: string[];
  /** What is wrong, and what to do about it. */
  problems: { problem: string; advice?: string }[];
}

/** An adapter's facts. */
export interface AdapterFindings {
  /** Its name, as the driver gives it. */
  name: string;
  /** Who made it. */
  vendor: string;
  /** Its family of chips; empty where the driver does not say. */
  architecture: string;
  /** The driver and its version, as far as they can be known. */
  driver: string;
  /** Whose WebGPU it was reached through, and the version. */
  webgpu: string;
  /** Whether it computes on the processor. */
  software: boolean;
  /** Fewest and most lanes of a subgroup; zeros where there are no subgroups. */
  subgroupSizes: [least: number, most: number];
  /** Whether kernels can use half floats. */
  shaderF16: boolean;
  /** Whether kernels can be timed on the adapter. */
  timestamps: boolean;
  /** Its matrix units as far as kernels can be written for them, and whether products may be computed on them. */
  matrixUnits?: MatrixUnits & { used: boolean };
  /** What it computes with: the preferred kernels, those passed over, and what was found wrong. */
  kernels: KernelChoice & { wrong: KernelFinding[] };
  /** WebGPU's optional features that it lists. */
  features: string[];
  /** The limits that matter here, under WebGPU's names; sizes in bytes. */
  limits: Record<string, number>;
}

const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxUniformBufferBindingSize",
  "maxBindGroups",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupsPerDimension",
] as const;

const PROGRAMS: [name: string, use: string, commands: string[]][] = [
  ["mafft", "aligns sequences for `denofold align`; Debian: apt install mafft", ["mafft"]],
  ["clustalo", "the same; Debian: apt install clustalo", ["clustalo"]],
  ["TMalign", "pairs residues for `denofold score`; Debian: apt install tm-align", ["TMalign"]],
  ["hhblits", "searches for related sequences; Debian: apt install hhsuite", ["hhblits"]],
  ["hhsearch", "searches for templates; Debian: apt install hhsuite", ["hhsearch"]],
  ["jackhmmer", "searches for related sequences; Debian: apt install hmmer", ["jackhmmer"]],
  ["hmmsearch", "searches for templates; Debian: apt install hmmer", ["hmmsearch"]],
  ["mmseqs", "searches for related sequences; Debian: apt install mmseqs2", ["mmseqs"]],
  ["chromium", "only for the tests of the report; Debian: apt install chromium", [
    "chromium",
    "chromium-browser",
    "google-chrome",
  ]],
];

/**
 * Looks at the machine and runs a small kernel on the adapter.
 *
 * @param findAdapter Finds the adapter; an InputError it throws becomes a problem in the findings.
 * @param precision How matrix products are computed.
 */
export async function examine(findAdapter: () => Promise<EnsuredAdapter>, precision?: Precision): Promise<Findings> {
  const findings: Findings = {
    ok: false,
    vulkanDevices: [],
    versions: {
      denofold: config.version,
      deno: Deno.version.deno,
      v8: Deno.version.v8,
      typescript: Deno.version.typescript,
    },
    machine: machine(),
    folders: [],
    programs: PROGRAMS.map(([name, use, commands]) => ({ name, path: findOnPath(commands), use })),
    notes: [],
    problems: [],
  };
  try {
    const { adapter, webgpu, notes } = await findAdapter();
    findings.notes.push(...notes);
    const device = await openVerified(adapter, { log: () => {}, precision });
    const { traits } = device;
    const devices = vulkanDevices() ?? [];
    findings.adapter = {
      name: adapterName(adapter),
      vendor: vendorName(adapter.info.vendor),
      architecture: adapter.info.architecture,
      driver: driverName(devices.find(({ name }) => name === adapterName(adapter))),
      webgpu,
      software: isSoftware(adapter),
      subgroupSizes: [adapter.info.subgroupMinSize, adapter.info.subgroupMaxSize],
      shaderF16: traits.shaderF16,
      timestamps: traits.timestamps,
      ...(traits.matrixUnits && {
        matrixUnits: { ...traits.matrixUnits, used: traits.kernelFamilies.includes("matrix") },
      }),
      kernels: { ...kernelChoiceOf(device), wrong: [] },
      features: [...adapter.features].sort(),
      limits: limits(adapter),
    };
    if (/llvmpipe/i.test(adapterName(adapter))) findings.vectorWidth = vectorWidth();
    findings.selfTest = await selfTest(device.gpu, traits);
    const refusal = await tryKernels(device);
    Object.assign(findings.adapter.kernels, kernelChoiceOf(device), { wrong: device.kernels.findings });
    device.close();
    findings.ok = findings.selfTest.ok && refusal === undefined;
    if (!findings.ok) {
      findings.problems.push({
        problem: findings.selfTest.ok
          ? refusal!
          : `${adapterName(adapter)} computes wrong numbers: ${findings.selfTest.text}`,
        advice: "Update its driver, or choose another adapter with --device.",
      });
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    findings.problems.push({
      problem: error.message,
      advice: Deno.build.os === "linux"
        ? "The other commands see to a software driver by themselves: with apt-get as root on Debian and Ubuntu, else " +
          "with SwiftShader from npm. `denofold doctor --fix` does it now."
        : undefined,
    });
  }
  findings.vulkanDevices = vulkanDevices() ?? [];
  findings.folders = folders();
  return findings;
}

/** Has the hottest kernels verified with what was timed before. @returns Why that cannot be, if it cannot. */
async function tryKernels(device: Device): Promise<string | undefined> {
  useKeptTuning(device);
  try {
    await checkHotKernels(device);
  } catch (error) {
    if (error instanceof WrongKernelError) return error.message;
    throw error;
  }
}

function limits(adapter: GPUAdapter): Record<string, number> {
  return Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]]));
}

/** Vendors as Deno gives them: PCI numbers, or numbers of the Khronos registry, in decimal. Dawn gives names, in lower case. */
const VENDORS: Record<string, string> = {
  "4098": "AMD",
  "4203": "Apple",
  "4318": "NVIDIA",
  "5045": "ARM",
  "5140": "Microsoft",
  "6880": "Google",
  "20803": "Qualcomm",
  "32902": "Intel",
  "65541": "Mesa",
};

function vendorName(vendor: string): string {
  const name = VENDORS[vendor] ?? Object.values(VENDORS).find((name) => name.toLowerCase() === vendor);
  return name ?? (vendor || "not given");
}

function driverName(device: VulkanDevice | undefined): string {
  if (device) return `${device.driver}, Vulkan ${device.apiVersion}`;
  return Deno.build.os === "darwin" ? "Metal" : Deno.build.os === "windows" ? "DirectX 12 or Vulkan" : "not given";
}

function machine(): Findings["machine"] {
  return {
    system: systemName(),
    release: Deno.osRelease(),
    arch: Deno.build.arch,
    processor: processorName(),
    threads: navigator.hardwareConcurrency,
    memoryBytes: Deno.systemMemoryInfo().total,
  };
}

function folders(): Findings["folders"] {
  const own = cacheFolder();
  const deno = Deno.env.get("DENO_DIR");
  const list = [{ path: own, use: "denofold's cache: software driver, what was measured, page of the report" }];
  const mesa = Deno.env.get("MESA_SHADER_CACHE_DIR");
  if (mesa) list.push({ path: mesa, use: "Mesa's cache: compiled kernels" });
  if (deno) list.push({ path: deno, use: "Deno's cache" });
  return list.map((folder) => ({ ...folder, exists: isThere(folder.path) }));
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
