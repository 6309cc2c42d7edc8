import { type KernelFamily, MOST_TURNS } from "../core/mod.ts";

/** How the invocations of an attention kernel share the rows they stream over. */
export interface Streaming {
  /** One row a lane, broadcast (subgroup); staged in workgroup memory (workgroup); read by each on its own (plain). */
  readonly family: KernelFamily;
  /** Invocations of a workgroup; the size of a subgroup in the family of that name. */
  readonly lanes: number;
  /** vec4s of a head's channels. */
  readonly d4: number;
  /**
   * Items in a block of the loop: 4, or more in the family "subgroup", where `lanes / items` lanes share the load of an
   * item; that number divides `d4`.
   */
  readonly items: number;
}

/** Rows that attention streams over: two rows of `d4` vec4s (k and v, or q and dO) and one vec4 of numbers an item. */
export interface StreamedRows {
  /** WGSL for vec4 `d` of the first row of token `token`. */
  a(token: string, d: string | number): string;
  /** The same for the second row. */
  b(token: string, d: string | number): string;
  /** WGSL for the numbers of token `token`; `inside` is a bool, false for a repeat past the last item. */
  numbers(token: string, inside: string): string;
  /**
   * In the family "subgroup", whether lanes have channels of every second row, vec4 `d · lanes + lane`, instead of parts of
   * rows that are broadcast.
   */
  readonly across?: boolean;
}

/** WGSL for where the tokens are that a loop goes over. */
export interface StreamedTokens {
  /** The first one. */
  readonly base: string;
  /** How many. */
  readonly length: string;
  /** Step from one to the next. */
  readonly step: string;
  /** Number of the list of blocks in `blocks` that the loop goes over, each of `u.block` tokens. @default all tokens */
  readonly list?: string;
}

/** How the body of the loop gets at the items of a block. */
export interface StreamedBlock {
  /** Items in the block: a multiple of 4. */
  readonly items: number;
  /** WGSL for vec4 `d` of item `j`'s first row. */
  a(j: number, d: number): string;
  /** Statements before the first use of second rows: loads that would only take up registers earlier. */
  readonly loadB: string;
  /** The same for the second row; `across`, of vec4 `d · lanes + lane`. */
  b(j: number, d: number): string;
  /** WGSL for component `c` of item `j`'s numbers. */
  number(j: number, c: "x" | "y" | "z"): string;
}

/** Rows of a tile in workgroup memory, within WebGPU's 16 KiB. */
function tileRows(d4: number): number {
  let rows = 32;
  while (rows > 4 && rows * (2 * d4 + 1) * 16 > 16384) rows /= 2;
  return rows;
}

/** Largest `d4` that every adapter's workgroup memory takes. */
export const MAX_D4 = 127;

/** Queries and keys of a tile of the family `tiles`. */
export const TILE = 32;

/** Own items of a workgroup, `t` a lane but in tiles. */
export function itemsOfWorkgroup({ family, lanes, t }: Pick<Streaming, "family" | "lanes"> & { t: number }): number {
  return family === "tiles" ? TILE : lanes * t;
}

/** Tokens of a cycle of {@linkcode streamLoop}, and turns of loops that it takes. */
function cycleOf({ family, lanes, d4, items }: Streaming): { tokens: number; turns: number } {
  if (family === "subgroup") return { tokens: items, turns: 1 };
  if (family === "plain") return { tokens: 4, turns: 1 };
  if (family === "tiles") {
    const staged = Math.ceil(TILE * d4 / lanes) + 1;
    return { tokens: TILE, turns: 1 + staged + (d4 + 1) + 5 * (TILE / 4 + 1) };
  }
  const rows = tileRows(d4);
  return { tokens: rows, turns: 1 + (Math.ceil(rows * d4 / lanes) + 1) + (rows / 4 + 1) };
}

/** Most turns of {@linkcode streamLoop} over so many blocks of tokens. */
export function turnsOfBlocks(streaming: Streaming, blocks: number, block: number): number {
  return blocks * (1 + turnsOfStream(streaming, block)) + 1;
}

/** Most turns of {@linkcode streamLoop} over so many tokens. */
export function turnsOfStream(streaming: Streaming, length: number): number {
  const { tokens, turns } = cycleOf(streaming);
  return Math.ceil(length / tokens) * turns + 1;
}

/** Most tokens that one invocation goes over, with two turns to spare. */
export function longestStream(streaming: Streaming): number {
  const { tokens, turns } = cycleOf(streaming);
  return Math.floor((MOST_TURNS - 3) / turns) * tokens;
}

/** Workgroup variables of {@linkcode streamLoop}. */
export function streamDeclarations({ family, d4 }: Streaming): string {
  if (family !== "workgroup") return "";
  const rows = tileRows(d4);
  return `
var<workgroup> tile_a: array<vec4f, ${rows * d4}>;
var<workgroup> tile_b: array<vec4f, ${rows * d4}>;
var<workgroup> tile_numbers: array<vec4f, ${rows}>;`;
}

