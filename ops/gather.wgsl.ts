import { type Kernel, kernel, kernelFamily } from "../core/mod.ts";
import { gatherProbes, oneHotProbes, scatterProbes } from "./_battery/maps.ts";

/** Whether rows are read four numbers at a time. */
export interface GatherStructure {
  readonly vectors: boolean;
}

/** out[p, c] = table[indices[p], c]; an index outside the table is moved to its nearest row. */
export const gatherKernel: (structure: GatherStructure) => Kernel = kernelFamily(({ vectors }: GatherStructure) => {
  const element = vectors ? "vec4f" : "f32";
  return {
    name: "embedding",
    bindings: { table: `read ${element}`, indices: "read i32", out: `write ${element}` },
    uniforms: { n: "u32", rows: "u32", channels: "u32" },
    body: `
if (index < u.n) {
  let row = u32(clamp(indices[index / u.channels], 0, i32(u.rows) - 1));
  out[index] = table[row * u.channels + index % u.channels];
}`,
  };
}, gatherProbes);

/**
 * The transpose: an invocation walks through `count` positions of one chunk, from its place `skip` on, for one channel
 * (or four), and adds to its own part of partial [chunks, rows, channels], which starts at zero.
 */
export const scatterKernel: (structure: GatherStructure) => Kernel = kernelFamily(({ vectors }: GatherStructure) => {
  const element = vectors ? "vec4f" : "f32";
  return {
    name: "embedding.vjp",
    bindings: { d: `read ${element}`, indices: "read i32", partial: `write ${element}` },
    uniforms: {
      positions: "u32",
      rows: "u32",
      channels: "u32",
      chunks: "u32",
      chunkLength: "u32",
      skip: "u32",
      count: "u32",
    },
    turns: ({ count }) => count + 1,
    body: `
if (index < u.chunks * u.channels) {
  let c = index % u.channels;
  let chunk = index / u.channels;
  let sums = chunk * u.rows * u.channels + c;
  let first = chunk * u.chunkLength + u.skip;
  let end = min(min(first + u.count, (chunk + 1u) * u.chunkLength), u.positions);
  for (var p = first; p < end; p++) {
    let row = u32(clamp(indices[p], 0, i32(u.rows) - 1));
    partial[sums + row * u.channels] += d[p * u.channels + c];
  }
}`,
  };
}, scatterProbes);

/** out[p, k] = 1 where indices[p] = k, else 0. */
export const oneHotKernel: Kernel = kernel({
  name: "oneHot",
  bindings: { indices: "read i32", out: "write f32" },
  uniforms: { n: "u32", classes: "u32" },
  body: `
if (index < u.n) {
  out[index] = select(0.0, 1.0, indices[index / u.classes] == i32(index % u.classes));
}`,
}, oneHotProbes);
