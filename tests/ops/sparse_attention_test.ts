/** attention() over the blocks of a layout. */
import assert from "node:assert/strict";
import { pullback } from "../../core/mod.ts";
import { attention, type AttentionOptions, type CrossAttentionInputs } from "../../ops/attention.ts";
import { type BlockLayout, croppedLayout } from "../../ops/block_layout.ts";
import { assertClose, familyCheck, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";

const MASKED = -1e9;

/** Attention in float64, logit by logit, of the pairs that a layout visits. */
function sparseReference(
  { q, k, v, mask }: Record<string, Reference>,
  { heads: H }: AttentionOptions,
  { block, visited }: BlockLayout,
): Reference {
  const [B, R, Lq, columns] = q.shape, Lk = k.shape[2], D = columns / H;
  const out = reference(q.shape);
  for (let s = 0; s < B * R; s++) {
    for (let h = 0; h < H; h++) {
      for (let i = 0; i < Lq; i++) {
        const at = (s * Lq + i) * columns + h * D;
        const keys = Array.from({ length: Lk }, (_, j) => j)
          .filter((j) => visited[Math.floor(i / block)].includes(Math.floor(j / block)));
        const logits = keys.map((j) => {
          let logit = 0;
          for (let d = 0; d < D; d++) logit += q.data[at + d] * k.data[(s * Lk + j) * columns + h * D + d];
          return mask && mask.data[s * Lk + j] === 0 ? MASKED : logit / Math.sqrt(D);
        });
        const top = Math.max(...logits);
        const weights = logits.map((logit) => Math.exp(logit - top));
        const sum = weights.reduce((a, w) => a + w, 0);
        for (let d = 0; d < D; d++) {
          out.data[at + d] = keys.reduce(
            (o, j, n) => o + weights[n] / sum * v.data[(s * Lk + j) * columns + h * D + d],
            0,
          );
        }
      }
    }
  }
  return out;
}

/** Layouts that are larger than the sequences, with blocks that no query visits, and a last block that is not whole. */
const SELF: BlockLayout = { block: 5, rows: 4, columns: 4, visited: [[0, 2], [0], [1, 2, 3], [3]] };
const CROSS: BlockLayout = { block: 16, rows: 3, columns: 2, visited: [[0], [1], [0, 1]] };
const LONG: BlockLayout = { block: 70, rows: 2, columns: 2, visited: [[1], [0, 1]] };

const CASES = [
  { name: "blocks of 5", q: [2, 1, 14], k: [2, 1, 14], heads: 2, channels: 4, layout: SELF, mask: true },
  {
    name: "blocks of 16, queries to keys of their own",
    q: [1, 2, 37],
    k: [1, 2, 19],
    heads: 1,
    channels: 8,
    layout: CROSS,
  },
  { name: "blocks of more than a workgroup takes", q: [1, 1, 75], k: [1, 1, 73], heads: 1, channels: 4, layout: LONG },
] as const;

for (const { name, q, k, heads, channels, layout, ...more } of CASES) {
  const columns = heads * channels;
  const mask = "mask" in more;
  familyCheck<Record<string, number[]>>(`attention() of a layout matches float64: ${name}`, {
    inputs: { q: [...q, columns], k: [...k, columns], v: [...k, columns], ...(mask && { mask: [...k] }) },
    fill: { mask: (i) => (i % 4 === 2 ? 0 : 1) },
    constant: ["mask"],
    gpu: (given) => attention(given as CrossAttentionInputs, { heads, axis: 2, layout }),
    reference: (given) => sparseReference(given, { heads, axis: 2 }, layout),
  });
}

gpuTest("heads whose channels all lanes share match float64", async (device) => {
  const shapes = { q: [1, 2, 37, 64], k: [1, 2, 19, 64], v: [1, 2, 19, 64] };
  const arrays = Object.values(shapes).map((shape, i) => randomArray(shape[1] * shape[2] * 64, i + 1));
  const [q, k, v] = Object.values(shapes).map((shape, i) => device.tensor(arrays[i], shape));
  const [rq, rk, rv] = Object.values(shapes).map((shape, i) => reference(shape, arrays[i]));
  const expected = sparseReference({ q: rq, k: rk, v: rv }, { heads: 1, axis: 2 }, CROSS);
  assertClose(await attention({ q, k, v }, { heads: 1, axis: 2, layout: CROSS }).read(), expected.data);
});

gpuTest("projections of one input, packed, give what separate ones give", async (device) => {
  const shape = [1, 14, 2, 8], heads = 2, axis = 1;
  const parts = [1, 2, 3].map((seed) => randomArray(224, seed));
  const [q, k, v] = parts.map((part) => device.tensor(part, shape));
  const packed = Float32Array.from(
    { length: 672 },
    (_, i) => parts[Math.floor(i / 8) % 3][8 * Math.floor(i / 24) + i % 8],
  );
  const qkv = device.tensor(packed, [1, 14, 2, 24]);
  const separate = pullback(device, ({ q, k, v }) => attention({ q, k, v }, { heads, axis, layout: SELF }), {
    q,
    k,
    v,
  });
  const together = pullback(device, (qkv) => attention({ qkv }, { heads, axis, layout: SELF }), qkv);
  assertClose(await together.output.read(), await separate.output.read());
  const d = device.tensor(randomArray(224, 4), shape);
  const grads = separate.pull([d]);
  const dqkv = await together.pull([d])!.read();
  for (const [part, grad] of [grads.q, grads.k, grads.v].entries()) {
    const own = Float32Array.from({ length: 224 }, (_, i) => dqkv[24 * Math.floor(i / 8) + 8 * part + i % 8]);
    assertClose(own, await grad!.read(), { atol: 1e-6 }, `gradient ${part}`);
  }
});

Deno.test("a layout that does not fit is refused in words", () => {
  assert.throws(() => croppedLayout({ ...SELF, block: 0 }, 5, 5), /positive whole number of tokens, got 0/);
  assert.throws(
    () => croppedLayout(SELF, 21, 5),
    /too small for 21 queries and 5 keys: expected at least 5 × 1 blocks/,
  );
  assert.throws(() => croppedLayout(SELF, 20, 14), /Row 3 of a layout attends to none of the first 3 blocks/);
  const wrong = { ...SELF, visited: [[0], [1], [2, 2], [4]] };
  assert.throws(
    () => croppedLayout(wrong, 15, 15),
    /Row 2 of a layout must have ascending columns below 4: it has \[2,2\]/,
  );
  assert.deepEqual(croppedLayout(SELF, 14, 14), { block: 5, rows: 3, columns: 3, visited: [[0, 2], [0], [1, 2]] });
});
