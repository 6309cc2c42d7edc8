import assert from "node:assert/strict";
import { type Device, pullback, type Tensor, valueAndGrad } from "../../core/mod.ts";
import {
  type Adapter,
  dropout,
  linear,
  type LinearParams,
  mergedWeight,
  multiply,
  packedLinear,
  packLinears,
  sum,
} from "../../ops/mod.ts";
import { assertClose, checkOp, familyCheck, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";
import { Key } from "../../core/mod.ts";

type Matrices = { weight: Reference; down: Reference; up: Reference; magnitude?: Reference };

/** W + scale · up · down, its rows at their magnitudes; `lengthOf` tells the length they have before. */
function merged64({ weight, down, up, magnitude }: Matrices, scale: number, lengths?: Float64Array): Reference {
  const [n, k] = weight.shape, r = down.shape[0];
  const out = reference([n, k], weight.data);
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < k; i++) {
      let low = 0;
      for (let t = 0; t < r; t++) low += up.data[j * r + t] * down.data[t * k + i];
      out.data[j * k + i] += scale * low;
    }
    if (!magnitude) continue;
    const row = out.data.subarray(j * k, (j + 1) * k);
    const length = lengths ? lengths[j] : Math.hypot(...row);
    row.forEach((x, i) => (row[i] = x * magnitude.data[j] / length));
  }
  return out;
}

function linear64(x: Reference, weight: Reference, bias?: Reference): Reference {
  const [n, k] = weight.shape;
  const out = reference([...x.shape.slice(0, -1), n]);
  for (let row = 0; row < x.data.length / k; row++) {
    for (let j = 0; j < n; j++) {
      let total = bias?.data[j] ?? 0;
      for (let i = 0; i < k; i++) total += x.data[row * k + i] * weight.data[j * k + i];
      out.data[row * n + j] = total;
    }
  }
  return out;
}

for (const [rows, k, n, r] of [[13, 7, 9, 3], [6, 8, 12, 4], [1, 1, 1, 1], [150, 16, 20, 8], [70001, 5, 3, 2]]) {
  familyCheck(`linear() with an adapter of rank ${r}: [${rows}, ${k}] to ${n}`, {
    inputs: { x: [rows, k], weight: [n, k], bias: [n], down: [r, k], up: [n, r] },
    gpu: ({ x, weight, bias, down, up }) => linear(x, { weight, bias, adapter: { down, up, scale: 1.75 } }),
    reference: ({ x, weight, bias, down, up }) => linear64(x, merged64({ weight, down, up }, 1.75), bias),
    atol: 1e-5,
  });
}

gpuTest("linear() with an adapter, a gate and a residual matches float64", (device) =>
  checkOp(device, {
    inputs: { x: [5, 3, 7], weight: [9, 7], down: [2, 7], up: [9, 2], gate: [5, 3, 9], residual: [5, 3, 9] },
    gpu: ({ x, weight, down, up, gate, residual }) =>
      linear(x, { weight, adapter: { down, up, scale: -0.5 } }, { gate, residual }),
    reference({ x, weight, down, up, gate, residual }) {
      const out = linear64(x, merged64({ weight, down, up }, -0.5));
      out.data.forEach((y, i) => (out.data[i] = y / (1 + Math.exp(-gate.data[i])) + residual.data[i]));
      return out;
    },
    atol: 1e-5,
  }));

gpuTest("linear() with an adapter before a gelu matches its merged weight", async (device) => {
  const params = adapted(device, { n: 9, k: 7, r: 3 });
  const x = device.tensor(randomArray(5 * 7, 7), [5, 7]);
  const expected = await linear(x, { weight: mergedWeight(params) }, { activation: "gelu" }).read();
  assert.deepEqual(await linear(x, params, { activation: "gelu" }).read(), expected);
});

/** The lengths of the rows of the first matrices it is given: a constant to the gradients of a magnitude's reference. */
function firstLengths(): (matrices: Matrices) => Float64Array {
  let found: Float64Array | undefined;
  return (matrices) => {
    const [n, k] = matrices.weight.shape;
    const { data } = merged64({ ...matrices, magnitude: undefined }, 1.5);
    return found ??= Float64Array.from({ length: n }, (_, j) => Math.hypot(...data.subarray(j * k, (j + 1) * k)));
  };
}

