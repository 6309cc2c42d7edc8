/** What the families of tiles of a matrix product share: what a tile is, its loads, its inner products. */
import { type MatrixUnits, unroll } from "../../core/mod.ts";
import type { MatmulTile } from "../matmul_tiles.ts";
import type { Epilogue } from "./epilogue.ts";

/** All that the text depends on. */
export interface MatmulStructure {
  readonly tile: MatmulTile;
  readonly subgroupSize: number;
  /** The units of a tile of the family `matrix`. */
  readonly units?: MatrixUnits;
  /** A is stored [K, M]. */
  readonly aTransposed: boolean;
  /** B is stored [N, K]. */
  readonly bTransposed: boolean;
  /** K is not a multiple of four: the last step must not see what lies beyond. */
  readonly ragged: boolean;
  /** M is not a multiple of four, and A is stored [K, M]: its last vec4s hold rows that C does not have. */
  readonly oddRows: boolean;
  readonly epilogue: Epilogue;
}

/** A tile of one family. */
export type TileOf<F> = MatmulTile & { readonly family: F };

/**
 * A family's way to compute a tile; every invocation has `rows` by `vectors` accumulators s{i}_{j}. On matrix units these
 * are a subgroup's, each a unit's result.
 */
export interface Tile {
  readonly workgroupSize: number;
  readonly subgroups?: boolean;
  readonly units?: MatrixUnits;
  /** Declarations of the accumulators. @default vec4f() in each */
  readonly sums?: string;
  /** Statements that finish and store them. @default those of {@link store} */
  readonly stores?: string;
  /** Turns of the loops in `stores`. */
  readonly storeTurns?: number;
  readonly declarations?: string;
  readonly rows: number;
  readonly vectors: number;
  /** Row of accumulator i, and vec4 column of accumulator j, in the matrix. */
  row(i: number): string;
  column(j: number): string;
  /** Statements before the loop over k, and one step of it. */
  readonly setup: string;
  readonly step: number;
  /** Turns of the loops inside a step, the tests that end them included. */
  readonly innerTurns: number;
  readonly body: string;
  /** Statements that store the sums of the rows of A, where they are wanted. */
  readonly rowSums?: string;
}

/** Components of a vec4. */
export const XYZW = "xyzw";

/** A statement for every accumulator, a line a row. */
export function each(
  { rows, vectors }: Pick<Tile, "rows" | "vectors">,
  text: (s: string, i: number, j: number) => string,
): string {
  return unroll(rows, (i) => Array.from({ length: vectors }, (_, j) => text(`s${i}_${j}`, i, j)).join(" "));
}

/**
 * Adds the products of four steps of k, rows outside and k inside: an accumulator that does not fit a register is then
 * fetched and put back once for four products, which makes tiles of 32 rows affordable on a CPU.
 */
export function multiply(
  { rows, vectors }: Pick<Tile, "rows" | "vectors">,
  a: (i: number, k: number) => string,
): string {
  return unroll(rows, (i) =>
    [0, 1, 2, 3].map((k) =>
      `{ let x = vec4f(${a(i, k)}); ` +
      Array.from({ length: vectors }, (_, j) => `s${i}_${j} = fma(x, b${k}_${j}, s${i}_${j});`).join(" ") + " }"
    ).join(" "));
}

/** Loads for an invocation that reads `rows` neighbouring rows of A by itself, and one of the values loaded. */
export function ownRows(s: MatmulStructure, rows: number): {
  readonly loads: string;
  value(i: number, k: number): string;
} {
  return s.aTransposed
    ? {
      loads: unroll(4, (q) => unroll(rows / 4, (g) => `let a${q}_${g} = ${loadA(s, `row + ${g * 4}u`, `k + ${q}u`)};`)),
      value: (i, k) => `a${k}_${i >> 2}.${XYZW[i & 3]}`,
    }
    : {
      loads: unroll(rows, (i) => `let a${i} = ${loadA(s, `row + ${i}u`, "k")};`),
      value: (i, k) => `a${i}.${XYZW[k]}`,
    };
}

/** Sums r{g} of rows of A that an invocation has four by four, in a{k}_{g}: before the first step, and what a step adds. */
export function sumsOfRows(groups: number): { readonly none: string; readonly add: string } {
  return {
    none: unroll(groups, (g) => `var r${g} = vec4f();`),
    add: unroll(groups, (g) => `r${g} += a0_${g} + a1_${g} + a2_${g} + a3_${g};`),
  };
}

/** Stores the sum of four rows of A, the first of which is the tile's `quad`th vec4, if the first column's tiles have it. */
export function putRowSum(quad: string, sum: string, own = "true"): string {
  return `if (tileColumn == 0u && ${own} && ${quad} < u.sums) {
  c_put(u.cOffset + (batch + 1u) * u.M * u.N4 + batch * u.sums + ${quad}, ${sum});
}`;
}

/** One vec4 of A: four k of a row, or four rows at one k; zero from `depth` on where that can happen. */
export function loadA({ aTransposed, ragged }: MatmulStructure, row: string, k: string): string {
  if (!aTransposed) return `a_at(aBase + min(${row}, u.M - 1u) * u.aLd + (${k}) / 4u)`;
  const quad = `min(${row}, u.M - 1u) / 4u`;
  return ragged
    ? `select(vec4f(), a_at(aBase + min(${k}, depth - 1u) * u.aLd + ${quad}), ${k} < depth)`
    : `a_at(aBase + (${k}) * u.aLd + ${quad})`;
}

/**
 * Loads four k of B's columns into b{k}_{j}. Past the last k of [K, N] the last row is read again: A is zero there,
 * and zero times a finite number adds nothing.
 */
export function loadB(
  { bTransposed, ragged }: MatmulStructure,
  vectors: number,
  column: (j: number) => string,
): string {
  return unroll(vectors, (j) => {
    if (!bTransposed) {
      const k = (q: number) => (ragged ? `min(k + ${q}u, depth - 1u)` : `(k + ${q}u)`);
      return unroll(4, (q) => `let b${q}_${j} = b_at(bBase + ${k(q)} * u.bLd + min(${column(j)}, u.N4 - 1u));`);
    }
    const n = (c: number) => `(min(${column(j)}, u.N4 - 1u) * 4u + ${c}u)`;
    return unroll(4, (c) => `let t${j}_${c} = b_at(bBase + ${n(c)} * u.bLd + k / 4u);`) + "\n" +
      unroll(4, (q) => `let b${q}_${j} = vec4f(${[0, 1, 2, 3].map((c) => `t${j}_${c}.${XYZW[q]}`).join(", ")});`);
  });
}
