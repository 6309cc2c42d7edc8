import { kernelFamily, unroll } from "../core/mod.ts";
import {
  gateProbes,
  packGatedProbes,
  type Packing,
  packProbes,
  subgroupProductProbes,
  tileProductProbes,
  ungateProbes,
} from "./_battery/triangle.ts";
import { SIGMOID, SPECIAL_VALUES, valueTypes } from "./_functions.wgsl.ts";

/** Rows (and columns) of the output in a panel of a packed operand. */
export const PANEL = 32;

/** Rows of the output that one subgroup computes. */
export const ROWS = 16;

/**
 * Groups of four channels that one subgroup computes, one after the other: what they store shares cache lines of 64
 * bytes, which would otherwise be fetched from far for each of them.
 */
export const PLANES = 4;

/** Steps of the sum in one turn of the loop; packed operands are padded with zeros to a multiple of it. */
export const STEPS = 2;

/** Invocations of a packing workgroup. */
export const PACK_LANES = 32;

/**
 * Vec4s between the planes of a packed operand: a cache line, else the planes of a power of two of rows would fall on the
 * same few cache sets.
 */
export const PLANE_PAD = 4;

const PACKING: Packing = {
  ...{ panel: PANEL, rows: ROWS, planes: PLANES, steps: STEPS, lanes: PACK_LANES, pad: PLANE_PAD },
};

/** Rows in one turn of the packing loop. */
const PACK_ROWS = 2;

/** Four channels of a tensor whose last axis is no multiple of four: `NAME_group(first element, first channel)`. */
const scalarGroup = (name: string, channels: string) => `
fn ${name}_group(at: u32, c: u32) -> vec4f {
  let last = max(${channels}, c + 1u) - c - 1u;
  let v = vec4f(${name}[at], ${name}[at + min(1u, last)], ${name}[at + min(2u, last)], ${name}[at + min(3u, last)]);
  return select(vec4f(0.0), v, vec4u(c, c + 1u, c + 2u, c + 3u) < vec4u(${channels}));
}`;

/** Stores of four channels, those beyond the last left out. */
const scalarStore = (name: string, at: string, c: string, channels: string, value: string) =>
  unroll(4, (i) => `if (${c} + ${i}u < ${channels}) { ${name}[${at} + ${i}u] = (${value})[${i}]; }`);

const FUNCTIONS = valueTypes("vec4f") + SPECIAL_VALUES + SIGMOID;

/** What the gating kernels depend on. */
export interface GateStructure {
  /** Whether C is a multiple of four. */
  readonly aligned: boolean;
  readonly mask: boolean;
  /** Whether there is one edge alone, of some positions of the output. @default false: there are both, whole */
  readonly single?: boolean;
}

/**
 * Statements that give `left` and `right` (or `left` alone), gated (not masked), and their parts, for channel group `g` of a
 * position.
 */
function gatedPair(aligned: boolean, position: string, g: string, single = false): string {
  const parts = single ? 2 : 4;
  const part = (i: number) =>
    aligned
      ? `packed_at((${parts}u * (${position}) + ${i}u) * u.groups + ${g})`
      : `packed_group((${parts}u * (${position}) + ${i}u) * u.c + 4u * (${g}), 4u * (${g}))`;
  return `let left = ${part(0)}; let left_gate = sigmoid(${part(1)});
${single ? "" : `let right = ${part(2)}; let right_gate = sigmoid(${part(3)});`}`;
}

const PACK_UNIFORMS = {
  n: "u32", // terms of the sum
  rows: "u32", // positions of the output in this operand, or in this part of it
  first: "u32", // panel at which they begin
  c: "u32",
  groups: "u32", // of four channels
  blocks: "u32", // of as many groups as a workgroup has side by side
  span: "u32", // that many
  steps: "u32",
  panels: "u32",
  plane: "u32", // vec4s of a group's plane
  p_first: "u32",
  batches: "u32",
} as const;

/**
 * The frame of the packing kernels: [B, rows, N, C] or [B, N, rows, C] becomes [B, C / 4, plane] with planes of [panel,
 * step, PANEL, 4] and a pad. Lanes lie along the groups of channels, and more of them along the steps where there are few; each goes through
 * the rows of a panel, so that cache lines are read and written as a whole. `store` sees the `position` read, the group
 * of channels `g`, the vec4 written `to`, and `used`, which is false on the padding of the sum. Rows beyond the last
 * repeat it: what the product makes of them is not stored.
 */
