/** Tiles of the family `workgroup`. */
import { unroll } from "../../core/mod.ts";
import { edgeLoads, shared, type Staging } from "./staging.ts";
import { type MatmulStructure, multiply, putRowSum, sumsOfRows, type Tile, type TileOf, XYZW } from "./tile.ts";

/**
 * For real GPUs: `height` × `width` values a workgroup, `rows` × 4 `vectors` an invocation, A and B staged in workgroup
 * memory `depth` k at a time, both along k, so that the inner loop reads a vec4 of each for 16 products. A matrix that
 * lies the other way is turned in registers, four vec4s to a 4 × 4 block, on its way. With two buffers the loads of the next
 * step are under way while this one is computed.
 */
export function workgroupTile(s: MatmulStructure, tile: TileOf<"workgroup">): Tile {
  const { height, width, depth, buffers, rows, vectors } = tile;
  const quads = { a: height / 4, b: width / 4 }; // vec4s of a staged row
  const down = height / rows, across = quads.b / vectors; // invocations along the rows and the columns
  const invocations = down * across;
  const { alongK, acrossK } = edgeLoads(s, tile);
  const share = (items: number, of: (t: string, pass: number) => Staging) => shared(invocations, items, of);
  const straight = (name: "a" | "b") =>
    share(depth * quads[name], (t, pass) => ({
      load: `let ${name}${pass} = ${alongK(name, `${t} % ${quads[name]}u * 4u`, `(k + ${t} / ${quads[name]}u)`)};`,
      store: `${name}Tile[${name}At + ${t}] = ${name}${pass};`,
    }));
  const turned = (name: "a" | "b") =>
    share(depth / 4 * quads[name], (t, pass) => {
      const n = `${t} / ${depth / 4}u`, quad = `${t} % ${depth / 4}u * 4u`;
      const value = (c: number) => `${name}${pass}_${c}`;
      const row = (q: number) => [0, 1, 2, 3].map((c) => `${value(c)}.${XYZW[q]}`).join(", ");
      return {
        load: unroll(4, (c) => `let ${value(c)} = ${acrossK(name, `${n} * 4u + ${c}u`, `(k + ${quad})`)};`),
        store: unroll(
          4,
          (q) => `${name}Tile[${name}At + (${quad} + ${q}u) * ${quads[name]}u + ${n}] = vec4f(${row(q)});`,
        ),
      };
    });
  const staged = [(s.aTransposed ? straight : turned)("a"), (s.bTransposed ? turned : straight)("b")];
  const load = staged.map(({ load }) => load).join("\n"), store = staged.map(({ store }) => store).join("\n");
  const fetch = unroll(
    4,
    (q) =>
      unroll(
        rows / 4,
        (g) => `let a${q}_${g} = aTile[aAt + (p + ${q}u) * ${quads.a}u + ${g * down}u + lane / ${across}u];`,
      ) +
      "\n" +
      unroll(
        vectors,
        (j) => `let b${q}_${j} = bTile[bAt + (p + ${q}u) * ${quads.b}u + ${j * across}u + lane % ${across}u];`,
      ),
  );
  const { rowSums } = s.epilogue, own = rows / 4, sums = sumsOfRows(own);
  const addRows = rowSums
    ? `if (tileColumn == 0u) {
${sums.add}
}`
    : "";
  const compute = `for (var p = 0u; p < ${depth}u; p += 4u) {
${fetch}
${addRows}
${multiply({ rows, vectors }, (i, k) => `a${k}_${i >> 2}.${XYZW[i & 3]}`)}
}`;
  const buffer = (now: string) => `let aAt = ${now} * ${depth * quads.a}u; let bAt = ${now} * ${depth * quads.b}u;`;
  const place = `let row = tileRow * ${height}u + lane / ${across}u * 4u; ` +
    `let n4First = tileColumn * ${quads.b}u + lane % ${across}u;` +
    (rowSums ? `\n${sums.none}` : "");
  return {
    workgroupSize: invocations,
    declarations: `var<workgroup> aTile: array<vec4f, ${buffers * depth * quads.a}>;
var<workgroup> bTile: array<vec4f, ${buffers * depth * quads.b}>;`,
    rows,
    vectors,
    row: (i) => `row + ${i % 4 + (i >> 2) * 4 * down}u`,
    column: (j) => `(n4First + ${j * across}u)`,
    setup: buffers === 1 ? `${place} const aAt = 0u; const bAt = 0u;` : `${place}
var now = 0u;
{
const k = 0u; const aAt = 0u; const bAt = 0u;
${load}
${store}
}`,
    step: depth,
    innerTurns: depth / 4 + 1,
    ...(rowSums && {
      rowSums: unroll(own, (g) => putRowSum(`(row / 4u + ${g * down}u)`, `r${g}`, `lane % ${across}u == 0u`)),
    }),
    body: buffers === 1
      ? `workgroupBarrier();
{
${load}
${store}
}
workgroupBarrier();
${compute}`
      : `workgroupBarrier();
let here = k;
{
let k = here + ${depth}u;
${load}
{
${buffer("now")}
${compute}
}
now = 1u - now;
${buffer("now")}
${store}
}`,
  };
}
