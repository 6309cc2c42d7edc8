/** Tiles of the family `plain`. */
import { unroll } from "../../core/mod.ts";
import { loadA, loadB, type MatmulStructure, multiply, putRowSum, type Tile, type TileOf, XYZW } from "./tile.ts";

/** Invocations of a plain workgroup, along the rows and the columns of its tile. */
export const PLAIN_ROWS = 4;
export const PLAIN_COLUMNS = 8;

/** For adapters without subgroups or a CPU with narrow ones: every invocation on its own, nothing shared. */
export function plainTile(s: MatmulStructure, { rows, vectors }: TileOf<"plain">): Tile {
  const loads = s.aTransposed
    ? unroll(4, (q) => unroll(rows / 4, (g) => `let a${q}_${g} = ${loadA(s, `row + ${g * 4}u`, `k + ${q}u`)};`))
    : unroll(rows, (i) => `let a${i} = ${loadA(s, `row + ${i}u`, "k")};`);
  const element = (i: number, k: number) => (s.aTransposed ? `a${k}_${i >> 2}.${XYZW[i & 3]}` : `a${i}.${XYZW[k]}`);
  const column = (j: number) => `(n4First + ${j * PLAIN_COLUMNS}u)`;
  const { rowSums } = s.epilogue, quads = rows / 4;
  return {
    workgroupSize: PLAIN_ROWS * PLAIN_COLUMNS,
    rows,
    vectors,
    row: (i) => `row + ${i}u`,
    column,
    setup: `let row = tileRow * ${PLAIN_ROWS * rows}u + (lane / ${PLAIN_COLUMNS}u) * ${rows}u; ` +
      `let n4First = tileColumn * ${PLAIN_COLUMNS * vectors}u + lane % ${PLAIN_COLUMNS}u;` +
      (rowSums ? `\n${unroll(quads, (g) => `var r${g} = vec4f();`)}` : ""),
    step: 4,
    innerTurns: 0,
    body: `${loads}\n${rowSums ? unroll(quads, (g) => `r${g} += a0_${g} + a1_${g} + a2_${g} + a3_${g};`) : ""}
${loadB(s, vectors, column)}\n${multiply({ rows, vectors }, element)}`,
    ...(rowSums && {
      rowSums: unroll(quads, (g) => putRowSum(`(row / 4u + ${g}u)`, `r${g}`, `lane % ${PLAIN_COLUMNS}u == 0u`)),
    }),
  };
}
