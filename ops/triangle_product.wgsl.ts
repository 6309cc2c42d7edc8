import { kernelFamily, unroll } from "../core/mod.ts";

/** Rows (and columns) of the output in a panel of a packed operand. */
export const PANEL = 32;

/** Rows of the output that one subgroup computes. */
export const ROWS = 16;

/** Steps of the sum in one turn of the loop; packed operands are padded with zeros to a multiple of it. */
export const STEPS = 2;

/** Steps of the sum that one packing workgroup goes through. */
export const PACK_STEPS = 16;

/** Groups of channels that one invocation takes on the way back through the gates, 64 apart. */
export const UNGATE_STEPS = 8;

/** Groups of four channels that a packing invocation takes: a cache line of 64 bytes. */
export const PACK_GROUPS = 4;

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

const SIGMOID = "fn sigmoid(x: vec4f) -> vec4f { return 1.0 / (1.0 + exp(-x)); }";

/** What the gating kernels depend on. */
export interface GateStructure {
  /** Whether C is a multiple of four. */
  readonly aligned: boolean;
  readonly mask: boolean;
}

/** What the packing kernels depend on besides: whether C is a multiple of sixteen. */
export interface PackStructure {
  readonly aligned: boolean;
  readonly whole: boolean;
}

/** Statements that give `left` and `right`, gated (not masked), and their parts, for channel group `g` of a position. */
function gatedPair(aligned: boolean, position: string, g: string): string {
  const part = (i: number) =>
    aligned
      ? `packed_at((4u * (${position}) + ${i}u) * u.groups + ${g})`
      : `packed_group((4u * (${position}) + ${i}u) * u.c + 4u * (${g}), 4u * (${g}))`;
  return `let left = ${part(0)}; let left_gate = sigmoid(${part(1)});
let right = ${part(2)}; let right_gate = sigmoid(${part(3)});`;
}

const PACK_UNIFORMS = {
  n: "u32",
  c: "u32",
  groups: "u32",
  quads: "u32",
  steps: "u32",
  panels: "u32",
  p_first: "u32",
  batches: "u32",
} as const;

/**
 * The frame of the packing kernels: [B, N, N, C] becomes [B, C / 4, panel, step, PANEL, 4]. `store` sees the position
 * read, the group of channels `g`, the vec4 written `to`, and `used`, which is false on the padding of the sum. Rows
 * beyond the last repeat it: what the product makes of them is not stored.
 */
function packing({ whole }: PackStructure, store: string, prepare = ""): string {
  const one = (k: string) => `{ let g = g0 + ${k}; let to = at + r * ${PANEL}u + ${k} * plane; ${store} }`;
  return `
let panel = group.x % u.panels;
let first = group.x / u.panels * ${PACK_STEPS}u;
let z = group.z * groups.y + group.y;
if (z >= u.batches * u.quads) { return; }
let b = z / u.quads;
let g0 = z % u.quads * ${PACK_GROUPS}u;
let p = min(panel * ${PANEL}u + lane, u.n - 1u);
let place = b * u.n * u.n + p * select(1u, u.n, u.p_first > 0u);
let stride = select(u.n, 1u, u.p_first > 0u);
let plane = u.panels * u.steps * ${PANEL}u;
let at = ((b * u.groups + g0) * u.panels + panel) * u.steps * ${PANEL}u + lane;
for (var r = first; r < min(first + ${PACK_STEPS}u, u.steps); r++) {
  let used = r < u.n;
  let position = place + min(r, u.n - 1u) * stride;
  ${prepare}
  ${
    whole
      ? unroll(PACK_GROUPS, (k) => one(`${k}u`))
      : `for (var k = 0u; k < min(${PACK_GROUPS}u, u.groups - g0); k++) ${one("k")}`
  }
}`;
}

/** Rearranges one operand. */
export const packKernel = kernelFamily((structure: PackStructure) => ({
  name: "trianglePack",
  workgroupSize: PANEL,
  bindings: { x: structure.aligned ? "load vec4f" : "read f32", out: "write vec4f" },
  uniforms: PACK_UNIFORMS,
  declarations: structure.aligned ? "" : scalarGroup("x", "u.c"),
  body: packing(
    structure,
    `let v = ${structure.aligned ? "x_at(position * u.groups + g)" : "x_group(position * u.c + 4u * g, 4u * g)"};
    out[to] = select(vec4f(0.0), v, used);`,
  ),
}));

