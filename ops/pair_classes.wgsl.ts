import { type Kernel, kernel, kernelFamily } from "../core/mod.ts";
import { chainOffsetClassesProbes, distanceClassesProbes, offsetClassesProbes } from "./_battery/pairs.ts";

/** What both kernels start with: pair (i, j) of batch entry b, `row` being b n + i. */
const PAIR = `
let row = u.first + index / u.n;
let j = index % u.n;
let other = row / u.n * u.n + j;`;

/** What the texts of classes of distance depend on. */
export interface DistanceClassesStructure {
  /** Whether pairs of marked points have classes of their own. */
  readonly marked: boolean;
  /** Whether pairs across groups have none. */
  readonly grouped?: boolean;
}

/**
 * classes[pair] = k where bounds[k - 1] < d² < bounds[k], all of them squares, else 0; more where both are marked; and 0
 * where they are of different groups.
 */
export const distanceClassesKernel: (structure: DistanceClassesStructure) => Kernel = kernelFamily(
  ({ marked, grouped }: DistanceClassesStructure) => ({
    name: "distanceClasses",
    bindings: {
      points: "read f32", // [B, N, 3]
      bounds: "read f32", // [count + 1]
      ...(marked && { marks: "read f32" as const }), // [B, N]
      ...(grouped && { groupOf: "read i32" as const }), // [B, N]
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
  ${marked ? "if (marks[row] * marks[other] != 0.0) { found += i32(u.count) + 1; }" : ""}${
      grouped ? "\n  if (groupOf[row] != groupOf[other]) { found = 0; }" : ""
    }
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

/**
 * classes[pair] = 1 + r (2 C + 2) + c: r is R + clamp(offset of residues, -R, R), or 2 R + 1 in different chains; c is
 * C + clamp(offset of copies, -C, C), or 2 C + 1 for different entities.
 */
export const chainOffsetClassesKernel: Kernel = kernel({
  name: "chainOffsetClasses",
  bindings: {
    residues: "read i32", // [B, N], as the others
    chains: "read i32",
    entities: "read i32",
    copies: "read i32",
    classes: "write i32", // [rows, N]
  },
  uniforms: { total: "u32", n: "u32", first: "u32", mostResidues: "i32", mostCopies: "i32" },
  body: `
if (index < u.total) {
  ${PAIR}
  var residue = 2 * u.mostResidues + 1;
  if (chains[row] == chains[other]) {
    residue = u.mostResidues + clamp(residues[row] - residues[other], -u.mostResidues, u.mostResidues);
  }
  var copy_ = 2 * u.mostCopies + 1;
  if (entities[row] == entities[other]) {
    copy_ = u.mostCopies + clamp(copies[row] - copies[other], -u.mostCopies, u.mostCopies);
  }
  classes[index] = 1 + residue * (2 * u.mostCopies + 2) + copy_;
}`,
}, chainOffsetClassesProbes);
