/** Matrix units spelled out in plain WGSL: the kernels for them on adapters that have none. */
import { Device, type MatrixUnits } from "../core/mod.ts";
import { type MatmulTile, matmulTiles } from "../ops/matmul_tiles.ts";
import { setTuning, tuningOf } from "../ops/mod.ts";

/** What there is, or may be: NVIDIA's and AMD's, Apple's, Intel's; and lanes that no GPU has, as 32 is nothing special. */
export const UNITS = {
  "f16, 16 × 16 × 16, 32 lanes": { operands: "f16", m: 16, n: 16, k: 16, lanes: 32 },
  "f32, 8 × 8 × 8, 32 lanes": { operands: "f32", m: 8, n: 8, k: 8, lanes: 32 },
  "f16, 8 × 16 × 16, 16 lanes": { operands: "f16", m: 8, n: 16, k: 16, lanes: 16 },
  "f16, 16 × 8 × 8, 8 lanes": { operands: "f16", m: 16, n: 8, k: 8, lanes: 8 },
} as const satisfies Readonly<Record<string, Pick<MatrixUnits, "operands" | "m" | "n" | "k" | "lanes">>>;

/** The name of units in {@link UNITS}. */
export type UnitsName = keyof typeof UNITS;

/** A device that has emulated units, and knows no other way to compute products. */
export function withUnits({ gpu, traits }: Device, name: UnitsName): Device {
  const matrixUnits: MatrixUnits = {
    ...{ ...UNITS[name], pinned: false, emulated: true },
    workgroupBytes: gpu.limits.maxComputeWorkgroupStorageSize,
    invocations: gpu.limits.maxComputeInvocationsPerWorkgroup,
  };
  return new Device(gpu, { ...traits, matrixUnits, kernelFamilies: ["matrix", "plain"], loadPaths: ["buffers"] });
}

/** A tile on units. */
export type UnitTile = MatmulTile & { readonly family: "matrix" };

/** The tiles that a device has on its units, the widest first. */
export function unitTiles({ traits }: Device): UnitTile[] {
  return matmulTiles(traits).filter((tile) => tile.family === "matrix") as UnitTile[];
}

/** Lets a device use a tile for all products. */
export function preferring(device: Device, tile: MatmulTile): void {
  setTuning(device, { ...tuningOf(device), matmul: { large: tile, small: tile, long: tile } });
}
