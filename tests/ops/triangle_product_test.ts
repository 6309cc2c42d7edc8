import assert from "node:assert/strict";
import { pullback, type Tensor } from "../../core/mod.ts";
import {
  gatedTriangleProduct,
  gateTriangleEdge,
  triangleEdge,
  triangleProduct,
  triangleProductOf,
} from "../../ops/triangle_product.ts";
import { type Part, readPart } from "../../ops/mod.ts";
import {
  assertClose,
  FAMILIES,
  familyCheck,
  familyTest,
  gpuTest,
  ofFamily,
  randomArray,
  type Reference,
  reference,
  runsFamily,
} from "../_gpu.ts";

const DIRECTIONS = ["outgoing", "incoming"] as const;

function productOf(a: Reference, b: Reference, direction: string): Reference {
  const [batch, n, , c] = a.shape;
  const out = reference(a.shape);
  const at = (z: number, i: number, j: number, k: number) => ((z * n + i) * n + j) * c + k;
  for (let z = 0; z < batch; z++) {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        for (let k = 0; k < n; k++) {
          for (let x = 0; x < c; x++) {
            out.data[at(z, i, j, x)] += direction === "outgoing"
              ? a.data[at(z, i, k, x)] * b.data[at(z, j, k, x)]
              : a.data[at(z, k, i, x)] * b.data[at(z, k, j, x)];
          }
        }
      }
    }
  }
  return out;
}

function gatedPart(packed: Reference, mask: Reference | undefined, part: number): Reference {
  const [batch, n, , c4] = packed.shape;
  const c = c4 / 4;
  const out = reference([batch, n, n, c]);
  for (let i = 0; i < out.data.length; i++) {
    const at = Math.floor(i / c) * c4 + part * c + i % c;
    out.data[i] = (mask?.data[Math.floor(i / c)] ?? 1) * packed.data[at] / (1 + Math.exp(-packed.data[at + c]));
  }
  return out;
}

for (const direction of DIRECTIONS) {
  for (const shape of [[2, 5, 5, 3], [1, 1, 1, 1], [2, 13, 13, 24], [1, 3, 3, 134], [3, 7, 7, 4]] as const) {
    familyCheck(`triangleProduct() ${direction} matches float64 for [${shape}]`, {
      inputs: { a: shape, b: shape },
      gpu: (inputs) => triangleProduct(inputs, { direction }),
      reference: ({ a, b }) => productOf(a, b, direction),
    });
  }
  for (const [shape, masked] of [[[2, 5, 5, 12], true], [[1, 1, 1, 4], false], [[2, 11, 11, 48], true]] as const) {
    const name = `gatedTriangleProduct() ${direction} matches float64 for [${shape}]${masked ? " with mask" : ""}`;
    familyCheck<{ packed: readonly number[]; mask?: readonly number[] } & Record<string, readonly number[]>>(name, {
      inputs: { packed: shape, ...(masked ? { mask: shape.slice(0, 3) } : {}) },
      fill: { mask: (i) => i % 3 ? 1 : 0 },
      constant: ["mask"],
      gpu: (inputs) => gatedTriangleProduct(inputs, { direction }),
      reference: ({ packed, mask }) => productOf(gatedPart(packed, mask, 0), gatedPart(packed, mask, 2), direction),
    });
  }
}

gpuTest("all families agree on sizes beyond one tile, gradients included", async (shared) => {
  for (const shape of [[1, 70, 70, 8], [2, 33, 33, 20], [1, 48, 48, 6], [1, 34, 34, 140]]) {
    for (const direction of DIRECTIONS) {
      const results: number[][][] = [];
      for (const family of FAMILIES) {
        if (!runsFamily(shared, family)) continue;
        const device = ofFamily(shared, family);
        using _ = device.scope("test");
        const size = shape.reduce((x, y) => x * y);
        const a = device.tensor(randomArray(size, 1), shape), b = device.tensor(randomArray(size, 2), shape);
        const back = pullback<{ a: Tensor; b: Tensor }, Tensor>(
          device,
          (inputs) => triangleProduct(inputs, { direction }),
          { a, b },
        );
        const grads = back.pullLeaves([device.tensor(randomArray(size, 3), shape)]);
        const all: number[][] = [];
        for (const tensor of [back.output, ...grads]) all.push([...await tensor!.read()]);
        results.push(all);
        if (results.length === 1) {
          const data = (seed: number) => reference(shape, randomArray(size, seed));
          assertClose(all[0], productOf(data(1), data(2), direction).data, { rtol: 1e-5, atol: 1e-5 });
        } else all.forEach((values, i) => assertClose(values, results[0][i], { rtol: 1e-5, atol: 2e-5 }));
      }
    }
  }
});

