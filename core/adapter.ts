/** How the matrix kernels share operands: lanes of one subgroup, workgroup memory, or not at all. */
export type KernelFamily = "subgroup" | "workgroup" | "plain";

/**
 * Where `load` bindings are served from: the tensors' buffers, or read-only storage textures that mirror them. lavapipe's
 * buffer loads check every lane, its texture loads do not.
 */
export type LoadPath = "textures" | "buffers";

/** What an adapter is and can do, as far as kernels are chosen by it. */
export interface AdapterTraits {
  /** Name of the adapter as its driver gives it. */
  readonly description: string;
  /** Vendor, as the driver gives it. */
  readonly vendor: string;
  /** Family of the GPU, as the driver gives it; often empty. */
  readonly architecture: string;
  /** Whether the adapter computes on the CPU (lavapipe, SwiftShader, WARP). */
  readonly software: boolean;
  /** Lanes of a subgroup, or 0 where subgroups are missing or their size varies. */
  readonly subgroupSize: number;
  /** Whether WGSL must say `enable subgroups;` (Dawn) or must not (wgpu): found by compiling both. */
  readonly needsEnableSubgroups: boolean;
  /** Whether kernels may compute in half precision. */
  readonly shaderF16: boolean;
  /** Whether kernels can be timed on the device. */
  readonly timestamps: boolean;
  /** Kernels that can be tried, those first that are expected to be fastest. What is used has been found right. */
  readonly kernelFamilies: readonly KernelFamily[];
  /** Ways to load that can be tried, likewise. */
  readonly loadPaths: readonly LoadPath[];
  /** Largest range of a buffer that a kernel can see, in bytes. */
  readonly maxBindingBytes: number;
  /** Largest buffer, in bytes. */
  readonly maxBufferBytes: number;
}

const OPTIONAL_FEATURES: readonly GPUFeatureName[] = ["timestamp-query", "shader-f16"];

/** `subgroups` is granted by wgpu though it is not listed, and is newer than the type's list of names. */
const SUBGROUPS = "subgroups" as GPUFeatureName;

type SubgroupInfo = { subgroupMinSize?: number; subgroupMaxSize?: number };

/** Opens a device with every useful feature the adapter grants, and says what it got. */
export async function requestTraits(adapter: GPUAdapter): Promise<{ device: GPUDevice; traits: AdapterTraits }> {
  const features = OPTIONAL_FEATURES.filter((name) => adapter.features.has(name));
  const { limits } = adapter;
  const requiredLimits = {
    maxBufferSize: limits.maxBufferSize,
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxStorageBuffersPerShaderStage: Math.min(16, limits.maxStorageBuffersPerShaderStage),
    maxStorageTexturesPerShaderStage: Math.min(16, limits.maxStorageTexturesPerShaderStage),
    maxTextureDimension2D: limits.maxTextureDimension2D,
    maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
  };
  // Where the adapter has no subgroups, kernels use workgroup memory.
  const device = await adapter.requestDevice({ requiredFeatures: [...features, SUBGROUPS], requiredLimits })
    .catch(() => adapter.requestDevice({ requiredFeatures: features, requiredLimits }));
  return { device, traits: traitsOf(adapter, features, await subgroupDialect(device)) };
}

/** How WGSL gets at subgroups: by built-ins that are simply there, after a directive, or not at all. */
type SubgroupDialect = "built-in" | "directive" | "none";

/**
 * The list of features does not tell: wgpu grants subgroups that it does not list, and refuses the directive; Dawn lists
 * them, and demands it.
 */
async function subgroupDialect(device: GPUDevice): Promise<SubgroupDialect> {
  for (const dialect of ["built-in", "directive"] as const) {
    device.pushErrorScope("validation");
    device.createShaderModule({
      label: "subgroups",
      code: `${dialect === "directive" ? "enable subgroups;" : ""}
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(32) fn main(@builtin(local_invocation_index) i: u32) { out[i] = subgroupBroadcast(f32(i), 0u); }`,
    });
    if (await device.popErrorScope() === null) return dialect;
  }
  return "none";
}

/** Most `load` bindings of a kernel. WebGPU guarantees four textures; where there are too few, kernels load from buffers. */
export const MOST_TEXTURES = 6;

function traitsOf(adapter: GPUAdapter, features: readonly GPUFeatureName[], dialect: SubgroupDialect): AdapterTraits {
  const info = adapter.info;
  const { subgroupMinSize = 0, subgroupMaxSize = 0 } = info as SubgroupInfo;
  const description = info.description || info.device || info.architecture || "unnamed adapter";
  const software = /llvmpipe|lavapipe|swiftshader|basic render|software/i.test(description);
  const subgroupSize = dialect !== "none" && subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 0;
  return {
    description,
    vendor: info.vendor,
    architecture: info.architecture,
    software,
    subgroupSize,
    needsEnableSubgroups: dialect === "directive",
    shaderF16: features.includes("shader-f16"),
    timestamps: features.includes("timestamp-query"),
    ...candidates({
      software,
      subgroupSize,
      textures: adapter.limits.maxStorageTexturesPerShaderStage >= MOST_TEXTURES,
    }),
    maxBindingBytes: adapter.limits.maxStorageBufferBindingSize,
    maxBufferBytes: adapter.limits.maxBufferSize,
  };
}

/**
 * What can be tried, in the order in which it is. On a processor with wide vectors a subgroup is one of them, and loads
 * from textures are cheaper than those from buffers, which check every lane; a GPU shares operands in workgroup memory.
 */
function candidates(
  { software, subgroupSize, textures }: Pick<AdapterTraits, "software" | "subgroupSize"> & { textures: boolean },
): Pick<AdapterTraits, "kernelFamilies" | "loadPaths"> {
  const subgroup: KernelFamily[] = subgroupSize >= 4 ? ["subgroup"] : [];
  const texture: LoadPath[] = textures ? ["textures"] : [];
  if (!software) return { kernelFamilies: ["workgroup", ...subgroup, "plain"], loadPaths: ["buffers", ...texture] };
  return subgroupSize >= 8
    ? { kernelFamilies: ["subgroup", "plain", "workgroup"], loadPaths: [...texture, "buffers"] }
    : { kernelFamilies: ["plain", ...subgroup, "workgroup"], loadPaths: ["buffers", ...texture] };
}