function packing(store: string): string {
  return `
let z = group.z * groups.y + group.y;
let g = z % u.blocks * u.span + lane % u.span;
let panel = z / u.blocks % u.panels;
let b = z / (u.blocks * u.panels);
let side = ${PACK_LANES}u / u.span;
let r = group.x * side + lane / u.span;
if (b >= u.batches || g >= u.groups || lane / u.span >= side || r >= u.steps) { return; }
let used = r < u.n;
let across = min(r, u.n - 1u);
let at = (b * u.groups + g) * u.plane + ((u.first + panel) * u.steps + r) * ${PANEL}u;
for (var i = 0u; i < ${PANEL}u; i += ${PACK_ROWS}u) {
${
    unroll(PACK_ROWS, (k) =>
      `{ let p = min(panel * ${PANEL}u + i + ${k}u, u.rows - 1u);
let position = b * u.rows * u.n + select(across * u.rows + p, p * u.n + across, u.p_first > 0u);
let to = at + i + ${k}u;
${store} }`)
  }
}`;
}

/** Rearranges one operand. */
export const packKernel = kernelFamily(({ aligned }: { readonly aligned: boolean }) => ({
  name: "trianglePack",
  workgroupSize: PACK_LANES,
  bindings: { x: aligned ? "load vec4f" : "read f32", out: "write vec4f" },
  uniforms: PACK_UNIFORMS,
  declarations: aligned ? "" : scalarGroup("x", "u.c"),
  body: packing(
    `let v = ${aligned ? "x_at(position * u.groups + g)" : "x_group(position * u.c + 4u * g, 4u * g)"};
out[to] = select(vec4f(0.0), v, used);`,
  ),
}), (structure) => packProbes(structure, PACKING));

/** Gates left and right, or one of them, and rearranges them. */
export const packGatedKernel = kernelFamily(({ aligned, mask, single }: GateStructure) => ({
  name: "trianglePackGated",
  workgroupSize: PACK_LANES,
  bindings: {
    packed: aligned ? "load vec4f" : "read f32",
    ...(mask ? { mask: "read f32" as const } : {}),
    a: "store vec4f",
    ...(single ? {} : { b_out: "store vec4f" as const }),
  },
  uniforms: PACK_UNIFORMS,
  declarations: FUNCTIONS + (aligned ? "" : scalarGroup("packed", "u.c")),
  body: packing(
    `let keep = select(0.0, ${mask ? "mask[position]" : "1.0"}, used);
${gatedPair(aligned, "position", "g", single)}
a_put(to, left * left_gate * keep);
${single ? "" : "b_out_put(to, right * right_gate * keep);"}`,
  ),
}), (structure) => packGatedProbes(structure, PACKING));

/** Gates left and right where they stand; or one of them, of some rows or columns of positions, which go where uniforms tell. */
export const gateKernel = kernelFamily(({ aligned, mask, single }: GateStructure) => ({
  name: "triangleGate",
  bindings: {
    packed: aligned ? "load vec4f" : "read f32",
    ...(mask ? { mask: "read f32" as const } : {}),
    a: aligned ? "store vec4f" : "write f32",
    ...(single ? {} : { b: aligned ? "store vec4f" as const : "write f32" as const }),
  },
  uniforms: {
    ...{ c: "u32", groups: "u32", size: "u32" },
    ...(single ? { first: "u32" as const, block: "u32" as const, step: "u32" as const } : {}),
  },
  declarations: FUNCTIONS + (aligned ? "" : scalarGroup("packed", "u.c")),
  body: `
if (index >= u.size) { return; }
let position = index / u.groups;
let g = index % u.groups;
${gatedPair(aligned, "position", "g", single)}
let keep = ${mask ? "mask[position]" : "1.0"};
let to = ${single ? "u.first + position / u.block * u.step + position % u.block" : "position"};
${
    (single ? [["a", "left"]] : [["a", "left"], ["b", "right"]]).map(([name, side]) => {
      const value = `${side} * ${side}_gate * keep`;
      return aligned
        ? `${name}_put(to * u.groups + g, ${value});`
        : `{ let at = to * u.c + 4u * g; ${scalarStore(name, "at", "4u * g", "u.c", value)} }`;
    }).join("\n")
  }`,
}), gateProbes);

