import type { Device } from "./device.ts";
import { elementGrid } from "./grid.ts";
import { noise } from "./probe.ts";
import type { Tensor } from "./tensor.ts";
import { type Kernel, kernel } from "./wgsl.ts";
import { inWindows } from "./windows.ts";

/** sum += d, four elements an invocation. */
export const ADD_INTO: Kernel = kernel({
  name: "addInto",
  bindings: { sum: "write vec4f", d: "read vec4f" },
  uniforms: { n: "u32" },
  body: "if (index < u.n) { sum[index] += d[index]; }",
}, () => [{
  before: { sum: noise(4 * 71, 1), d: noise(4 * 71, 2) },
  uniforms: { n: 71 },
  grid: [3, 1, 1],
  after: ({ sum, d }) => ({ sum: sum.map((x, i) => x + d[i]) }),
}]);

/** Adds a tensor to another of the same size, in place. Records no gradient. */
export function addInto(device: Device, sum: Tensor, d: Tensor): void {
  inWindows(device, sum.size, { reads: { d }, writes: { sum } }, (bindings, size) => {
    const n = Math.ceil(size / 4);
    device.run(ADD_INTO, { bindings, uniforms: { n }, grid: elementGrid(n, 64), flops: size, bytesRead: 8 * size });
  });
}
