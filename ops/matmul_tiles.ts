/** Which tiles the matrix product can be cut into. */
import type { AdapterTraits, KernelFamily, MatrixUnits } from "../core/mod.ts";

/** How much of a product a workgroup and each of its invocations computes. */
export type MatmulTile =
  | {
    readonly family: "subgroup";
    /** Rows of a subgroup's tile: a multiple of its lanes. */
    readonly rows: 16 | 32;
    /** Vectors of four columns a lane; 1 where the product is no wider than that. */
    readonly vectors: 1 | 2;
  }
  | {
    readonly family: "subgroup";
    /** Lanes lie along the rows: for products of few columns. */
    readonly tall: true;
    /** Rows and vectors of four columns a lane: more of these are longer to compile, and hardly faster. */
    readonly rows: 8;
    readonly vectors: 2;
  }
  | {
    readonly family: "workgroup";
    /** Rows and columns of a workgroup's tile. */
    readonly height: 32 | 64 | 128;
    readonly width: 32 | 64 | 128;
    /** Length of the sums that is staged in workgroup memory at a time. */
    readonly depth: 8 | 16;
    /** With two, the next step is fetched while this one is computed, and there is one barrier a step. */
    readonly buffers: 1 | 2;
    /** Rows and vectors of four columns an invocation. */
    readonly rows: 4 | 8;
    readonly vectors: 1 | 2;
  }
  | {
    readonly family: "plain";
    /** Rows and vectors of four columns an invocation. */
    readonly rows: 4 | 8;
    readonly vectors: 1 | 2;
  }
  | {
    readonly family: "matrix";
    /** Rows and columns of a workgroup's tile. */
    readonly height: 32 | 64 | 128;
    readonly width: 32 | 64 | 128;
    /** Length of the sums that is staged in workgroup memory at a time. */
    readonly depth: 16 | 32;
    /** Rows and columns that a subgroup computes. */
    readonly down: 16 | 32;
    readonly across: 16 | 32 | 64;
  };

/** The tile of a subgroup whose lanes lie along the rows. */
export type TallTile = Extract<MatmulTile, { readonly tall: true }>;

/**
 * What decides which tile is fastest: `large` and `small` products by the number of results, and `long` ones of
 * transposed A (gradients of weights), whose sums are cut into parts.
 */
export type MatmulClass = "large" | "small" | "long";

/** The classes, in the order of tables. */
export const MATMUL_CLASSES: readonly MatmulClass[] = ["large", "small", "long"];

/** Results below which a product is small: a tile of 64 × 64 then leaves parts of a GPU without work. */
const SMALL = 2 ** 18;

/** Which class a product belongs to. */
export function matmulClass({ results, long }: { readonly results: number; readonly long: boolean }): MatmulClass {
  return long ? "long" : results < SMALL ? "small" : "large";
}

/** Tiles that a family's kernels can have; the first one is used where nothing was measured. */
const TILES: { readonly [F in KernelFamily]: readonly (MatmulTile & { readonly family: F })[] } = {
  subgroup: [
    { family: "subgroup", rows: 32, vectors: 2 },
    { family: "subgroup", rows: 32, vectors: 1 },
    { family: "subgroup", rows: 16, vectors: 2 },
  ],
  // At most 16 KiB of workgroup memory each, which every adapter has.
  workgroup: [
    { family: "workgroup", height: 64, width: 64, depth: 16, buffers: 1, rows: 8, vectors: 2 },
    { family: "workgroup", height: 64, width: 64, depth: 16, buffers: 2, rows: 8, vectors: 2 },
    { family: "workgroup", height: 64, width: 128, depth: 16, buffers: 1, rows: 8, vectors: 1 },
    { family: "workgroup", height: 64, width: 128, depth: 8, buffers: 2, rows: 8, vectors: 1 },
    { family: "workgroup", height: 128, width: 128, depth: 16, buffers: 1, rows: 8, vectors: 2 },
    { family: "workgroup", height: 128, width: 128, depth: 8, buffers: 2, rows: 8, vectors: 2 },
    { family: "workgroup", height: 64, width: 64, depth: 16, buffers: 1, rows: 4, vectors: 1 },
    { family: "workgroup", height: 32, width: 32, depth: 16, buffers: 1, rows: 4, vectors: 1 },
  ],
  plain: [
    { family: "plain", rows: 8, vectors: 2 },
    { family: "plain", rows: 8, vectors: 1 },
    { family: "plain", rows: 4, vectors: 2 },
  ],
  tiles: [], // of attention alone
  // On units of 16 × 16 a subgroup of 32 × 64 reads six operands for eight products.
  matrix: [
    { family: "matrix", height: 128, width: 128, depth: 32, down: 32, across: 64 },
    { family: "matrix", height: 64, width: 128, depth: 32, down: 32, across: 32 },
    { family: "matrix", height: 64, width: 64, depth: 16, down: 32, across: 32 },
    { family: "matrix", height: 32, width: 32, depth: 32, down: 16, across: 16 },
  ],
};

