/** Tiles of the family `plain`. */
import { unroll } from "../../core/mod.ts";
import {
  loadB,
  type MatmulStructure,
  multiply,
  ownRows,
  putRowSum,
  sumsOfRows,
  type Tile,
  type TileOf,
} from "./tile.ts";

/** Invocations of a plain workgroup, along the rows and the columns of its tile. */
export const PLAIN_ROWS = 4;
export const PLAIN_COLUMNS = 8;

/** For adapters without subgroups or a CPU with narrow ones: every invocation on its own, nothing shared. */
export function plainTile(s: MatmulStructure, { rows, vectors }: TileOf<"plain">): Tile {
  const { loads, value } = ownRows(s, rows);
  const column = (j: number) => `(n4First + ${j * PLAIN_COLUMNS}u)`;
  const { rowSums } = s.epilogue, quads = rows / 4, sums = sumsOfRows(quads);
  return {
    workgroupSize: PLAIN_ROWS * PLAIN_COLUMNS,
    rows,
    vectors,
    row: (i) => `row + ${i}u`,
    column,
    setup: `let row = tileRow * ${PLAIN_ROWS * rows}u + (lane / ${PLAIN_COLUMNS}u) * ${rows}u; ` +
      `let n4First = tileColumn * ${PLAIN_COLUMNS * vectors}u + lane % ${PLAIN_COLUMNS}u;` +
      (rowSums ? `\n${sums.none}` : ""),
    step: 4,
    innerTurns: 0,
    body: `${loads}\n${rowSums ? sums.add : ""}
${loadB(s, vectors, column)}\n${multiply({ rows, vectors }, value)}`,
    ...(rowSums && {
      rowSums: unroll(quads, (g) => putRowSum(`(row / 4u + ${g}u)`, `r${g}`, `lane % ${PLAIN_COLUMNS}u == 0u`)),
    }),
  };
}
