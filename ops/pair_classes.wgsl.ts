import { type Kernel, kernel, kernelFamily } from "../core/mod.ts";
import { distanceClassesProbes, offsetClassesProbes } from "./_battery/pairs.ts";

/** What both kernels start with: pair (i, j) of batch entry b, `row` being b n + i. */
const PAIR = `
let row = u.first + index / u.n;
let j = index % u.n;
let other = row / u.n * u.n + j;`;

/** classes[pair] = k where bounds[k - 1] < d² < bounds[k], all of them squares, else 0; and more where both are marked. */
export const distanceClassesKernel: (structure: { readonly marked: boolean }) => Kernel = kernelFamily(
  ({ marked }: { readonly marked: boolean }) => ({
    name: "distanceClasses",
    bindings: {
      points: "read f32", // [B, N, 3]
      bounds: "read f32", // [count + 1]
      ...(marked && { marks: "read f32" as const }), // [B, N]
      classes: "write i32", // [rows, N]
    },
    uniforms: { total: "u32", n: "u32", first: "u32", count: "u32" },
    turns: ({ count }) => count + 5,
    body: `
if (index < u.total) {
  ${PAIR}
  var square = 0.0;
  for (var axis = 0u; axis < 3u; axis++) {
    let d = points[3u * row + axis] - points[3u * other + axis];
    square += d * d;
  }
  var found = 0;
  for (var k = 0u; k < u.count; k++) {
    if (square > bounds[k] && square < bounds[k + 1u]) { found = i32(k) + 1; }
  }
  ${marked ? "if (marks[row] * marks[other] != 0.0) { found += i32(u.count) + 1; }" : ""}
  classes[index] = found;
}`,
  }),
  distanceClassesProbes,
);

/** classes[pair] = 1 + most + clamp(numbers_i - numbers_j, -most, most). */
export const offsetClassesKernel: Kernel = kernel({
  name: "offsetClasses",
  bindings: { numbers: "read i32", classes: "write i32" }, // [B, N], [rows, N]
  uniforms: { total: "u32", n: "u32", first: "u32", most: "i32" },
  body: `
if (index < u.total) {
  ${PAIR}
  classes[index] = 1 + u.most + clamp(numbers[row] - numbers[other], -u.most, u.most);
}`,
}, offsetClassesProbes);