familyTest("triangle products of nothing are empty", async (device) => {
  for (const shape of [[0, 3, 3, 4], [1, 0, 0, 4], [1, 3, 3, 0]]) {
    for (const direction of DIRECTIONS) {
      const back = pullback(
        device,
        ({ a, b }: Record<"a" | "b", Tensor>) => triangleProduct({ a, b }, { direction }),
        { a: device.zeros(shape), b: device.zeros(shape) },
      );
      assert.deepEqual([back.output.shape, (await back.output.read()).length], [shape, 0]);
      for (const grad of back.pullLeaves([device.zeros(shape)])) assert.deepEqual(grad!.shape, shape);
      const packed = device.zeros(shape.with(3, 4 * shape[3]));
      const gated = pullback(device, (packed: Tensor) => gatedTriangleProduct({ packed }, { direction }), packed);
      assert.deepEqual(gated.output.shape, shape);
      assert.deepEqual(gated.pullLeaves([device.zeros(shape)])[0]!.shape, packed.shape);
    }
  }
});

gpuTest("triangle products name the shapes that do not fit", (device) => {
  const direction = "outgoing";
  const a = device.zeros([1, 2, 3, 4]), b = device.zeros([1, 3, 3, 4]), c = device.zeros([1, 3, 3, 5]);
  assert.throws(() => triangleProduct({ a, b: a }, { direction }), /a is \[1,2,3,4\]/);
  assert.throws(() => triangleProduct({ a: b, b: c }, { direction }), /b is \[1,3,3,5\]/);
  assert.throws(() => gatedTriangleProduct({ packed: c }, { direction }), /\[1,3,3,5\]/);
  assert.throws(() => gatedTriangleProduct({ packed: b, mask: b }, { direction }), /mask \[1,3,3\]/);
  assert.throws(() => triangleProduct({ a: b, b }, { direction: "sideways" as "outgoing" }), RangeError);
});

for (const direction of DIRECTIONS) {
  familyTest(`blocks of a triangle product ${direction} are those of the whole`, async (device) => {
    const [n, c, outgoing] = [37, 8, direction === "outgoing"];
    const values = (count: number, seed: number) => device.tensor(randomArray(n * n * count, seed), [1, n, n, count]);
    const packed = values(4 * c, 1), whole = values(1, 2);
    const mask = device.view(whole, [1, n, n]);
    const expected = gatedTriangleProduct({ packed, mask }, { direction });
    const sideOf = (first: number) => readPart(packed, { axis: 3, from: 2 * c * first, to: 2 * c * (first + 1) });
    const [still, moving] = outgoing ? [sideOf(1), sideOf(0)] : [sideOf(0), sideOf(1)];
    const edge = triangleEdge(device, { n, c, direction, mask: true })!;
    const blocks = [[0, 32], [32, 37]].map(([from, to]): Part => ({ axis: outgoing ? 1 : 2, from, to }));
    for (const part of blocks) gateTriangleEdge(readPart(still, part), readPart(mask, part), edge, part.from);
    for (const part of blocks) {
      const block = gateTriangleEdge(readPart(moving, part), readPart(mask, part), edge);
      const got = outgoing ? triangleProductOf(block, edge) : triangleProductOf(edge, block);
      assertClose(await got.read(), await readPart(expected, part).read());
    }
  });
}