for (const [rows, k, n, r] of [[13, 7, 9, 3], [6, 8, 12, 4]]) {
  const inputs = { x: [rows, k], weight: [n, k], bias: [n], down: [r, k], up: [n, r], magnitude: [n] };
  const [lengthsOf, mergedLengthsOf] = [firstLengths(), firstLengths()];
  gpuTest(`linear() with magnitudes: [${rows}, ${k}] to ${n}`, (device) =>
    checkOp(device, {
      inputs,
      gpu: ({ x, weight, bias, down, up, magnitude }) =>
        linear(x, { weight, bias, adapter: { down, up, scale: 1.5, magnitude } }),
      reference: ({ x, weight, bias, down, up, magnitude }) => {
        const matrices = { weight, down, up, magnitude };
        return linear64(x, merged64(matrices, 1.5, lengthsOf(matrices)), bias);
      },
      atol: 3e-5,
    }));
  gpuTest(`mergedWeight() with magnitudes [${n}, ${k}]`, (device) =>
    checkOp(device, {
      inputs: { weight: [n, k], down: [r, k], up: [n, r], magnitude: [n] },
      gpu: ({ weight, down, up, magnitude }) => mergedWeight({ weight, adapter: { down, up, scale: 1.5, magnitude } }),
      reference: (matrices) => merged64(matrices, 1.5, mergedLengthsOf(matrices)),
      atol: 3e-5,
    }));
}

gpuTest("an adapter's dropout is of what the low rank sees, the same each time, and scaled", async (device) => {
  const params = adapted(device, { n: 9, k: 7, r: 3, dropout: { rate: 0.4, key: [5, 6] } });
  const { down, up, scale } = params.adapter!;
  const x = device.tensor(randomArray(5 * 7, 7), [5, 7]);
  const cotangent = device.tensor(randomArray(5 * 9, 8), [5, 9]);
  const loss = (p: LinearParams) => sum(multiply(linear(x, p), cotangent), { axes: [0, 1] });
  const { value, grads } = valueAndGrad(device, loss, params);
  const seen = dropout(x, { rate: 0.4, key: new Key(5, 6) });
  const wide = await linear(linear(seen, { weight: down }), { weight: up }).read();
  const plain = [...await linear(x, { weight: params.weight }).read()];
  const c = await cotangent.read();
  const expected = plain.reduce((total, y, i) => total + c[i] * (y + scale * wide[i]), 0);
  assertClose([await value.item()], [expected], { rtol: 1e-5, atol: 1e-5 });
  const again = valueAndGrad(device, loss, params);
  assert.deepEqual(await again.grads.adapter!.down!.read(), await grads.adapter!.down!.read());
  const dUp = await grads.adapter!.up!.read(), h = await linear(seen, { weight: down }).read();
  const first = Array.from({ length: 5 }, (_, row) => scale * c[row * 9 + 2] * h[row * 3 + 1]);
  assertClose([dUp[2 * 3 + 1]], [first.reduce((a, b) => a + b, 0)], { rtol: 1e-4, atol: 1e-5 });
});

function adapted(
  device: Device,
  { n, k, r, seed = 1, dropout }: { n: number; k: number; r: number; seed?: number; dropout?: Adapter["dropout"] },
): LinearParams {
  return {
    weight: device.tensor(randomArray(n * k, seed), [n, k]),
    adapter: {
      down: device.tensor(randomArray(r * k, seed + 1), [r, k]),
      up: device.tensor(randomArray(n * r, seed + 2), [n, r]),
      scale: 0.75,
      ...(dropout && { dropout }),
    },
  };
}

for (const [k, sizes, ranks] of [[8, [32, 16, 16, 48], [4, 0, 8, 0]], [7, [9, 4, 3], [3, 0, 2]]] as const) {
  familyCheck(`packedLinear() of [${sizes}] rows with adapters of ranks [${ranks}]`, {
    inputs: {
      x: [3, 50, k],
      ...Object.fromEntries(sizes.map((n, i) => [`w${i}`, [n, k]])),
      b1: [sizes[1]],
      ...Object.fromEntries(ranks.flatMap((r, i) => r ? [[`down${i}`, [r, k]], [`up${i}`, [sizes[i], r]]] : [])),
    } as Record<string, readonly number[]>,
    gpu: (t) =>
      packedLinear(
        t.x,
        sizes.map((_, i): LinearParams => ({
          weight: t[`w${i}`],
          bias: t[`b${i}`],
          ...(t[`down${i}`] && { adapter: { down: t[`down${i}`], up: t[`up${i}`], scale: 1 + i } }),
        })),
      ),
    reference(t) {
      const maps = sizes.map((_, i) =>
        linear64(
          t.x,
          ranks[i] ? merged64({ weight: t[`w${i}`], down: t[`down${i}`], up: t[`up${i}`] }, 1 + i) : t[`w${i}`],
          t[`b${i}`],
        )
      );
      const n = sizes.reduce<number>((a, b) => a + b, 0);
      const out = reference([3, 50, n]);
      for (let row = 0; row < 150; row++) {
        let at = row * n;
        maps.forEach(({ data }, i) => {
          out.data.set(data.subarray(row * sizes[i], (row + 1) * sizes[i]), at);
          at += sizes[i];
        });
      }
      return out;
    },
    atol: 1e-5,
  });
}

