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

/** Most tensors that {@linkcode addUp} takes. */
export const MOST_ADDED = 4;

/** sum = ((a + b) + c) + d, of which the last ones may be left out; four elements an invocation. */
export const ADD_UP: Kernel = kernel({
  name: "addUp",
  bindings: { a: "read vec4f", b: "read vec4f", c: "read vec4f", d: "read vec4f", sum: "write vec4f" },
  uniforms: { n: "u32", count: "u32" },
  body: `
if (index < u.n) {
  var total = a[index] + b[index];
  if (u.count > 2u) { total += c[index]; }
  if (u.count > 3u) { total += d[index]; }
  sum[index] = total;
}`,
}, () =>
  [2, 3, 4].map((count) => ({
    before: Object.fromEntries(["a", "b", "c", "d"].map((name, i) => [name, noise(4 * 71, i)])),
    uniforms: { n: 71, count },
    grid: [3, 1, 1],
    after: ({ a, b, c, d }) => ({ sum: a.map((x, i) => x + b[i] + (count > 2 ? c[i] : 0) + (count > 3 ? d[i] : 0)) }),
  })));

/** The sum of two to four tensors of one size, in their order; a new tensor of the first one's shape. Records no gradient. */
export function addUp(device: Device, tensors: readonly Tensor[]): Tensor {
  const [a, b, c = b, d = b] = tensors, count = tensors.length;
  const sum = device.empty(a.shape), n = Math.ceil(sum.size / 4);
  if (n === 0) return sum;
  device.run(ADD_UP, {
    bindings: { a, b, c, d, sum },
    uniforms: { n, count },
    grid: elementGrid(n, 64),
    flops: (count - 1) * sum.size,
    bytesRead: 4 * count * sum.size,
  });
  return sum;
}

/** Adds a tensor to another of the same size, in place. Records no gradient. */
export function addInto(device: Device, sum: Tensor, d: Tensor): void {
  inWindows(device, sum.size, { reads: { d }, writes: { sum } }, (bindings, size) => {
    const n = Math.ceil(size / 4);
    device.run(ADD_INTO, { bindings, uniforms: { n }, grid: elementGrid(n, 64), flops: size, bytesRead: 8 * size });
  });
}