/** Gates left and right, and rearranges both. */
export const packGatedKernel = kernelFamily((structure: PackStructure & GateStructure) => ({
  name: "trianglePackGated",
  workgroupSize: PANEL,
  bindings: {
    packed: structure.aligned ? "load vec4f" : "read f32",
    ...(structure.mask ? { mask: "read f32" as const } : {}),
    a: "write vec4f",
    b_out: "write vec4f",
  },
  uniforms: PACK_UNIFORMS,
  declarations: SIGMOID + (structure.aligned ? "" : scalarGroup("packed", "u.c")),
  body: packing(
    structure,
    `${gatedPair(structure.aligned, "position", "g")}
    a[to] = left * left_gate * keep;
    b_out[to] = right * right_gate * keep;`,
    `let keep = select(0.0, ${structure.mask ? "mask[position]" : "1.0"}, used);`,
  ),
}));

/** Gates left and right where they stand. */
export const gateKernel = kernelFamily(({ aligned, mask }: GateStructure) => ({
  name: "triangleGate",
  bindings: {
    packed: aligned ? "load vec4f" : "read f32",
    ...(mask ? { mask: "read f32" as const } : {}),
    a: aligned ? "write vec4f" : "write f32",
    b: aligned ? "write vec4f" : "write f32",
  },
  uniforms: { c: "u32", groups: "u32", size: "u32" },
  declarations: SIGMOID + (aligned ? "" : scalarGroup("packed", "u.c")),
  body: `
if (index >= u.size) { return; }
let position = index / u.groups;
let g = index % u.groups;
${gatedPair(aligned, "position", "g")}
let keep = ${mask ? "mask[position]" : "1.0"};
let a_value = left * left_gate * keep;
let b_value = right * right_gate * keep;
${
    aligned ? "a[index] = a_value; b[index] = b_value;" : `let at = position * u.c + 4u * g;
${scalarStore("a", "at", "4u * g", "u.c", "a_value")}
${scalarStore("b", "at", "4u * g", "u.c", "b_value")}`
  }`,
}));

/** The way back through the gates: from the gradients of a and b to that of what they were made of. */
export const ungateKernel = kernelFamily(({ aligned, mask }: GateStructure) => {
  const store = (i: number, value: string) =>
    aligned
      ? `d_packed[(4u * position + ${i}u) * u.groups + g] = ${value};`
      : `{ let at = (4u * position + ${i}u) * u.c + 4u * g;
${scalarStore("d_packed", "at", "4u * g", "u.c", value)} }`;
  const gradient = (name: string) => aligned ? `${name}_at(i)` : `${name}_group(position * u.c + 4u * g, 4u * g)`;
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
    uniforms: { c: "u32", groups: "u32", size: "u32", step_position: "u32", step_group: "u32" },
    declarations: SIGMOID +
      (aligned ? "" : ["packed", "da", "db"].map((name) => scalarGroup(name, "u.c")).join("\n")),
    body: `
var i = block * ${64 * UNGATE_STEPS}u + lane;
var position = i / u.groups;
var g = i % u.groups;
for (var step = 0u; step < ${UNGATE_STEPS}u && i < u.size; step++) {
${gatedPair(aligned, "position", "g")}
let keep = ${mask ? "mask[position]" : "1.0"};
let d_left = ${gradient("da")} * keep * left_gate;
let d_right = ${gradient("db")} * keep * right_gate;
let d_left_gate = d_left * left * (1.0 - left_gate);
let d_right_gate = d_right * right * (1.0 - right_gate);
${["d_left", "d_left_gate", "d_right", "d_right_gate"].map((value, i) => store(i, value)).join("\n")}
i += 64u;
g += u.step_group;
position += u.step_position;
if (g >= u.groups) { g -= u.groups; position++; }
}`,
  };
});

/**
 * out[b, p, q, c] = Σ_r x[p, r, c] · y[q, r, c] of packed operands. Each subgroup computes ROWS × PANEL positions of
 * four channels: its lanes lie along q; the rows of x are spread over the lanes and broadcast.
 */
