import {
  type AdapterTraits,
  type BindingType,
  type Device,
  type KernelFamily,
  type KernelUse,
  type Tensor,
  unroll,
} from "../core/mod.ts";
import { EXPONENTIAL, EXTREMA, SPECIAL_VALUES, valueTypes } from "./_functions.wgsl.ts";
import { familiesToTry } from "./tuning.ts";

/**
 * Longest row that the invocations of one workgroup go through, three times at most: its loops then take fewer turns than
 * lavapipe grants. Longer rows are reduced in parts.
 */
export const LONG_ROW = 16_384;

/** What the texts of the kernels that go along rows depend on. */
export interface RowStructure {
  /** Whether a row is read four elements at a time: its length is a multiple of four. */
  readonly vector: boolean;
  /** Invocations that share a row: 1, 16, or a subgroup. */
  readonly rowLanes: number;
  /** Whether these are a subgroup, and pass their sums from lane to lane. @default through workgroup memory */
  readonly subgroup?: boolean;
  /** Elements (or vec4s) in one turn of a loop; divides a row's number of them. */
  readonly unrolled: number;
}

/**
 * Declarations for {@linkcode alongRow}: the type `V` of what is read at once, `total` and `greatest` of one, and
 * `row_sum` and `row_max` over the invocations that share a row. A NaN is the greatest.
 */
export function rowDeclarations({ vector, rowLanes, subgroup = false }: RowStructure): string {
  const shared = rowLanes > 1 && !subgroup;
  const reduce = (name: string, combine: (other: string) => string) => {
    const begin = `fn ${name}(lane: u32, v: f32) -> f32 {`;
    if (rowLanes === 1) return `${begin} return v; }`;
    if (subgroup) {
      const steps = unroll(Math.log2(rowLanes), (bit) => `all = ${combine(`subgroupShuffleXor(all, ${2 ** bit}u)`)};`);
      return `${begin}\nvar all = v;\n${steps}\nreturn all;\n}`;
    }
    return `
${begin}
  workgroupBarrier();
  partial[lane] = v;
  workgroupBarrier();
  let first = lane / ${rowLanes}u * ${rowLanes}u;
  var all = partial[first];
  for (var i = 1u; i < ${rowLanes}u; i++) { all = ${combine("partial[first + i]")}; }
  return all;
}`;
  };
  return `${valueTypes(vector ? "vec4f" : "f32")}
${SPECIAL_VALUES}
${EXTREMA}
${EXPONENTIAL}
fn total(v: V) -> f32 { return ${vector ? "(v.x + v.y) + (v.z + v.w)" : "v"}; }
fn greatest(v: V) -> f32 { ${
    vector ? "let pairs = larger(v, v.yxwz); return larger(pairs, pairs.zwxy).x;" : "return v;"
  } }
${shared ? "var<workgroup> partial: array<f32, 64>;" : ""}
${reduce("row_sum", (other) => `all + ${other}`)}
${reduce("row_max", (other) => `larger(V(all), V(${other}))${vector ? ".x" : ""}`)}`;
}

/** Where a row's invocation stands: `row` (inside the matrix), `live` (whether it counts), `part`, `base`. */
export const rowPlace = ({ rowLanes }: RowStructure) => `
let live = index / ${rowLanes}u < u.rows;
let row = min(index / ${rowLanes}u, u.rows - 1u);
let part = lane % ${rowLanes}u;
let base = row * u.columns;`;

/** A loop along the row: `j` is the place in it, `i` that in the tensor (`step` multiplies `j`). */
export function alongRow({ rowLanes, unrolled }: RowStructure, statement: string, step = ""): string {
  return `for (var first = part; first < u.columns; first += ${rowLanes * unrolled}u) {
${unroll(unrolled, (k) => `{ let j = first + ${k * rowLanes}u; let i = base + j${step}; ${statement} }`)}
}`;
}

/** Most turns of so many loops along a row, and of so many reductions over the invocations that share it. */
export function turnsAlongRow(
  { rowLanes, subgroup, unrolled }: RowStructure,
  loops: number,
  reductions: number,
) {
  return ({ columns }: Readonly<Record<string, number>>): number =>
    loops * (Math.ceil(columns / (rowLanes * unrolled)) + 1) + (rowLanes > 1 && !subgroup ? reductions * rowLanes : 0);
}

/** Who shares a row in a family's kernels. */
export function rowLanesOf(
  { subgroupSize }: Pick<AdapterTraits, "subgroupSize">,
  family: KernelFamily,
): Pick<RowStructure, "rowLanes" | "subgroup"> {
  if (family === "subgroup") return { rowLanes: subgroupSize, subgroup: true };
  return { rowLanes: family === "workgroup" ? 16 : 1 };
}

/** How an array is read at once. */
export const reader = ({ vector }: { vector: boolean }, name: string, at: string) =>
  vector ? `${name}_at(${at})` : `${name}[${at}]`;

/** Bindings of arrays that are read, and written, at once. */
export const inputType = ({ vector }: { vector: boolean }): BindingType => (vector ? "load vec4f" : "read f32");
export const outputType = ({ vector }: { vector: boolean }): BindingType => (vector ? "write vec4f" : "write f32");

/** Refuses rows too long for the invocations of a workgroup, in an op that does not go through them in parts. */
export function requireShortRows(name: string, { shape }: Tensor): void {
  const c = shape[shape.length - 1];
  if (c > LONG_ROW) throw new RangeError(`${name} takes rows of at most ${LONG_ROW} numbers, got [${shape}]`);
}

/**
 * How rows of `c` elements are read on this device.
 *
 * @param kernelOf The kernel that would run on rows read so, and what it would be given.
 */
export function rowStructure(device: Device, c: number, kernelOf: (s: RowStructure) => KernelUse): RowStructure {
  const vector = c % 4 === 0;
  const columns = vector ? c / 4 : c;
  const ways = familiesToTry(device, "rows").map((family): RowStructure => {
    const lanes = rowLanesOf(device.traits, family);
    return { vector, ...lanes, unrolled: lanes.rowLanes === 1 && columns % 4 === 0 ? 4 : 1 };
  });
  return device.kernels.choose(ways, (s) => [kernelOf(s)]);
}