/** Bytes between the rows of what units load and store, so that neighbouring ones do not lie on the same memory banks. */
const PAD_BYTES = 16;

/** How a tile on matrix units is laid out in workgroup memory; sizes in elements. */
export interface UnitLayout {
  /** Subgroups of a workgroup. */
  readonly subgroups: number;
  /** Added to each staged row of an operand, and of results. */
  readonly pad: number;
  readonly resultPad: number;
  /** Bytes, with operands lying whichever way takes more. */
  readonly bytes: number;
}

/** The layout of a tile on units. */
export function unitLayout(
  { height, width, depth, down, across }: MatmulTile & { readonly family: "matrix" },
  { operands, m, n }: Pick<MatrixUnits, "operands" | "m" | "n">,
): UnitLayout {
  const each = operands === "f16" ? 2 : 4, pad = PAD_BYTES / each, resultPad = PAD_BYTES / 4;
  const subgroups = (height / down) * (width / across);
  const staged = (side: number) => Math.max(side * (depth + pad), depth * (side + pad));
  const bytes = each * (staged(height) + staged(width)) + 4 * subgroups * m * (n + resultPad);
  return { subgroups, pad, resultPad, bytes };
}

/** Whether a tile is made of whole units, and fits a workgroup. */
function fitsUnits(tile: MatmulTile & { readonly family: "matrix" }, units: MatrixUnits): boolean {
  const { down, across, depth } = tile, { subgroups, bytes } = unitLayout(tile, units);
  return down % units.m === 0 && across % units.n === 0 && depth % units.k === 0 && bytes <= units.workgroupBytes &&
    subgroups * units.lanes <= units.invocations;
}

/** The tall tile. */
export const TALL: TallTile = { family: "subgroup", tall: true, rows: 8, vectors: 2 };

/**
 * The tile for a product of so many rows and columns where `tile` is preferred. That of a subgroup is as wide as its lanes have
 * columns: a product of half as many columns or fewer has its lanes along the rows, if it has rows for them.
 */
export function fittedTile(
  tile: MatmulTile,
  { m, n }: { readonly m: number; readonly n: number },
  lanes: number,
): MatmulTile {
  if (tile.family !== "subgroup" || "tall" in tile || n > 4 * lanes) return tile;
  return n <= 2 * lanes && m >= TALL.rows * lanes ? TALL : { ...tile, vectors: 1 };
}

/** Tiles that an adapter can run: family by family in its order of preference, each family's built-in one first. */
export function matmulTiles(
  { kernelFamilies, subgroupSize, matrixUnits }: Pick<AdapterTraits, "kernelFamilies" | "subgroupSize" | "matrixUnits">,
): readonly MatmulTile[] {
  const fits = (tile: MatmulTile) =>
    tile.family === "subgroup"
      ? tile.rows % subgroupSize === 0
      : tile.family !== "matrix" || (!!matrixUnits && fitsUnits(tile, matrixUnits));
  return kernelFamilies.flatMap((family): readonly MatmulTile[] => TILES[family].filter(fits));
}

/** Those that products of a class may be given: long ones are gradients of weights, which are not rounded to f16. */
export function tilesOfClass(
  traits: Pick<AdapterTraits, "kernelFamilies" | "subgroupSize" | "matrixUnits">,
  name: MatmulClass,
): readonly MatmulTile[] {
  const exact = name === "long" && traits.matrixUnits?.operands === "f16";
  return matmulTiles(traits).filter(({ family }) => !exact || family !== "matrix");
}

/**
 * Those of a class that are worth timing: on a processor workgroup memory is memory like any other, so that one tile in it
 * stands for all (measured: 10 to 100 times slower than the fastest).
 */
export function tilesToTime(
  traits: Parameters<typeof tilesOfClass>[0] & Pick<AdapterTraits, "software">,
  name: MatmulClass,
): readonly MatmulTile[] {
  const tiles = tilesOfClass(traits, name);
  if (!traits.software) return tiles;
  const shared = tiles.find(({ family }) => family === "workgroup");
  return tiles.filter((tile) => tile.family !== "workgroup" || tile === shared);
}
