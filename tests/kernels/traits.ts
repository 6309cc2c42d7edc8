/** Adapters of every kind, as far as kernels' texts depend on them. */
import type { AdapterTraits, KernelFamily, MatrixUnits } from "../../core/mod.ts";

const COMMON: Omit<AdapterTraits, "subgroupSize" | "kernelFamilies" | "loadPaths"> = {
  ...{ description: "none", vendor: "", architecture: "", software: false },
  ...{ needsEnableSubgroups: true, shaderF16: true, timestamps: false },
  ...{ maxBindingBytes: 2 ** 40, maxBufferBytes: 2 ** 40 },
};

function kind(kernelFamily: KernelFamily, subgroupSize: number, textureLoads: boolean): AdapterTraits {
  return {
    ...COMMON,
    kernelFamilies: [kernelFamily],
    subgroupSize,
    loadPaths: [textureLoads ? "textures" : "buffers"],
  };
}

/** Units as NVIDIA has them. */
export const HALF_UNITS: MatrixUnits = {
  ...{ operands: "f16", m: 16, n: 16, k: 16, lanes: 32, pinned: false },
  ...{ workgroupBytes: 32_768, invocations: 256 },
};

/**
 * Those that occur: lavapipe with 128 and 512 bits, which loads from textures; the same with 256 bits where there are too
 * few of them; GPUs; other software.
 */
export const KINDS: readonly AdapterTraits[] = [
  kind("subgroup", 4, true),
  kind("subgroup", 16, true),
  kind("subgroup", 8, false),
  kind("workgroup", 32, false),
  kind("plain", 0, false),
];

/** A GPU with matrix units; what it runs besides products it runs as the other one does. */
export const WITH_UNITS: AdapterTraits = {
  ...kind("workgroup", 32, false),
  ...{ kernelFamilies: ["matrix", "workgroup"], matrixUnits: HALF_UNITS },
};

/** What an adapter is called in the name of a test. */
export function nameOf({ kernelFamilies: [kernelFamily], subgroupSize, loadPaths: [loads] }: AdapterTraits): string {
  const lanes = kernelFamily === "subgroup" ? `, ${subgroupSize} lanes` : "";
  return `${kernelFamily}${lanes}, loads from ${loads}`;
}