/** The way back through the gates: from the gradients of a and b to that of what they were made of. */
export const ungateKernel = kernelFamily(({ aligned, mask }: GateStructure) => {
  const store = (i: number, value: string) =>
    aligned
      ? `d_packed[(4u * position + ${i}u) * u.groups + g] = ${value};`
      : `{ let at = (4u * position + ${i}u) * u.c + 4u * g;
${scalarStore("d_packed", "at", "4u * g", "u.c", value)} }`;
  const gradient = (name: string) => aligned ? `${name}_at(index)` : `${name}_group(position * u.c + 4u * g, 4u * g)`;
  const input = aligned ? "load vec4f" : "read f32";
  return {
    name: "triangleUngate",
    bindings: {
      packed: input,
      ...(mask ? { mask: "read f32" as const } : {}),
      da: input,
      db: input,
      d_packed: aligned ? "write vec4f" : "write f32",
    },
    uniforms: { c: "u32", groups: "u32", size: "u32" },
    declarations: FUNCTIONS +
      (aligned ? "" : ["packed", "da", "db"].map((name) => scalarGroup(name, "u.c")).join("\n")),
    body: `
if (index >= u.size) { return; }
let position = index / u.groups;
let g = index % u.groups;
${gatedPair(aligned, "position", "g")}
let keep = ${mask ? "mask[position]" : "1.0"};
let d_left = ${gradient("da")} * keep * left_gate;
let d_right = ${gradient("db")} * keep * right_gate;
let d_left_gate = d_left * left * (1.0 - left_gate);
let d_right_gate = d_right * right * (1.0 - right_gate);
${["d_left", "d_left_gate", "d_right", "d_right_gate"].map((value, i) => store(i, value)).join("\n")}`,
  };
}, ungateProbes);

/** What the product of packed operands depends on. */
export interface ProductStructure {
  /** Invocations of a subgroup. */
  readonly lanes: number;
  /** Whether C is a multiple of four. */
  readonly aligned: boolean;
  /**
   * Whether there are at least ROWS rows and PANEL columns. The last rows and columns are then computed by tiles moved inwards, twice where tiles
   * overlap, to the same bits; on lavapipe, conditions around the stores would take longer than all the rest at N = 64.
   */
  readonly whole: boolean;
}

/**
 * out[b, p, q, c] = Σ_r x[p, r, c] · y[q, r, c] of packed operands. Each subgroup computes ROWS × PANEL positions of
 * four channels: its lanes lie along q; the rows of x are spread over the lanes and broadcast.
 */
export const subgroupProductKernel = kernelFamily(({ lanes, aligned, whole }: ProductStructure) => {
  const xLoads = Math.ceil(ROWS / lanes);
  const columns = PANEL / lanes;
  const start = (name: string, i: number, row: string) =>
    `let ${name}_row${i} = ${row} + ${i * lanes}u + lane;
var ${name}_from${i} = plane * u.${name}_plane + ${name}_row${i} / ${PANEL}u * u.steps * ${PANEL}u + ${name}_row${i} % ${PANEL}u;`;
  const load = (name: string, s: number, i: number) =>
    `let ${name}${s}_${i} = ${name}_at(${name}_from${i} + ${s * PANEL}u);`;
  const add = (s: number, i: number) =>
    `let v${s} = subgroupBroadcast(x${s}_${Math.floor(i / lanes)}, ${i % lanes}u);
${unroll(columns, (j) => `acc${i}_${j} = fma(v${s}, y${s}_${j}, acc${i}_${j});`)}`;
  const within = (place: string, end: string, statement: string) =>
    whole ? `{ ${statement} }` : `if (${place} < ${end}) { ${statement} }`;
  const store = (i: number, j: number) =>
    within(
      `q + ${j * lanes}u`,
      "u.columns",
      aligned
        ? `out_put(row + (q + ${j * lanes}u) * u.groups, acc${i}_${j});`
        : `let at = row + (q + ${j * lanes}u) * u.c; ${scalarStore("out", "at", "4u * g", "u.c", `acc${i}_${j}`)}`,
    );
  return {
    name: "triangleProduct",
    subgroups: true,
    workgroupSize: lanes,
    bindings: { x: "load vec4f", y: "load vec4f", out: aligned ? "store vec4f" : "write f32" },
    uniforms: {
      rows: "u32",
      columns: "u32",
      c: "u32",
      groups: "u32",
      steps: "u32",
      panels: "u32", // of columns
      tiles: "u32",
      x_plane: "u32",
      y_plane: "u32",
      planes: "u32",
    },
    turns: ({ steps }) => PLANES * (2 + steps / STEPS) + 1,
    body: `
let tile = block % u.tiles;
let p = ${whole ? "min(" : "("}tile / u.panels * ${ROWS}u${whole ? `, u.rows - ${ROWS}u` : ""});
let q_first = ${whole ? "min(" : "("}tile % u.panels * ${PANEL}u${whole ? `, u.columns - ${PANEL}u` : ""});
let q = q_first + lane;
let first_plane = block / u.tiles * ${PLANES}u;
for (var plane = first_plane; plane < min(first_plane + ${PLANES}u, u.planes); plane++) {
${unroll(xLoads, (i) => start("x", i, "p"))}
${unroll(columns, (i) => start("y", i, "q_first"))}
${unroll(ROWS, (i) => unroll(columns, (j) => `var acc${i}_${j} = vec4f(0.0);`))}
for (var r = 0u; r < u.steps; r += ${STEPS}u) {
${unroll(STEPS, (s) => unroll(xLoads, (i) => load("x", s, i)) + unroll(columns, (i) => load("y", s, i)))}
${unroll(ROWS, (i) => `{ ${unroll(STEPS, (s) => add(s, i))} }`)}
${unroll(xLoads, (i) => `x_from${i} += ${STEPS * PANEL}u;`)}
${unroll(columns, (i) => `y_from${i} += ${STEPS * PANEL}u;`)}
}
let b = plane / u.groups;
let g = plane % u.groups;
${
      unroll(ROWS, (i) => {
        const place = `(b * u.rows + p + ${i}u) * u.columns`;
        const row = aligned ? `${place} * u.groups + g` : `${place} * u.c + 4u * g`;
        return within(`p + ${i}u`, "u.rows", `let row = ${row}; ${unroll(columns, (j) => store(i, j))}`);
      })
    }
}`,
  };
}, (structure) => subgroupProductProbes(structure, PACKING));