export const subgroupProductKernel = kernelFamily(({ lanes, aligned }: { lanes: number; aligned: boolean }) => {
  const xLoads = Math.ceil(ROWS / lanes);
  const columns = PANEL / lanes;
  const load = (name: string, s: number, i: number) =>
    `let ${name}${s}_${i} = ${name}_at(${name}_from + ${s * PANEL + i * lanes}u);`;
  const add = (s: number, i: number) =>
    `let v${s} = subgroupBroadcast(x${s}_${Math.floor(i / lanes)}, ${i % lanes}u);
${unroll(columns, (j) => `acc${i}_${j} = fma(v${s}, y${s}_${j}, acc${i}_${j});`)}`;
  const store = (i: number, j: number) =>
    `if (q + ${j * lanes}u < u.n) { ${
      aligned
        ? `out[row + (q + ${j * lanes}u) * u.groups] = acc${i}_${j};`
        : `let at = row + (q + ${j * lanes}u) * u.c; ${scalarStore("out", "at", "4u * g", "u.c", `acc${i}_${j}`)}`
    } }`;
  return {
    name: "triangleProduct",
    subgroups: true,
    workgroupSize: lanes,
    bindings: { x: "load vec4f", y: "load vec4f", out: aligned ? "write vec4f" : "write f32" },
    uniforms: { n: "u32", c: "u32", groups: "u32", steps: "u32", panels: "u32", planes: "u32" },
    body: `
let plane = group.z * groups.y + group.y;
if (plane >= u.planes) { return; }
let y_panel = group.x % u.panels;
let x_tile = group.x / u.panels;
var x_from = (plane * u.panels + x_tile / ${PANEL / ROWS}u) * u.steps * ${PANEL}u + x_tile % ${
      PANEL / ROWS
    }u * ${ROWS}u + lane;
var y_from = (plane * u.panels + y_panel) * u.steps * ${PANEL}u + lane;
${unroll(ROWS, (i) => unroll(columns, (j) => `var acc${i}_${j} = vec4f(0.0);`))}
for (var r = 0u; r < u.steps; r += ${STEPS}u) {
${unroll(STEPS, (s) => unroll(xLoads, (i) => load("x", s, i)) + unroll(columns, (i) => load("y", s, i)))}
${unroll(ROWS, (i) => `{ ${unroll(STEPS, (s) => add(s, i))} }`)}
x_from += ${STEPS * PANEL}u;
y_from += ${STEPS * PANEL}u;
}
let b = plane / u.groups;
let g = plane % u.groups;
let p = x_tile * ${ROWS}u;
let q = y_panel * ${PANEL}u + lane;
${
      unroll(ROWS, (i) =>
        `if (p + ${i}u < u.n) {
let row = ${aligned ? `(b * u.n + p + ${i}u) * u.n * u.groups + g` : `(b * u.n + p + ${i}u) * u.n * u.c + 4u * g`};
${unroll(columns, (j) => store(i, j))} }`)
    }`,
  };
});

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
    `let ${name}_from${i} = base + min(${place} + ${i}u, u.n - 1u) * u.${name}_p;`;
  const store = (i: number, j: number) =>
    `if (p + ${i}u < u.n && q + ${j}u < u.n) { let at = base + ((p + ${i}u) * u.n + q + ${j}u) * u.stride; ${
      aligned ? `out[at] = acc${i}_${j};` : scalarStore("out", "at", "4u * g", "u.c", `acc${i}_${j}`)
    } }`;
  return {
    name: "triangleProductTile",
    bindings: { x: input, y: input, out: aligned ? "write vec4f" : "write f32" },
    uniforms: {
      n: "u32",
      c: "u32",
      groups: "u32",
      tiles: "u32",
      size: "u32",
      stride: "u32", // between positions: groups, or C where it is no multiple of four
      x_p: "u32",
      x_r: "u32",
      y_p: "u32",
      y_r: "u32",
    },
    declarations: aligned ? "" : scalarGroup("x", "u.c") + scalarGroup("y", "u.c"),
    body: `
if (index >= u.size) { return; }
let g = index % u.groups;
let place = index / u.groups;
let q = place % u.tiles * ${tile}u;
let p = place / u.tiles % u.tiles * ${tile}u;
let b = place / (u.tiles * u.tiles);
let base = b * u.n * u.n * u.stride + ${aligned ? "g" : "4u * g"};
${unroll(tile, (i) => start("x", "p", i) + start("y", "q", i))}
${unroll(tile, (i) => unroll(tile, (j) => `var acc${i}_${j} = vec4f(0.0);`))}
for (var r = 0u; r < u.n; r++) {
${unroll(tile, (i) => load("x", i) + load("y", i))}
${unroll(tile, (i) => unroll(tile, (j) => `acc${i}_${j} = fma(x${i}, y${j}, acc${i}_${j});`))}
}
${unroll(tile, (i) => unroll(tile, (j) => store(i, j)))}`,
  };
});
