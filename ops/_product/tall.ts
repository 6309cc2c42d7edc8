/** Tiles of the family `subgroup` for products of few columns. */
import { unroll } from "../../core/mod.ts";
import type { TallTile } from "../matmul_tiles.ts";
import { type MatmulStructure, multiply, ownRows, putRowSum, sumsOfRows, type Tile, XYZW } from "./tile.ts";

/**
 * For lavapipe: one subgroup a workgroup, its lanes along the rows, each with `rows` rows of all columns; the vec4s of B are
 * spread over the lanes and broadcast. Where C has few columns, a tile with lanes along them computes more beyond them than
 * within.
 */
export function tallTile(s: MatmulStructure, { rows, vectors }: TallTile): Tile {
  const { subgroupSize: lanes, bTransposed, ragged } = s, own = ownRows(s, rows);
  const quads = 4 * vectors; // vec4s of B in a step: four k of a column, or four columns at one k
  const loads = [
    own.loads,
    unroll(Math.ceil(quads / lanes), (p) => {
      const t = `(lane + ${p * lanes}u) % ${quads}u`;
      if (bTransposed) {
        return `let t${p} = b_at(bBase + (min(n4First + ${t} / 4u, u.N4 - 1u) * 4u + ${t} % 4u) * u.bLd + k / 4u);`;
      }
      const at = `k + ${t} / ${vectors}u`;
      const last = ragged ? `min(${at}, depth - 1u)` : at;
      return `let t${p} = b_at(bBase + (${last}) * u.bLd + min(n4First + ${t} % ${vectors}u, u.N4 - 1u));`;
    }),
    unroll(4, (q) =>
      unroll(vectors, (j) => {
        const of = (t: number, part = "") => `subgroupBroadcast(t${Math.floor(t / lanes)}${part}, ${t % lanes}u)`;
        const value = bTransposed
          ? `vec4f(${[0, 1, 2, 3].map((c) => of(4 * j + c, `.${XYZW[q]}`)).join(", ")})`
          : of(q * vectors + j);
        return `let b${q}_${j} = ${value};`;
      })),
  ];
  const { rowSums } = s.epilogue, groups = rows / 4, sums = sumsOfRows(groups);
  return {
    workgroupSize: lanes,
    subgroups: true,
    rows,
    vectors,
    row: (i) => `row + ${i}u`,
    column: (j) => `(n4First + ${j}u)`,
    setup: `let row = tileRow * ${lanes * rows}u + lane * ${rows}u; let n4First = tileColumn * ${vectors}u;` +
      (rowSums ? `\n${sums.none}` : ""),
    step: 4,
    innerTurns: 0,
    body: `${loads.join("\n")}
${rowSums ? sums.add : ""}
${multiply({ rows, vectors }, own.value)}`,
    ...(rowSums && { rowSums: unroll(groups, (g) => putRowSum(`(row / 4u + ${g}u)`, `r${g}`)) }),
  };
}