/** The same of operands as they stand, by strides; one invocation computes a square of positions of four channels. */
export const tileProductKernel = kernelFamily(({ tile, aligned }: { tile: number; aligned: boolean }) => {
  const input = aligned ? "load vec4f" : "read f32";
  const load = (name: string, i: number) =>
    `let ${name}${i} = ${
      aligned
        ? `${name}_at(${name}_from${i} + r * u.${name}_r)`
        : `${name}_group(${name}_from${i} + r * u.${name}_r, 4u * g)`
    };`;
  const start = (name: string, place: string, i: number) =>
    `let ${name}_from${i} = b * u.${name}_b + first + min(${place} + ${i}u, ${
      name === "x" ? "u.rows" : "u.columns"
    } - 1u) * u.${name}_p;`;
  const store = (i: number, j: number) =>
    `if (p + ${i}u < u.rows && q + ${j}u < u.columns) { let at = first + ((b * u.rows + p + ${i}u) * u.columns + q + ${j}u) * u.stride; ${
      aligned ? `out_put(at, acc${i}_${j});` : scalarStore("out", "at", "4u * g", "u.c", `acc${i}_${j}`)
    } }`;
  return {
    name: "triangleProductTile",
    bindings: { x: input, y: input, out: aligned ? "store vec4f" : "write f32" },
    uniforms: {
      n: "u32", // terms of the sum
      rows: "u32",
      columns: "u32",
      c: "u32",
      groups: "u32",
      tilesRows: "u32",
      tilesColumns: "u32",
      size: "u32",
      stride: "u32", // between positions: groups, or C where it is no multiple of four
      x_b: "u32", // from one batch entry to the next
      x_p: "u32",
      x_r: "u32",
      y_b: "u32",
      y_p: "u32",
      y_r: "u32",
    },
    turns: ({ n }) => n + 1,
    declarations: aligned ? "" : scalarGroup("x", "u.c") + scalarGroup("y", "u.c"),
    body: `
if (index >= u.size) { return; }
let g = index % u.groups;
let place = index / u.groups;
let q = place % u.tilesColumns * ${tile}u;
let p = place / u.tilesColumns % u.tilesRows * ${tile}u;
let b = place / (u.tilesColumns * u.tilesRows);
let first = ${aligned ? "g" : "4u * g"};
${unroll(tile, (i) => start("x", "p", i) + start("y", "q", i))}
${unroll(tile, (i) => unroll(tile, (j) => `var acc${i}_${j} = vec4f(0.0);`))}
for (var r = 0u; r < u.n; r++) {
${unroll(tile, (i) => load("x", i) + load("y", i))}
${unroll(tile, (i) => unroll(tile, (j) => `acc${i}_${j} = fma(x${i}, y${j}, acc${i}_${j});`))}
}
${unroll(tile, (i) => unroll(tile, (j) => store(i, j)))}`,
  };
}, tileProductProbes);
