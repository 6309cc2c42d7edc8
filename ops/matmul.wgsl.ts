/** Kernel text of the matrix product. Why it looks as it does: see ARCHITECTURE.md, "Matrix products". */
import { kernelFamily, unroll } from "../core/mod.ts";
import { matmulProbes } from "./_battery/matmul.ts";
import { EPILOGUE_FUNCTIONS, finish, PLACE_FUNCTION, PLACES } from "./_product/epilogue.ts";
import { matrixTile } from "./_product/matrix.ts";
import { PLAIN_COLUMNS, PLAIN_ROWS, plainTile } from "./_product/plain.ts";
import { subgroupTile } from "./_product/subgroup.ts";
import { each, type MatmulStructure, type Tile } from "./_product/tile.ts";
import { tallTile } from "./_product/tall.ts";
import { workgroupTile } from "./_product/workgroup.ts";

/**
 * Longest sum of one invocation, a multiple of four: more turns than it takes would end early on lavapipe, and longer sums
 * lose digits. What is longer is summed in parts.
 */
export const MOST_TERMS = 48 * 1024;

/** Rows and columns of C that one workgroup computes. */
export function tileOf({ tile, subgroupSize }: Pick<MatmulStructure, "tile" | "subgroupSize">): {
  tileM: number;
  tileN: number;
} {
  if ("tall" in tile) return { tileM: tile.rows * subgroupSize, tileN: 4 * tile.vectors };
  if (tile.family === "subgroup") return { tileM: tile.rows, tileN: 4 * tile.vectors * subgroupSize };
  if (tile.family !== "plain") return { tileM: tile.height, tileN: tile.width };
  return { tileM: PLAIN_ROWS * tile.rows, tileN: PLAIN_COLUMNS * 4 * tile.vectors };
}

/**
 * C[m, n] = epilogue(sum over k of A[m, k] B[k, n]) for a batch of matrices; every leading dimension counts in vec4s
 * and is given with the offsets in the uniforms.
 */
export const matmulKernel = kernelFamily<MatmulStructure>((structure) => {
  const { epilogue } = structure;
  const { family } = structure.tile;
  const tile = tileText(structure);
  return {
    name: "matmul",
    bindings: {
      a: "load vec4f",
      b: "load vec4f",
      c: epilogue.onTop ? "update vec4f" : "store vec4f",
      ...(epilogue.bias ? { bias: "read vec4f" as const } : {}),
      ...(epilogue.gate ? { gate: "load vec4f" as const } : {}),
      ...(epilogue.residual ? { residual: "load vec4f" as const } : {}),
      ...(epilogue.keepPre ? { pre: "write vec4f" as const } : {}),
      ...(epilogue.carry ? { carry: "load vec4f" as const } : {}),
      ...(epilogue.factor ? { factor: "read f32" as const } : {}),
    },
    uniforms: {
      M: "u32", // rows of C
      N4: "u32", // columns of C, in vec4s
      K: "u32", // length of the sums of one batch element
      kTotal: "u32", // length of the whole sum, when batch elements are its parts
      tilesM: "u32",
      tilesN: "u32",
      tiles: "u32", // tilesM * tilesN * batch
      inner: "u32", // batch = outer * inner
      aLd: "u32",
      aOuter: "u32",
      aInner: "u32",
      bLd: "u32",
      bOuter: "u32",
      bInner: "u32",
      aOffset: "u32",
      bOffset: "u32",
      cOffset: "u32",
      hasBias: "u32",
      isRelu: "u32",
      ...(epilogue.carry ? { carryOffset: "u32" as const } : {}),
      ...(epilogue.factor ? { factorOffset: "u32" as const } : {}),
      ...(epilogue.placed ? PLACES : {}),
      ...(epilogue.rowSums ? { sums: "u32" as const } : {}), // vec4s behind each matrix; none: they are not wanted
    },
    turns: ({ K }) =>
      Math.ceil(K / tile.step) * (1 + tile.innerTurns) + 1 + (tile.storeTurns ?? tile.rows / STORE_ROWS + 1),
    workgroupSize: tile.workgroupSize,
    subgroups: tile.subgroups,
    units: tile.units,
    spotCheck: true,
    declarations: `${EPILOGUE_FUNCTIONS}${epilogue.placed ? PLACE_FUNCTION : ""}\n${tile.declarations ?? ""}`,
    body: `${PLACE}
${tile.setup}
${tile.sums ?? each(tile, (s) => `var ${s} = vec4f();`)}
for (var k = 0u; k < ${family === "workgroup" || family === "matrix" ? "u.K" : "depth"}; k += ${tile.step}u) {
${tile.body}
}
${tile.stores ?? store(tile, structure)}
${tile.rowSums ?? ""}`,
  };
}, (structure) => matmulProbes(structure, tileOf(structure)));

