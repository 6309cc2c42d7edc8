/** Kernel text of the matrix product. Why it looks as it does: see ARCHITECTURE.md, "Matrix products". */
import { kernelFamily, type MatrixUnits, type UniformType, unroll } from "../core/mod.ts";
import { matmulProbes } from "./_battery/matmul.ts";
import { NORMAL_CDF, RECTIFY, SIGMOID, SPECIAL_VALUES, valueTypes } from "./_functions.wgsl.ts";
import { type MatmulTile, unitLayout } from "./matmul_tiles.ts";
import { unitText } from "./_unit_text.ts";

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

/**
 * Longest sum of one invocation, a multiple of four: more turns than it takes would end early on lavapipe, and longer sums
 * lose digits. What is longer is summed in parts.
 */
export const MOST_TERMS = 48 * 1024;

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

/** Rows and columns of C that one workgroup computes. */
export function tileOf({ tile, subgroupSize }: Pick<MatmulStructure, "tile" | "subgroupSize">): {
  tileM: number;
  tileN: number;
} {
  if (tile.family === "subgroup") return { tileM: tile.rows, tileN: 4 * tile.vectors * subgroupSize };
  if (tile.family !== "plain") return { tileM: tile.height, tileN: tile.width };
  return { tileM: PLAIN_ROWS * tile.rows, tileN: PLAIN_COLUMNS * 4 * tile.vectors };
}

/**
 * A family's way to compute a tile; every invocation has `rows` by `vectors` accumulators s{i}_{j}. On matrix units these
 * are a subgroup's, each a unit's result.
 */
