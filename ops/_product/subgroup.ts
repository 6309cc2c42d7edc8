/** Tiles of the family `subgroup`. */
import { unroll } from "../../core/mod.ts";
import type { TallTile } from "../matmul_tiles.ts";
import { loadA, loadB, type MatmulStructure, multiply, putRowSum, type Tile, type TileOf, XYZW } from "./tile.ts";

/**
 * For lavapipe: one subgroup a workgroup, its lanes along the columns, each with `vectors` vec4s of `rows` rows; the
 * vec4s of A are spread over the lanes and broadcast. A step of 32 rows × 4 k × 2 vectors is 20 KiB of machine code;
 * twice as much would no longer fit the instruction cache.
 */
export function subgroupTile(s: MatmulStructure, { rows, vectors }: Exclude<TileOf<"subgroup">, TallTile>): Tile {
  const { subgroupSize: lanes, aTransposed } = s;
  const loads = unroll(rows / lanes, (p) => {
    const t = `(lane + ${p * lanes}u)`;
    const [row, k] = aTransposed ? [`row + ${t} % ${rows / 4}u * 4u`, `k + ${t} / ${rows / 4}u`] : [`row + ${t}`, "k"];
    return `let a${p} = ${loadA(s, row, k)};`;
  });
  const broadcast = (i: number, k: number) => {
    const t = aTransposed ? k * rows / 4 + (i >> 2) : i;
    return `subgroupBroadcast(a${Math.floor(t / lanes)}.${XYZW[aTransposed ? i & 3 : k]}, ${t % lanes}u)`;
  };
  const column = (j: number) => `(n4First + ${j * lanes}u)`;
  const { rowSums } = s.epilogue, quads = rows / 4, passes = rows / lanes;
  return {
    workgroupSize: lanes,
    subgroups: true,
    rows,
    vectors,
    row: (i) => `row + ${i}u`,
    column,
    setup: `let row = tileRow * ${rows}u; let n4First = tileColumn * ${lanes * vectors}u + lane;` +
      (rowSums ? `\n${unroll(passes, (p) => `var r${p} = vec4f();`)}` : ""),
    step: 4,
    innerTurns: 0,
    body: `${loads}\n${rowSums ? unroll(passes, (p) => `r${p} += a${p};`) : ""}
${loadB(s, vectors, column)}\n${multiply({ rows, vectors }, broadcast)}`,
    ...(rowSums && { rowSums: subgroupRowSums(lanes, quads, passes) }),
  };
}

/** Lane l has loaded, in pass p, vec4 (l + p lanes) % quads of the rows. */
function subgroupRowSums(lanes: number, quads: number, passes: number): string {
  const groups = Math.max(1, quads / lanes); // of vec4s that one lane has
  const sums = unroll(groups, (g) => {
    const own = Array.from({ length: passes }, (_, p) => p).filter((p) => p % groups === g);
    return `var rows${g} = ${own.map((p) => `r${p}`).join(" + ")};`;
  });
  const across: string[] = []; // lanes that have the same vec4s
  for (let step = quads; step < lanes; step *= 2) across.push(`rows0 += subgroupShuffleXor(rows0, ${step}u);`);
  const puts = unroll(groups, (g) => putRowSum(`(row / 4u + lane + ${g * lanes}u)`, `rows${g}`, `lane < ${quads}u`));
  return [sums, ...across, puts].join("\n");
}