function tileText(structure: MatmulStructure): Tile {
  const { tile } = structure;
  if ("tall" in tile) return tallTile(structure, tile);
  if (tile.family === "subgroup") return subgroupTile(structure, tile);
  if (tile.family === "matrix") return matrixTile(structure, tile);
  return tile.family === "workgroup" ? workgroupTile(structure, tile) : plainTile(structure, tile);
}

/** Which matrix and which tile of it this workgroup has; neighbours share the rows of A. */
const PLACE = `
let tile = min(block, u.tiles - 1u);
let batch = tile / (u.tilesM * u.tilesN);
let tileRow = (tile / u.tilesN) % u.tilesM;
let tileColumn = tile % u.tilesN;
let aBase = u.aOffset + (batch / u.inner) * u.aOuter + (batch % u.inner) * u.aInner;
let bBase = u.bOffset + (batch / u.inner) * u.bOuter + (batch % u.inner) * u.bInner;
let depth = min(u.K, u.kTotal - min(u.kTotal, (batch % u.inner) * select(0u, u.K, u.kTotal > u.K)));`;

/** Rows stored by one pass of the storing loop. */
const STORE_ROWS = 8;

/**
 * Finishes and stores the accumulators. Only eight rows are written out; a loop moves the next ones into their place,
 * which halves the driver's compile time and costs nothing. On lavapipe conditions around the stores would cost a third
 * of their time: what lies outside the matrix is a copy of its last rows and columns, and is stored there once more.
 */
function store(tile: Tile, { tile: { family }, oddRows, aTransposed, epilogue }: MatmulStructure): string {
  const { rows, vectors } = tile;
  const now = Math.min(rows, STORE_ROWS);
  const { onTop } = epilogue; // what is added to must be stored once
  const conditional = family !== "subgroup" || oddRows || onTop;
  const within = conditional ? `if (r < u.M && n4 < u.N4${onTop ? " && block < u.tiles" : ""}) ` : "";
  const place = (i: number, j: number) => {
    const r = `${tile.row(i)} + shift`, n4 = tile.column(j);
    if (conditional) return `let r = ${r}; let n4 = ${n4};`;
    // Beyond the last row, A stored [K, M] gives the last four again.
    return `let r = min(${r}, u.M - ${aTransposed ? 4 - i % 4 : 1}u); let n4 = min(${n4}, u.N4 - 1u);`;
  };
  const biases = epilogue.bias
    ? unroll(vectors, (j) => `let bias${j} = select(vec4f(), bias[min(${tile.column(j)}, u.N4 - 1u)], u.hasBias > 0u);`)
    : "";
  const puts = each(
    { rows: now, vectors },
    (s, i, j) => `{ ${place(i, j)} ${within}{ var v = ${s}; ${finish(epilogue, j)} } }`,
  );
  if (now === rows) return `${biases}\nlet shift = 0u;\n${puts}`;
  const move = each({ rows: rows - now, vectors }, (s, i, j) => `${s} = s${i + now}_${j};`);
  return `${biases}\nfor (var shift = 0u; shift < ${rows}u; shift += ${now}u) {\n${puts}\n${move}\n}`;
}