interface Tile {
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

const XYZW = "xyzw";

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

/**
 * Where row r and column n (in vec4s) of C go: `r / rows * rowsStep + r % rows * rowStep`, and for columns likewise;
 * with the inverses of `rows` and `columns`, by which lavapipe divides a dozen times faster than by the numbers themselves.
 */
const PLACES: Readonly<Record<string, UniformType>> = {
  ...{ rows: "u32", rowsInverse: "f32", rowsStep: "u32", rowStep: "u32" },
  ...{ columns: "u32", columnsInverse: "f32", columnsStep: "u32" },
};

/** Rows of C up to which a quotient made with an inverse is exact. */
export const MOST_PLACED_ROWS = 2 ** 22;

const PLACE_FUNCTION = `
fn placeOf(r: u32, n4: u32) -> u32 {
  let block = u32((f32(r) + 0.5) * u.rowsInverse);
  let stripe = u32((f32(n4) + 0.5) * u.columnsInverse);
  return u.cOffset + block * u.rowsStep + (r - block * u.rows) * u.rowStep + stripe * u.columnsStep + n4 -
    stripe * u.columns;
}`;

function tileText(structure: MatmulStructure): Tile {
  const { tile } = structure;
  if (tile.family === "subgroup") return subgroupTile(structure, tile);
  if (tile.family === "matrix") return unitTile(structure, tile);
  return tile.family === "workgroup" ? workgroupTile(structure, tile) : registerTile(structure, tile);
}

/** WGSL functions of the epilogue and of its gradient. */
export const EPILOGUE_FUNCTIONS: string = valueTypes("vec4f") + SPECIAL_VALUES + RECTIFY + SIGMOID + NORMAL_CDF;

/** Which matrix and which tile of it this workgroup has; neighbours share the rows of A. */
const PLACE = `
let tile = min(block, u.tiles - 1u);
let batch = tile / (u.tilesM * u.tilesN);
let tileRow = (tile / u.tilesN) % u.tilesM;
let tileColumn = tile % u.tilesN;
let aBase = u.aOffset + (batch / u.inner) * u.aOuter + (batch % u.inner) * u.aInner;
let bBase = u.bOffset + (batch / u.inner) * u.bOuter + (batch % u.inner) * u.bInner;
let depth = min(u.K, u.kTotal - min(u.kTotal, (batch % u.inner) * select(0u, u.K, u.kTotal > u.K)));`;

/** A statement for every accumulator, a line a row. */
function each(
  { rows, vectors }: Pick<Tile, "rows" | "vectors">,
  text: (s: string, i: number, j: number) => string,
): string {
  return unroll(rows, (i) => Array.from({ length: vectors }, (_, j) => text(`s${i}_${j}`, i, j)).join(" "));
}

/**
 * Adds the products of four steps of k, rows outside and k inside: an accumulator that does not fit a register is then
 * fetched and put back once for four products, which makes tiles of 32 rows affordable on a CPU.
 */
function multiply({ rows, vectors }: Pick<Tile, "rows" | "vectors">, a: (i: number, k: number) => string): string {
  return unroll(rows, (i) =>
    [0, 1, 2, 3].map((k) =>
      `{ let x = vec4f(${a(i, k)}); ` +
      Array.from({ length: vectors }, (_, j) => `s${i}_${j} = fma(x, b${k}_${j}, s${i}_${j});`).join(" ") + " }"
    ).join(" "));
}

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

/** Statements that turn the finished sum `v` of row `r`, column `n4` (in vec4s) into what is stored. */
function finish(
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

/** Stores the sum of four rows of A, the first of which is the tile's `quad`th vec4, if the first column's tiles have it. */
function putRowSum(quad: string, sum: string, own = "true"): string {
  return `if (tileColumn == 0u && ${own} && ${quad} < u.sums) {
  c_put(u.cOffset + (batch + 1u) * u.M * u.N4 + batch * u.sums + ${quad}, ${sum});
}`;
}

/** One vec4 of A: four k of a row, or four rows at one k; zero from `depth` on where that can happen. */
function loadA({ aTransposed, ragged }: MatmulStructure, row: string, k: string): string {
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
function loadB({ bTransposed, ragged }: MatmulStructure, vectors: number, column: (j: number) => string): string {
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

type TileOf<F> = MatmulTile & { readonly family: F };

/**
 * For lavapipe: one subgroup a workgroup, its lanes along the columns, each with `vectors` vec4s of `rows` rows; the
 * vec4s of A are spread over the lanes and broadcast. A step of 32 rows × 4 k × 2 vectors is 20 KiB of machine code;
 * twice as much would no longer fit the instruction cache.
 */
function subgroupTile(s: MatmulStructure, { rows, vectors }: TileOf<"subgroup">): Tile {
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

/** Invocations of a plain workgroup, along the rows and the columns of its tile. */
const PLAIN_ROWS = 4;
const PLAIN_COLUMNS = 8;

/** For adapters without subgroups or a CPU with narrow ones: every invocation on its own, nothing shared. */
function registerTile(s: MatmulStructure, { rows, vectors }: TileOf<"plain">): Tile {
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

/** How an operand gets into workgroup memory: statements that fetch what lies at step `k`, and that put it there. */
interface Staging {
  readonly load: string;
  /** From vec4 `at` on. */
  readonly store: string;
}

/** Shares items among invocations; where there are more of these, the last ones fetch the last item and put nothing. */
function shared(invocations: number, items: number, of: (t: string, pass: number) => Staging): Staging {
  const passes = Array.from({ length: Math.ceil(items / invocations) }, (_, pass) => {
    const all = (pass + 1) * invocations <= items, item = `(lane + ${pass * invocations}u)`;
    const { load, store } = of(all ? item : `min${item.slice(0, -1)}, ${items - 1}u)`, pass);
    return { load, store: all ? store : `if (${item} < ${items}u) {\n${store}\n}` };
  });
  return { load: passes.map(({ load }) => load).join("\n"), store: passes.map(({ store }) => store).join("\n") };
}

/**
 * Loads of a vec4 of an operand for a workgroup's tile, of four rows (or columns) from `first` on at one k, or of four k of
 * one. Beyond the last row the last one stands, and beyond the last k there is 0.
 */
function edgeLoads(s: MatmulStructure, { height, width }: { readonly height: number; readonly width: number }) {
  const zero = (load: string, k: string) => `select(vec4f(), ${load}, ${k} < depth)`;
  const guarded = { ...s, ragged: true }; // a step may be longer than what is left of the sum
  return {
    alongK: (name: "a" | "b", first: string, k: string) =>
      name === "a" ? loadA({ ...guarded, aTransposed: true }, `tileRow * ${height}u + ${first}`, k) : zero(
        `b_at(bBase + min(${k}, depth - 1u) * u.bLd + min((tileColumn * ${width}u + ${first}) / 4u, u.N4 - 1u))`,
        k,
      ),
    acrossK: (name: "a" | "b", n: string, k: string) => {
      const [ld, last, first] = name === "a"
        ? ["u.aLd", "u.M - 1u", `tileRow * ${height}u`]
        : ["u.bLd", "u.N4 * 4u - 1u", `tileColumn * ${width}u`];
      return zero(`${name}_at(${name}Base + min(${first} + ${n}, ${last}) * ${ld} + min(${k}, depth - 1u) / 4u)`, k);
    },
  };
}

/**
 * For real GPUs: `height` × `width` values a workgroup, `rows` × 4 `vectors` an invocation, A and B staged in workgroup
 * memory `depth` k at a time, both along k, so that the inner loop reads a vec4 of each for 16 products. A matrix that
 * lies the other way is turned in registers, four vec4s to a 4 × 4 block, on its way. With two buffers the loads of the next
 * step are under way while this one is computed.
 */
function workgroupTile(s: MatmulStructure, tile: TileOf<"workgroup">): Tile {
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
  const { rowSums } = s.epilogue, own = rows / 4;
  const addRows = rowSums
    ? `if (tileColumn == 0u) {
${unroll(own, (g) => `r${g} += a0_${g} + a1_${g} + a2_${g} + a3_${g};`)}
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
    (rowSums ? `\n${unroll(own, (g) => `var r${g} = vec4f();`)}` : "");
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

/**
 * On matrix units: `height` × `width` values a workgroup, `down` × `across` a subgroup. A and B are staged as they are
 * stored, `tile.depth` k at a time, and the next step is fetched while this one is computed; what a step has beyond the last
 * k is staged as 0, so that no unit reads past an edge. Results leave through workgroup memory one unit at a time, where
 * the lanes pick up vec4s for the epilogue.
 */
function unitTile(s: MatmulStructure, tile: TileOf<"matrix">): Tile {
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
