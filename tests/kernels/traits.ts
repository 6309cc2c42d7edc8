/** Adapters of every kind, as far as kernels' texts depend on them. */
import type { AdapterTraits, KernelFamily } from "../../core/mod.ts";

const COMMON: Omit<AdapterTraits, "subgroupSize" | "kernelFamily" | "textureLoads"> = {
  ...{ description: "none", vendor: "", architecture: "", software: false },
  ...{ needsEnableSubgroups: true, shaderF16: true, timestamps: false },
  ...{ maxBindingBytes: 2 ** 40, maxBufferBytes: 2 ** 40 },
};

function kind(kernelFamily: KernelFamily, subgroupSize: number, textureLoads: boolean): AdapterTraits {
  return { ...COMMON, kernelFamily, subgroupSize, textureLoads };
}

/** Every family, with subgroups of every size that there are kernels for, loading from textures and from buffers. */
export const KINDS: readonly AdapterTraits[] = [true, false].flatMap((textures) => [
  ...[4, 8, 16, 32].map((lanes) => kind("subgroup", lanes, textures)),
  kind("workgroup", 32, textures),
  kind("plain", 0, textures),
]);

/** What an adapter is called in the name of a test. */
export function nameOf({ kernelFamily, subgroupSize, textureLoads }: AdapterTraits): string {
  const lanes = kernelFamily === "subgroup" ? `, ${subgroupSize} lanes` : "";
  return `${kernelFamily}${lanes}, loads from ${textureLoads ? "textures" : "buffers"}`;
}
