/**
 * Matrix units in the words of a kernel: WGSL's experimental subgroup matrices, or the same spelled out in plain WGSL, so
 * that a kernel written for units runs where there are none. One left and one right operand lie in workgroup memory as
 * `aTile` and `bTile`, results go through `results`; offsets and strides count elements.
 */
import { type MatrixUnits, unroll } from "../core/mod.ts";

/** An operand in workgroup memory. */
export interface StagedOperand {
  /** Elements that it takes, the padding of its rows included. */
  readonly size: number;
  /** From one of its rows to the next. */
  readonly stride: number;
  /** Whether its rows run along the columns of the matrix: element (r, c) lies at c * stride + r. */
  readonly columnMajor: boolean;
}

/** Pieces of a kernel's text. */
export interface UnitText {
  readonly declarations: string;
  /** Declares a subgroup's sums, with zeros in them. */
  readonly sums: string;
  /** A statement that stages the four numbers of the vec4f `value` from element `at` (a multiple of four) on. */
  stage(array: "aTile" | "bTile", at: string, value: string): string;
  /**
   * Adds to the sums the products of a row of left operands and a row of right ones, given the offset of each, the same for
   * all lanes of a subgroup.
   */
  addProducts(left: (i: string) => string, right: (j: string) => string): string;
  /** Puts one sum after the other into `results` from an offset on, and does something with each. */
  putEach(offset: string, then: (i: string, j: string) => string): string;
  /** Turns of the loops in them. */
  readonly turns: { readonly addProducts: number; readonly putEach: number };
}

/** What a kernel on units is made of. */
export interface UnitPlan {
  readonly units: MatrixUnits;
  readonly a: StagedOperand;
  readonly b: StagedOperand;
  readonly results: { readonly size: number; readonly stride: number };
  /** Units along the rows and the columns of what a subgroup computes. */
  readonly rows: number;
  readonly columns: number;
}

/** The text for units, or for their emulation. */
export function unitText(plan: UnitPlan): UnitText {
  return plan.units.emulated ? emulatedText(plan) : realText(plan);
}

function realText({ units: { operands: type, m, n, k }, a, b, results, rows, columns }: UnitPlan): UnitText {
  const load = (side: string, shape: string, { columnMajor, stride }: StagedOperand, array: string, offset: string) =>
    `subgroupMatrixLoad<subgroup_matrix_${side}<${type}, ${shape}>, ${columnMajor ? "col_major" : "row_major"}>` +
    `(&${array}, ${offset}, ${stride}u)`;
  const each = (text: (i: number, j: number) => string) =>
    unroll(rows, (i) => Array.from({ length: columns }, (_, j) => text(i, j)).join("\n"));
  return {
    declarations: `var<workgroup> aTile: array<${type}, ${a.size}>;
var<workgroup> bTile: array<${type}, ${b.size}>;
var<workgroup> results: array<f32, ${results.size}>;`,
    sums: each((i, j) => `var s${i}_${j} = subgroup_matrix_result<f32, ${n}, ${m}>();`),
    stage: (array, at, value) =>
      `{ let at = ${at}; let v = vec4<${type}>(${value}); ${
        [..."xyzw"].map((c, i) => `${array}[at + ${i}u] = v.${c};`).join(" ")
      } }`,
    addProducts: (left, right) =>
      [
        unroll(rows, (i) => `let l${i} = ${load("left", `${k}, ${m}`, a, "aTile", left(`${i}u`))};`),
        unroll(columns, (j) => `let r${j} = ${load("right", `${n}, ${k}`, b, "bTile", right(`${j}u`))};`),
        each((i, j) => `s${i}_${j} = subgroupMatrixMultiplyAccumulate(l${i}, r${j}, s${i}_${j});`),
      ].join("\n"),
    putEach: (offset, then) =>
      each((i, j) =>
        `subgroupMatrixStore<row_major>(&results, ${offset}, s${i}_${j}, ${results.stride}u);\n${
          then(`${i}u`, `${j}u`)
        }`
      ),
    turns: { addProducts: 0, putEach: 0 },
  };
}

/**
 * An operand is where it begins, and every lane computes its share of the results from what lies there. Halves lie two to
 * a word, which takes the memory that they take on a GPU and rounds as it does. What is written out for units stands in
 * loops, as drivers take long to compile it.
 */
function emulatedText({ units: { operands, m, n, k, lanes }, a, b, results, rows, columns }: UnitPlan): UnitText {
  const half = operands === "f16", own = m * n / lanes, all = rows * columns;
  const array = (name: string, { size }: StagedOperand) =>
    `var<workgroup> ${name}: array<${half ? "u32" : "f32"}, ${half ? Math.ceil(size / 2) : size}>;`;
  const element = (name: string, { stride, columnMajor }: StagedOperand, first: string, r: string, c: string) => {
    const at = `(${first} + ${columnMajor ? `${c} * ${stride}u + ${r}` : `${r} * ${stride}u + ${c}`})`;
    return half ? `unpack2x16float(${name}[${at} / 2u])[${at} % 2u]` : `${name}[${at}]`;
  };
  const each = (body: string) =>
    `for (var unit = 0u; unit < ${all}u; unit += 1u) {
let i = unit / ${columns}u; let j = unit % ${columns}u;
${body}
}`;
  return {
    declarations: `${array("aTile", a)}
${array("bTile", b)}
var<workgroup> results: array<f32, ${results.size}>;
var<private> sums: array<f32, ${all * own}>;
fn unitMultiply(left: u32, right: u32, first: u32, subgroupLane: u32) {
  for (var e = 0u; e < ${own}u; e += 1u) {
    let r = (e * ${lanes}u + subgroupLane) / ${n}u; let c = (e * ${lanes}u + subgroupLane) % ${n}u;
    var sum = sums[first + e];
    for (var q = 0u; q < ${k}u; q += 1u) {
      sum += ${element("aTile", a, "left", "r", "q")} * ${element("bTile", b, "right", "q", "c")};
    }
    sums[first + e] = sum;
  }
}
fn unitStore(offset: u32, first: u32, subgroupLane: u32) {
  for (var e = 0u; e < ${own}u; e += 1u) {
    let at = e * ${lanes}u + subgroupLane;
    results[offset + at / ${n}u * ${results.stride}u + at % ${n}u] = sums[first + e];
  }
}`,
    sums: "",
    stage: (array, at, value) =>
      half
        ? `{ let at = (${at}) / 2u; let v = ${value}; ${array}[at] = pack2x16float(v.xy); ${array}[at + 1u] = pack2x16float(v.zw); }`
        : `{ let at = ${at}; let v = ${value}; ${
          [..."xyzw"].map((c, i) => `${array}[at + ${i}u] = v.${c};`).join(" ")
        } }`,
    addProducts: (left, right) => each(`unitMultiply(${left("i")}, ${right("j")}, unit * ${own}u, subgroupLane);`),
    putEach: (offset, then) => each(`unitStore(${offset}, unit * ${own}u, subgroupLane);\n${then("i", "j")}`),
    turns: { addProducts: all * (own * (k + 2) + 2) + 1, putEach: all * (own + 2) + 1 },
  };
}
