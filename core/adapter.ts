/**
 * How the matrix kernels share operands: lanes of one subgroup, workgroup memory, or not at all; `matrix` are products on
 * a GPU's matrix units, `tiles` attention as two products in workgroup memory.
 */
export type KernelFamily = "subgroup" | "workgroup" | "plain" | "matrix" | "tiles";

/**
 * How matrix products are computed: in f32, or with operands rounded to f16 and sums in f32 where an adapter has matrix
 * units that do that. Units that take f32 are used either way.
 *
 * Rounding makes errors of about 2e-4 of the largest result of a product, and operands beyond 65,504 become infinite.
 * Gradients, of which many are too small for f16, are computed in f32 either way.
 */
export type Precision = "f32" | "f16-products";

/** All of them, the default first. */
export const PRECISIONS: readonly Precision[] = ["f32", "f16-products"];

/**
 * Matrix units of a GPU (WGSL's experimental subgroup matrices), in the configuration that kernels use: a subgroup multiplies
 * [m, k] by [k, n] at once. Sums are f32 in all of them.
 */
export interface MatrixUnits {
  /** Type of the operands. */
  readonly operands: "f32" | "f16";
  /** Rows and columns of a result, and the length of its sums. */
  readonly m: number;
  /** Columns. */
  readonly n: number;
  /** Length of the sums. */
  readonly k: number;
  /** Lanes of the subgroups. */
  readonly lanes: number;
  /** Whether kernels must ask for subgroups of so many lanes, as their size varies otherwise. */
  readonly pinned: boolean;
  /** Bytes of workgroup memory, and invocations of a workgroup, that a kernel may have. */
  readonly workgroupBytes: number;
  /** Invocations. */
  readonly invocations: number;
  /**
   * Whether they are spelled out in plain WGSL, as tests do on adapters that have none: the same kernels with their
   * strides, edges and epilogues, only slower. @default false
   */
  readonly emulated?: boolean;
}

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
  /** Matrix units that kernels can be written for; they are used where `kernelFamilies` has `matrix`. Absent if there are none. */
  readonly matrixUnits?: MatrixUnits;
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

type SubgroupInfo = {
  subgroupMinSize?: number;
  subgroupMaxSize?: number;
  subgroupMatrixConfigs?: Iterable<MatrixConfig>;
};

/** What a device is asked for. */
export interface RequestOptions {
  /** How matrix products are computed. @default "f32" */
  readonly precision?: Precision;
}

/** Opens a device with every useful feature the adapter grants, and says what it got. */
export async function requestTraits(
  adapter: GPUAdapter,
  { precision = "f32" }: RequestOptions = {},
): Promise<{ device: GPUDevice; traits: AdapterTraits }> {
  const { limits } = adapter;
  const units = matrixUnitsOf(adapter);
  const usesUnits = !!units && (units.operands === "f32" || precision === "f16-products");
  const features = [
    ...OPTIONAL_FEATURES.filter((name) => adapter.features.has(name)),
    ...(usesUnits ? [MATRIX_FEATURE, ...(units.pinned ? [SIZE_CONTROL] : [])] : []),
  ];
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
  const dialect = await subgroupDialect(device);
  return { device, traits: traitsOf(adapter, features, { dialect, units, usesUnits }) };
}

const MATRIX_FEATURE = "chromium-experimental-subgroup-matrix" as GPUFeatureName;
const SIZE_CONTROL = "subgroup-size-control" as GPUFeatureName;

/** A configuration of matrix units as Dawn lists it. */
interface MatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** Lanes that subgroups are asked to have where their size varies: what GPUs with matrix units have or can have. */
const USUAL_LANES = 32;

/**
 * The matrix units of an adapter in the configuration that suits kernels best: f32 operands before f16 ones, then most
 * results, then longest sums. Configurations whose sums are not f32 are never used, nor subgroups whose size is not known.
 */
export function matrixUnitsOf({ features, info, limits }: GPUAdapter): MatrixUnits | undefined {
  if (!features.has(MATRIX_FEATURE) || !features.has(SUBGROUPS)) return undefined;
  const { subgroupMinSize = 0, subgroupMaxSize = 0, subgroupMatrixConfigs = [] } = info as SubgroupInfo;
  const pinned = subgroupMinSize !== subgroupMaxSize;
  if (subgroupMinSize === 0 || (pinned && !features.has(SIZE_CONTROL))) return undefined;
  const lanes = Math.min(Math.max(USUAL_LANES, subgroupMinSize), subgroupMaxSize);
  const [best] = Array.from(subgroupMatrixConfigs)
    .filter(({ componentType: type, resultComponentType: result }) =>
      result === "f32" && (type === "f32" || (type === "f16" && features.has("shader-f16")))
    )
    .sort((a, b) =>
      Number(b.componentType === "f32") - Number(a.componentType === "f32") || b.M * b.N - a.M * a.N || b.K - a.K
    );
  return best && {
    operands: best.componentType as MatrixUnits["operands"],
    ...{ m: best.M, n: best.N, k: best.K, lanes, pinned },
    workgroupBytes: limits.maxComputeWorkgroupStorageSize,
    invocations: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
  };
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

function traitsOf(
  adapter: GPUAdapter,
  features: readonly GPUFeatureName[],
  { dialect, units, usesUnits }: {
    readonly dialect: SubgroupDialect;
    readonly units: MatrixUnits | undefined;
    readonly usesUnits: boolean;
  },
): AdapterTraits {
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
    ...(units && { matrixUnits: units }),
    ...candidates({
      software,
      usesUnits,
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
  { software, subgroupSize, textures, usesUnits }:
    & Pick<AdapterTraits, "software" | "subgroupSize">
    & { textures: boolean; usesUnits: boolean },
): Pick<AdapterTraits, "kernelFamilies" | "loadPaths"> {
  const subgroup: KernelFamily[] = subgroupSize >= 4 ? ["subgroup"] : [];
  const texture: LoadPath[] = textures ? ["textures"] : [];
  const matrix: KernelFamily[] = usesUnits ? ["matrix"] : [];
  if (!software) {
    return { kernelFamilies: [...matrix, "workgroup", ...subgroup, "plain"], loadPaths: ["buffers", ...texture] };
  }
  return subgroupSize >= 8
    ? { kernelFamilies: ["subgroup", "plain", "workgroup"], loadPaths: [...texture, "buffers"] }
    : { kernelFamilies: ["plain", ...subgroup, "workgroup"], loadPaths: ["buffers", ...texture] };
}
