/** Which tiles the matrix product can be cut into. */
import type { AdapterTraits, KernelFamily } from "../core/mod.ts";

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
  };

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
};

/** Tiles that an adapter can run: family by family in its order of preference, each family's built-in one first. */
export function matmulTiles(
  { kernelFamilies, subgroupSize }: Pick<AdapterTraits, "kernelFamilies" | "subgroupSize">,
): readonly MatmulTile[] {
  return kernelFamilies.flatMap((family): readonly MatmulTile[] =>
    TILES[family].filter((tile) => tile.family !== "subgroup" || tile.rows % subgroupSize === 0)
  );
}
