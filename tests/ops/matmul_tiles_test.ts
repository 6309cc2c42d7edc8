import assert from "node:assert/strict";
import type { Device } from "../../core/mod.ts";
import { runMatmul } from "../../ops/_matmul.ts";
import { fittedTile, MATMUL_CLASSES, matmulClass, type MatmulTile, matmulTiles, TALL } from "../../ops/matmul_tiles.ts";
import { setTuning, tuningOf } from "../../ops/tuning.ts";
import { assertClose, FAMILIES, familyTest, gpuTest, ofFamily, randomArray } from "../_gpu.ts";

type Layout = { readonly aTransposed: boolean; readonly bTransposed: boolean };

/** Between them both operands lie both ways. */
const LAYOUTS: readonly Layout[] = [
  { aTransposed: false, bTransposed: true },
  { aTransposed: true, bTransposed: false },
];
/**
 * One tile with room to spare, several tiles with rests, and a sum long enough to be cut; on a subgroup, rows for all of its
 * lanes and few columns as well.
 */
function sizesFor({ traits: { subgroupSize: lanes } }: Device, { family }: MatmulTile): [number, number, number][] {
  const tall: [number, number, number][] = [[8 * lanes + 5, 2 * lanes - 4, 20], [8 * lanes, 4, 700]];
  return [[5, 12, 8], [133, 140, 20], [36, 68, 700], ...(family === "subgroup" ? tall : [])];
}

const all = (device: Device, tile: MatmulTile) => ({
  ...tuningOf(device),
  matmul: { large: tile, small: tile, long: tile },
});

/** Rows of a matrix product in float64. */
function product(a: Float32Array, b: Float32Array, m: number, n: number, k: number, layout: Layout): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      for (let t = 0; t < k; t++) {
        out[i * n + j] += a[layout.aTransposed ? t * m + i : i * k + t] * b[layout.bTransposed ? j * k + t : t * n + j];
      }
    }
  }
  return out;
}

async function check(device: Device, tile: MatmulTile): Promise<void> {
  const before = tuningOf(device);
  setTuning(device, all(device, tile));
  try {
    for (const layout of LAYOUTS) {
      for (const [m, n, k] of sizesFor(device, tile)) {
        const [mGiven, kGiven] = layout.aTransposed ? [Math.ceil(m / 4) * 4, k] : [m, k]; // whole vec4s in rows
        const a = randomArray(mGiven * kGiven, m), b = randomArray(k * n, n);
        using scope = device.scope("product");
        void scope;
        const { out } = runMatmul(device, {
          ...{ a: device.tensor(a, [a.length]), b: device.tensor(b, [b.length]), m: mGiven, n, k, ...layout },
        });
        assertClose(
          await out.read(),
          product(a, b, mGiven, n, k, layout),
          { rtol: 1e-5, atol: 2e-5 },
          `${JSON.stringify(tile)} ${JSON.stringify(layout)} ${mGiven} × ${n} × ${k}`,
        );
      }
    }
  } finally {
    setTuning(device, before);
  }
}

familyTest("every tile gives the product", async (device) => {
  const tiles = matmulTiles(device.traits);
  assert.ok(tiles.length >= 2, `${tiles.length} tiles`);
  for (const tile of tiles) await check(device, tile);
});

gpuTest("a tuning of another kind of adapter, or none at all, is refused", (device) => {
  for (const family of FAMILIES) {
    const own = ofFamily(device, family);
    for (const other of FAMILIES.filter((other) => other !== family)) {
      const [tile] = matmulTiles({ kernelFamilies: [other], subgroupSize: 8 });
      assert.throws(() => setTuning(own, all(own, tile)), /TypeError: Cannot use .* for large matrix products/);
      const before = tuningOf(own);
      assert.throws(() => setTuning(own, { ...before, attention: other }), /TypeError: Cannot use .* of attention/);
      assert.deepEqual(tuningOf(own), before);
    }
  }
  const [tile] = matmulTiles(device.traits);
  assert.throws(() => setTuning(device, all(device, { ...tile, rows: 7 } as never)), TypeError);
  assert.throws(() => setTuning(device, { ...tuningOf(device), loads: "shelves" as never }), TypeError);
  assert.throws(() => setTuning(device, null as never), TypeError);
  assert.deepEqual(tuningOf(device), all(device, tile));
});

Deno.test("lanes of a subgroup lie along the rows where columns are few and rows are not", () => {
  const [tile] = matmulTiles({ kernelFamilies: ["subgroup"], subgroupSize: 16 });
  const [own] = matmulTiles({ kernelFamilies: ["plain"], subgroupSize: 0 });
  const of = (m: number, n: number) => fittedTile(tile, { m, n }, 16);
  assert.deepEqual([of(128, 32), of(10_000, 4)], [TALL, TALL]);
  assert.deepEqual([of(128, 36), of(124, 32), of(128, 64)], Array(3).fill({ ...tile, vectors: 1 }));
  assert.deepEqual(of(128, 68), tile);
  assert.deepEqual(fittedTile(own, { m: 128, n: 32 }, 0), own);
});

Deno.test("products are told apart by their results, and by long sums", () => {
  assert.deepEqual([
    matmulClass({ results: 4096 * 512, long: false }),
    matmulClass({ results: 64 * 64, long: false }),
    matmulClass({ results: 4096 * 512, long: true }),
  ], MATMUL_CLASSES);
});
