/** Tiles of the family `matrix`. */
import { unitText } from "../_unit_text.ts";
import { unitLayout } from "../matmul_tiles.ts";
import { finish } from "./epilogue.ts";
import { edgeLoads, shared, type Staging } from "./staging.ts";
import type { MatmulStructure, Tile, TileOf } from "./tile.ts";

/**
 * On matrix units: `height` × `width` values a workgroup, `down` × `across` a subgroup. A and B are staged as they are
 * stored, `tile.depth` k at a time, and the next step is fetched while this one is computed; what a step has beyond the last
 * k is staged as 0, so that no unit reads past an edge. Results leave through workgroup memory one unit at a time, where
 * the lanes pick up vec4s for the epilogue.
 */
export function matrixTile(s: MatmulStructure, tile: TileOf<"matrix">): Tile {
  const { units, aTransposed, bTransposed, epilogue } = s;
  if (!units) throw new TypeError("A tile on matrix units needs units");
  const { height, width, depth, down, across } = tile, { m, n, k, lanes } = units;
  const { subgroups, pad, resultPad } = unitLayout(tile, units);
  const rows = down / m, vectors = across / n, subgroupsAcross = width / across;
  const workgroupSize = subgroups * lanes;
  const { alongK, acrossK } = edgeLoads(s, tile);
  // As they are stored: lines of `length` elements, which are k or are rows of A (columns of B).
  const staged = (side: number, linesAreK: boolean) => {
    const [lines, length] = linesAreK ? [depth, side] : [side, depth];
    return { lines, length, stride: length + pad, size: lines * (length + pad), linesAreK };
  };
  const a = staged(height, aTransposed), b = staged(width, !bTransposed);
  const resultStride = n + resultPad, resultSize = m * resultStride;
  const text = unitText({
    units,
    a: { ...a, columnMajor: aTransposed },
    b: { ...b, columnMajor: bTransposed },
    results: { size: subgroups * resultSize, stride: resultStride },
    ...{ rows, columns: vectors },
  });
  const staging = (name: "a" | "b", { lines, length, stride, linesAreK }: typeof a): Staging =>
    shared(workgroupSize, lines * length / 4, (t, pass) => {
      const line = `${t} / ${length / 4}u`, quad = `${t} % ${length / 4}u * 4u`;
      const value = linesAreK ? alongK(name, quad, `(k + ${line})`) : acrossK(name, line, `(k + ${quad})`);
      return {
        load: `${name}${pass} = ${value};`,
        store: text.stage(`${name}Tile`, `${line} * ${stride}u + ${quad}`, `${name}${pass}`),
      };
    });
  const both = [staging("a", a), staging("b", b)];
  const load = both.map(({ load }) => load).join("\n"), store = both.map(({ store }) => store).join("\n");
  const fetched = [...load.matchAll(/^([ab]\d+) = /gm)].map(([, name]) => `var ${name}: vec4f;`).join(" ");
  const leftAt = (i: string) => {
    const row = `(rowAt + ${i} * ${m}u)`;
    return aTransposed ? `p * ${a.stride}u + ${row}` : `${row} * ${a.stride}u + p`;
  };
  const rightAt = (j: string) => {
    const column = `(columnAt + ${j} * ${n}u)`;
    return bTransposed ? `${column} * ${b.stride}u + p` : `p * ${b.stride}u + ${column}`;
  };
  const vectorsOfUnit = m * n / 4, picks = Math.ceil(vectorsOfUnit / lanes) + 1;
  const bias = epilogue.bias ? "let bias0 = select(vec4f(), bias[min(n4, u.N4 - 1u)], u.hasBias > 0u);" : "";
  return {
    ...{ workgroupSize, units, rows, vectors, sums: text.sums },
    ...{ step: depth, innerTurns: depth / k * (1 + text.turns.addProducts) + 1 },
    row: () => "rowFirst",
    column: () => "n4First",
    declarations: `${text.declarations}
fn putResults(rowFirst: u32, n4First: u32, resultAt: u32, batch: u32, block: u32, subgroupLane: u32) {
  for (var t = subgroupLane; t < ${vectorsOfUnit}u; t += ${lanes}u) {
    let r = rowFirst + t / ${n / 4}u; let n4 = n4First + t % ${n / 4}u;
    let at = resultAt + t / ${n / 4}u * ${resultStride}u + t % ${n / 4}u * 4u;
    if (r < u.M && n4 < u.N4${epilogue.onTop ? " && block < u.tiles" : ""}) {
      var v = vec4f(results[at], results[at + 1u], results[at + 2u], results[at + 3u]);
      ${bias}
      { ${finish(epilogue, 0)} }
    }
  }
}`,
    setup:
      `let rowAt = subgroup / ${subgroupsAcross}u * ${down}u; let columnAt = subgroup % ${subgroupsAcross}u * ${across}u;
let resultAt = subgroup * ${resultSize}u;
${fetched}
{
const k = 0u;
${load}
}`,
    body: `${store}
workgroupBarrier();
let here = k;
{
let k = here + ${depth}u;
${load}
}
for (var p = 0u; p < ${depth}u; p += ${k}u) {
${text.addProducts(leftAt, rightAt)}
}
workgroupBarrier();`,
    stores: text.putEach("resultAt", (i, j) => {
      const row = `tileRow * ${height}u + rowAt + ${i} * ${m}u`;
      const n4 = `tileColumn * ${width / 4}u + columnAt / 4u + ${j} * ${n / 4}u`;
      return `workgroupBarrier();\nputResults(${row}, ${n4}, resultAt, batch, block, subgroupLane);\nworkgroupBarrier();`;
    }),
    storeTurns: rows * vectors * picks + text.turns.putEach,
  };
}