gpuTest("packed maps give the same bits, without a copy, and stay writable", async (device) => {
  const x = device.tensor(randomArray(3 * 8, 1), [3, 8]);
  const map = (rows: number, seed: number, bias: boolean): LinearParams => ({
    weight: device.tensor(randomArray(rows * 8, seed), [rows, 8]),
    ...(bias && { bias: device.tensor(randomArray(rows, seed + 1), [rows]) }),
  });
  const parts = [map(128, 2, false), map(128, 4, false), map(256, 6, true)];
  const packed = packLinears(parts);
  assert.deepEqual(await packedLinear(x, packed).read(), await packedLinear(x, parts).read());
  const dispatches = (f: () => void) => {
    const before = device.dispatches;
    f();
    return device.dispatches - before;
  };
  assert.equal(dispatches(() => packedLinear(x, packed)), 1);
  assert.equal(dispatches(() => packedLinear(x, packed.slice(0, 2))), 1);
  assert.ok(dispatches(() => packedLinear(x, [packed[1], packed[0], packed[2]])) > 1);
  for (const part of [packed[2], parts[2]]) {
    device.write(part.bias!, randomArray(256, 9));
    device.write(part.weight, randomArray(256 * 8, 10));
  }
  assert.deepEqual(await packedLinear(x, packed).read(), await packedLinear(x, parts).read());
  // Widths that no window can begin at are left as they are.
  const small = [map(3, 1, false), map(5, 2, false)];
  assert.equal(packLinears(small), small);
});

gpuTest("packed maps that are trained get the gradients of separate ones", async (device) => {
  const x = device.tensor(randomArray(3 * 8, 1), [3, 8]);
  const parts = [1, 2].map((seed) => ({ weight: device.tensor(randomArray(1024, seed), [128, 8]) }));
  const grads = (maps: readonly LinearParams[]) => {
    const back = pullback(device, (maps: readonly LinearParams[]) => packedLinear(x, maps), maps);
    return Promise.all(back.pullLeaves([device.tensor(randomArray(768, 3), [3, 256])]).map((g) => g!.read()));
  };
  assert.deepEqual(await grads(packLinears(parts)), await grads(parts));
});

gpuTest("frozen weights of adapted maps get no gradient, and what it would need is not held", (device) => {
  const params = adapted(device, { n: 64, k: 32, r: 4 });
  const x = device.tensor(randomArray(100 * 32, 7), [100, 32]);
  const run = (p: { x: Tensor; down?: Tensor; up?: Tensor }) =>
    linear(p.x, { ...params, adapter: { ...params.adapter!, ...p } });
  const kernelsOf = (primals: { x: Tensor; down?: Tensor; up?: Tensor }) => {
    const back = pullback(device, run, primals);
    const held = back.heldBytes;
    const before = device.dispatches;
    const grads = back.pullLeaves([device.zeros([100, 64])]);
    return { held, kernels: device.dispatches - before, count: grads.filter((g) => g).length };
  };
  const { down, up } = params.adapter!;
  const matrices = 4 * 64 * 32; // bytes of a weight
  assert.deepEqual(kernelsOf({ x }), { held: 2 * matrices, kernels: 1, count: 1 });
  const all = kernelsOf({ x, down, up });
  assert.equal(all.count, 3);
  assert.equal(all.held, 2 * matrices + x.bytes + down.bytes + up.bytes);
});

gpuTest("adapters that do not fit are refused, with their shapes", (device) => {
  const weight = device.zeros([5, 3]), x = device.zeros([2, 3]);
  const adapter = { down: device.zeros([2, 3]), up: device.zeros([5, 1]), scale: 1 };
  assert.throws(() => linear(x, { weight, adapter }), /weight \[5,3\]: down is \[2,3\], up is \[5,1\]/);
  assert.throws(() => mergedWeight({ weight, adapter }), /do not|does not fit/);
  assert.throws(() => packedLinear(x, [{ weight }, { weight, adapter }]), TypeError);
});
