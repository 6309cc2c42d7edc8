/** What happens to a finished element of a matrix product before it is stored, and where it goes. */
import type { UniformType } from "../../core/mod.ts";
import { NORMAL_CDF, RECTIFY, SIGMOID, SPECIAL_VALUES, valueTypes } from "../_functions.wgsl.ts";

/** What is done to a finished element before it is stored. */
export interface Epilogue {
  /** Add a bias; whether there is one is told by a uniform, so that layers with and without share a text. */
  readonly bias: boolean;
  /** `switched` is relu or nothing, told by a uniform for the same reason. */
  readonly activation: "none" | "switched" | "gelu" | "sigmoid";
  /** Multiply by sigmoid(gate). */
  readonly gate: boolean;
  readonly residual: boolean;
  /** Also store the value before activation and gate. */
  readonly keepPre: boolean;
  /** Add what the earlier parts of a long sum came to, before all else. */
  readonly carry: boolean;
  /** Multiply by a number of the row, after the gate. @default false */
  readonly factor?: boolean;
  /** Where rows, those of all matrices, and columns go is told by uniforms. @default they lie one behind the other */
  readonly placed?: boolean;
  /** Add, last, what stands where the element goes; goes with `placed`. @default false */
  readonly onTop?: boolean;
  /**
   * Store, behind each matrix of C, the sums of the rows of A as well; for A stored [K, M], and not on matrix units. Whether
   * is told by a uniform. @default false
   */
  readonly rowSums?: boolean;
}

/** WGSL functions of the epilogue and of its gradient. */
export const EPILOGUE_FUNCTIONS: string = valueTypes("vec4f") + SPECIAL_VALUES + RECTIFY + SIGMOID + NORMAL_CDF;

/**
 * Where row r and column n (in vec4s) of C go: `r / rows * rowsStep + r % rows * rowStep`, and for columns likewise;
 * with the inverses of `rows` and `columns`, by which lavapipe divides a dozen times faster than by the numbers themselves.
 */
export const PLACES: Readonly<Record<string, UniformType>> = {
  ...{ rows: "u32", rowsInverse: "f32", rowsStep: "u32", rowStep: "u32" },
  ...{ columns: "u32", columnsInverse: "f32", columnsStep: "u32" },
};

/** Rows of C up to which a quotient made with an inverse is exact. */
export const MOST_PLACED_ROWS = 2 ** 22;

export const PLACE_FUNCTION = `
fn placeOf(r: u32, n4: u32) -> u32 {
  let block = u32((f32(r) + 0.5) * u.rowsInverse);
  let stripe = u32((f32(n4) + 0.5) * u.columnsInverse);
  return u.cOffset + block * u.rowsStep + (r - block * u.rows) * u.rowStep + stripe * u.columnsStep + n4 -
    stripe * u.columns;
}`;

/** Statements that turn the finished sum `v` of row `r`, column `n4` (in vec4s) into what is stored. */
export function finish(
  { bias, activation, gate, residual, keepPre, carry, factor, placed, onTop, rowSums }: Epilogue,
  j: number,
): string {
  const lines = [
    "let row = batch * u.M + r;",
    `let at = ${placed ? "" : "u.cOffset + "}row * u.N4 + n4${rowSums ? " + batch * u.sums" : ""};`,
  ];
  const to = placed ? "to" : "at";
  if (carry) lines.push("v += carry_at(u.carryOffset + row * u.N4 + n4);");
  if (bias) lines.push(`v += bias${j};`);
  if (keepPre) lines.push("pre[at] = v;");
  if (activation === "switched") lines.push("v = select(v, rectify(v), u.isRelu > 0u);");
  if (activation === "sigmoid") lines.push("v = sigmoid(v);");
  if (activation === "gelu") lines.push("v *= normalCdf(v);");
  if (gate) lines.push("v *= sigmoid(gate_at(at));");
  if (factor) lines.push("v *= factor[u.factorOffset + row];");
  if (residual) lines.push("v += residual_at(at);");
  if (placed) lines.push("let to = placeOf(row, n4);");
  if (onTop) lines.push("v += c_at(to);");
  lines.push(`c_put(${to}, v);`);
  return lines.join(" ");
}