/**
 * A loop over all tokens of a sequence, a block at a time; the body finds the first item of its block in `at`. Items past
 * the last repeat it. With a list of blocks it goes over their tokens, block after block of the list.
 */
export function streamLoop(
  streaming: Streaming,
  { base, length, step, list }: StreamedTokens,
  rows: StreamedRows,
  body: (block: StreamedBlock) => string,
): string {
  if (list === undefined) return tokenLoop(streaming, { base, length, step }, rows, body);
  const inside = { base: `(${base} + block_first * ${step})`, length: "block_length", step };
  return `
let list_end = u32(blocks[${list} + 1u]);
for (var entry = u32(blocks[${list}]); entry < list_end; entry++) {
  let block_first = u32(blocks[entry]) * u.block;
  let block_length = min(u.block, ${length} - block_first);
  ${tokenLoop(streaming, inside, rows, body)}
}`;
}

function tokenLoop(
  { family, lanes, d4, items }: Streaming,
  { base, length, step }: StreamedTokens,
  rows: StreamedRows,
  body: (block: StreamedBlock) => string,
): string {
  const each = (n: number, piece: (i: number) => string) => Array.from({ length: n }, (_, i) => piece(i)).join("\n");
  const token = (item: string) => `${base} + min(${item}, ${length} - 1u) * ${step}`;
  if (family === "subgroup") {
    const part = d4 / (lanes / items); // vec4s that a lane loads
    const from = (j: number, d: number) => `${j + items * Math.floor(d / part)}u`;
    const own = (d: number) => `(first_d + ${d}u)`;
    // The first vec4s of both rows, which bring their whole cache lines, are loaded together: one wait instead of two.
    const second = rows.across
      ? {
        first: each(
          items,
          (j) => each(d4 / lanes, (d) => `let b${j}_${d} = ${rows.b(token(`at + ${j}u`), `(lane + ${d * lanes}u)`)};`),
        ),
        others: "",
      }
      : {
        first: `let b0 = ${rows.b("token", own(0))};`,
        others: each(part - 1, (d) => `let b${d + 1} = ${rows.b("token", own(d + 1))};`),
      };
    const block: StreamedBlock = {
      items,
      loadB: second.others,
      a: (j, d) => `subgroupBroadcast(a${d % part}, ${from(j, d)})`,
      b: (j, d) => rows.across ? `b${j}_${d}` : `subgroupBroadcast(b${d % part}, ${from(j, d)})`,
      number: (j, c) => `subgroupBroadcast(numbers.${c}, ${j}u)`,
    };
    return `
let my_item = lane % ${items}u;
let first_d = (lane / ${items}u) * ${part}u;
for (var at = 0u; at < ${length}; at += ${items}u) {
  let token = ${token("at + my_item")};
  let numbers = ${rows.numbers("token", `(at + my_item < ${length})`)};
  ${second.first}
  let a0 = ${rows.a("token", own(0))};
  ${each(part - 1, (d) => `let a${d + 1} = ${rows.a("token", own(d + 1))};`)}
  ${body(block)}
}`;
  }
  if (family === "plain") {
    const block: StreamedBlock = {
      items,
      loadB: "",
      a: (j, d) => rows.a(`token${j}`, d),
      b: (j, d) => rows.b(`token${j}`, d),
      number: (j, c) => `numbers${j}.${c}`,
    };
    return `
for (var at = 0u; at < ${length}; at += 4u) {
  ${
      each(4, (j) => `
  let token${j} = ${token(`at + ${j}u`)};
  let numbers${j} = ${rows.numbers(`token${j}`, `(at + ${j}u < ${length})`)};`)
    }
  ${body(block)}
}`;
  }
  const tile = tileRows(d4);
  const block: StreamedBlock = {
    items,
    loadB: "",
    a: (j, d) => `tile_a[(row + ${j}u) * ${d4}u + ${d}u]`,
    b: (j, d) => `tile_b[(row + ${j}u) * ${d4}u + ${d}u]`,
    number: (j, c) => `tile_numbers[row + ${j}u].${c}`,
  };
  return `
for (var tile = 0u; tile < ${length}; tile += ${tile}u) {
  workgroupBarrier();
  for (var i = lane; i < ${tile * d4}u; i += ${lanes}u) {
    let token = ${token(`tile + i / ${d4}u`)};
    let d = i % ${d4}u;
    tile_a[i] = ${rows.a("token", "d")};
    tile_b[i] = ${rows.b("token", "d")};
  }
  if (lane < ${tile}u) {
    let token = ${token("tile + lane")};
    tile_numbers[lane] = ${rows.numbers("token", `(tile + lane < ${length})`)};
  }
  workgroupBarrier();
  for (var row = 0u; row < min(${tile}u, ${length} - tile); row += 4u) {
    let at = tile + row;
    ${body(block)}
  }
}`;
}
