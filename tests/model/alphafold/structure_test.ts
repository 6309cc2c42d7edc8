import assert from "node:assert/strict";
import { Device, Key, leaves, pullback, type Tensor, type Tree } from "../../../core/mod.ts";
import {
  angleResnet,
  type AngleResnetParams,
  angleResnetShapes,
  atom14ToAtom37,
  framesToAtom14,
  initStructureModule,
  invariantPointAttention,
  type InvariantPointAttentionParams,
  invariantPointAttentionShapes,
  residueTables,
  type StructureConfig,
  structureConfig,
  structureModule,
  type StructureModuleParams,
  structureModuleShapes,
  torsionAnglesToFrames,
} from "../../../model/alphafold/structure/mod.ts";
import { pointLogits } from "../../../model/alphafold/structure/_point_logits.ts";
import { pointLogits64, rigidGroups64 } from "../../../model/alphafold/structure/_probes.ts";
import { countParams, loadParams } from "../../../model/layers/params.ts";
import {
  ATOM14_EXISTS,
  ATOM14_GROUP,
  ATOM14_LOCAL_POSITIONS,
  ATOM14_TO_ATOM37,
  ATOM37_EXISTS,
  ATOM37_TO_ATOM14,
  quaternionFromRotation,
  RIGID_GROUP_DEFAULT_FRAMES,
} from "../../../model/protein/mod.ts";
import { applied, composed } from "../../../ops/_battery/frames.ts";
import { framesFromQuaternions, normalizeQuaternions, where } from "../../../ops/mod.ts";
import { assertClose, checkOp, gpuTest, randomArray, reference } from "../../_gpu.ts";

const SMALL: StructureConfig = structureConfig({
  ...{ cS: 12, cZ: 10, cIpa: 6, cResnet: 9, nHeadIpa: 3, nQkPoints: 4, nVPoints: 5, nBlock: 3 },
});

const numbers = (device: Device, shape: readonly number[], seed: number, scale = 1) =>
  device.tensor(randomArray(shape.reduce((a, b) => a * b, 1), seed).map((x) => x * scale), shape);

/** Parameters none of which is at its beginning. */
function randomParams<P>(device: Device, shapes: Parameters<typeof loadParams>[1], seed: number): P {
  let next = seed;
  return loadParams(device, shapes, (path, shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const scale = shape.length === 1 ? 0.3 : 1.5 / Math.sqrt(shape.at(-1)!);
    const offset = path.endsWith("ayerNorm.weight") || /ayerNorm\w*\.weight/.test(path) ? 1 : 0;
    return randomArray(size, next++).map((x) => x * scale + offset);
  }) as P;
}

function structureInputs(device: Device, { cS, cZ }: StructureConfig, batch: number, n: number, seed = 1) {
  return {
    s: numbers(device, [batch, n, cS], seed),
    z: numbers(device, [batch, n, n, cZ], seed + 1),
    aatype: device.tensor(Int32Array.from({ length: batch * n }, (_, i) => (5 * i + 3) % 21), [batch, n], "i32"),
  };
}

// Point logits

for (
  const [batch, heads, n, channels, points] of [[1, 3, 5, 6, 3], [2, 1, 7, 8, 4], [1, 2, 1, 1, 1], [2, 1, 8, 16, 4], [
    1,
    1,
    13,
    5,
    2,
  ]]
) {
  for (const masked of [true, false]) {
    gpuTest(
      `pointLogits() of ${batch} × ${heads} × ${n}, ${channels} channels, ${points} points, ${
        masked ? "" : "un"
      }masked, matches float64`,
      (device) => {
        const mask = Float32Array.from({ length: batch * n }, (_, i) => (i % 3 === 2 ? 0 : 1));
        const real = Float32Array.from({ length: batch * heads * n * n }, (_, at) => {
          const example = Math.floor(at / n / n / heads) * n;
          return mask[example + at % n] * mask[example + Math.floor(at / n) % n];
        });
        return checkOp(device, {
          inputs: {
            ...{ q: [batch, heads, n, channels], k: [batch, heads, n, channels] },
            ...{ qPoints: [batch, heads, n, points, 3], kPoints: [batch, heads, n, points, 3] },
            ...{ weights: [heads], bias: [batch, heads, n, n] },
          },
          // What is masked is left out: beside -1e5 slopes would drown.
          gpu: (inputs) => {
            if (!masked) return pointLogits({ ...inputs, mask: undefined }, 0.37);
            const logits = pointLogits({ ...inputs, mask: device.tensor(mask, [batch, n]) }, 0.37);
            return where(device.tensor(real, [batch, heads, n, n]), logits, device.zeros([]));
          },
          reference: ({ q, k, qPoints, kPoints, weights, bias }) => {
            const numbers = { q, k, qPoints, kPoints, weights, bias };
            const data = Object.fromEntries(Object.entries(numbers).map(([name, { data }]) => [name, data]));
            const all = pointLogits64(data, { n, heads, first: 0, scale: 0.37, inf: 0 });
            return reference(bias.shape, all.map((logit, at) => (masked && !real[at] ? 0 : logit)));
          },
        });
      },
    );
  }
}

gpuTest("pointLogits() keeps its digits far from the origin", async (device) => {
  const far = 4096, near = [0, 0.0009765625]; // a step of float32 at 4096 is 0.00048828125
  const points = device.tensor([far, far, far, far + near[1], far, far], [1, 1, 2, 1, 3]);
  const zeros = device.zeros([1, 1, 2, 1]);
  const inputs = { q: zeros, k: zeros, qPoints: points, kPoints: points, mask: undefined };
  const logits = pointLogits(
    { ...inputs, weights: device.tensor([2], [1]), bias: device.zeros([1, 1, 2, 2]) },
    1,
  );
  assert.deepEqual([...await logits.read()], [0, -(near[1] ** 2), -(near[1] ** 2), 0].map((x) => x + 0));
});

gpuTest("pointLogits() takes 1e5 from masked pairs", async (device) => {
  const [batch, heads, n] = [2, 2, 5];
  const inputs = {
    ...{ q: numbers(device, [batch, heads, n, 3], 1), k: numbers(device, [batch, heads, n, 3], 2) },
    ...{ qPoints: numbers(device, [batch, heads, n, 2, 3], 3), kPoints: numbers(device, [batch, heads, n, 2, 3], 4) },
    ...{ weights: numbers(device, [heads], 5), bias: numbers(device, [batch, heads, n, n], 6) },
  };
  const mask = [1, 1, 0, 1, 1, 0, 1, 1, 1, 0];
  const all = await pointLogits({ ...inputs, mask: undefined }, 1).read();
  const some = await pointLogits({ ...inputs, mask: device.tensor(mask, [batch, n]) }, 1).read();
  all.forEach((logit, at) => {
    const b = Math.floor(at / heads / n / n) * n;
    const counts = mask[b + at % n] * mask[b + Math.floor(at / n) % n];
    assertClose([some[at]], [counts ? logit : logit - 1e5], { rtol: 0, atol: counts ? 1e-6 : 1 / 64 });
  });
});

gpuTest("pointLogits() goes through windows of heads to the same bits, there and back", async (device) => {
  const [batch, heads, n] = [2, 4, 24];
  const shapes = {
    ...{ q: [batch, heads, n, 8], k: [batch, heads, n, 8], qPoints: [batch, heads, n, 4, 3] },
    ...{ kPoints: [batch, heads, n, 4, 3], weights: [heads], bias: [batch, heads, n, n] },
  };
  const run = async (own: Device) => {
    using scope = own.scope("test");
    void scope;
    const inputs = Object.fromEntries(
      Object.entries(shapes).map(([name, shape], i) => [name, numbers(own, shape, i + 1)]),
    ) as Record<keyof typeof shapes, Tensor>;
    const mask = own.tensor(Float32Array.from({ length: batch * n }, (_, i) => (i % 5 ? 1 : 0)), [batch, n]);
    const back = pullback(own, (given: typeof inputs) => pointLogits({ ...given, mask }, 0.5), inputs);
    const grads = back.pullLeaves([numbers(own, [batch, heads, n, n], 9)]);
    return await Promise.all([back.output, ...grads].map((tensor) => tensor!.read()));
  };
  const whole = await run(device);
  const narrow = new Device(device.gpu, { ...device.traits, maxBindingBytes: 8 * 1024 });
  assert.deepEqual(await run(narrow), whole);
});

// Atoms

/** Frames of groups at torsion 0 without their last rows. */
const AT_REST = Float64Array.from(RIGID_GROUP_DEFAULT_FRAMES.filter((_, i) => i % 16 < 12));

for (const [batch, n] of [[1, 21], [3, 5], [1, 1]]) {
  const aatype = Int32Array.from({ length: batch * n }, (_, i) => (i * 8) % 21);

  gpuTest(`torsionAnglesToFrames() of ${batch} × ${n} residues matches float64`, (device) =>
    checkOp(device, {
      inputs: { backbone: [batch, n, 3, 4], angles: [batch, n, 7, 2] },
      gpu: ({ backbone, angles }) =>
        torsionAnglesToFrames(backbone, angles, device.tensor(aatype, [batch, n], "i32"), residueTables(device)),
      reference: ({ backbone, angles }) => {
        const frames = Array.from(aatype, (type, i) => {
          const bone = backbone.data.subarray(i * 12, i * 12 + 12), own = angles.data.subarray(i * 14, i * 14 + 14);
          return rigidGroups64(bone, own, AT_REST.subarray(type * 96, type * 96 + 96));
        });
        return reference([batch, n, 8, 3, 4], frames.flat());
      },
    }));

  gpuTest(`framesToAtom14() of ${batch} × ${n} residues matches float64`, (device) =>
    checkOp(device, {
      inputs: { frames: [batch, n, 8, 3, 4] },
      gpu: ({ frames }) => framesToAtom14(frames, device.tensor(aatype, [batch, n], "i32"), residueTables(device)),
      reference: ({ frames }) => {
        const out = reference([batch, n, 14, 3]);
        aatype.forEach((type, residue) => {
          for (let slot = 0; slot < 14; slot++) {
            const entry = type * 14 + slot, at = (residue * 8 + ATOM14_GROUP[entry]) * 12;
            const place = ATOM14_LOCAL_POSITIONS.subarray(3 * entry, 3 * entry + 3);
            const global = applied(frames.data.subarray(at, at + 12), [...place]);
            out.data.set(global.map((x) => x * ATOM14_EXISTS[entry]), (residue * 14 + slot) * 3);
          }
        });
        return out;
      },
    }));

  gpuTest(`atom14ToAtom37() of ${batch} × ${n} residues matches float64, and names agree`, async (device) => {
    const wide = (table: ArrayLike<number>) =>
      Float32Array.from({ length: batch * n * 37 }, (_, i) => table[aatype[Math.floor(i / 37)] * 37 + i % 37]);
    const slots = device.tensor(wide(ATOM37_TO_ATOM14), [batch, n, 37], "i32");
    const exists = device.tensor(wide(ATOM37_EXISTS), [batch, n, 37]);
    await checkOp(device, {
      inputs: { positions: [batch, n, 14, 3] },
      gpu: ({ positions }) => atom14ToAtom37(positions, slots, exists),
      reference: ({ positions }) => {
        const out = reference([batch, n, 37, 3]);
        aatype.forEach((type, residue) => {
          for (let slot = 0; slot < 14; slot++) {
            if (!ATOM14_EXISTS[type * 14 + slot]) continue;
            const at = (residue * 14 + slot) * 3;
            const to = (residue * 37 + ATOM14_TO_ATOM37[type * 14 + slot]) * 3;
            out.data.set(positions.data.subarray(at, at + 3), to);
          }
        });
        return out;
      },
    });
  });
}

gpuTest("angleResnet() gives pairs of length 1, and numbers where both are 0", async (device) => {
  const shapes = angleResnetShapes(SMALL);
  const params = randomParams<AngleResnetParams>(device, shapes, 11);
  const s = numbers(device, [2, 5, SMALL.cS], 1);
  const { angles, unnormalizedAngles } = angleResnet(params, s, numbers(device, [2, 5, SMALL.cS], 2));
  const [unit, raw] = [await angles.read(), await unnormalizedAngles.read()];
  for (let i = 0; i < unit.length; i += 2) {
    assertClose([Math.hypot(unit[i], unit[i + 1])], [1], { rtol: 1e-6 });
    assertClose([Math.atan2(unit[i], unit[i + 1])], [Math.atan2(raw[i], raw[i + 1])], { atol: 1e-5 });
  }
  const silent = loadParams(device, shapes, (_, shape) => new Float32Array(shape.reduce((a, b) => a * b, 1)));
  const zero = angleResnet(silent as AngleResnetParams, s, s);
  assert.deepEqual([...await zero.angles.read()], new Array(140).fill(0));
});

// Invariant point attention

const softmax64 = (logits: readonly number[]) => {
  const top = Math.max(...logits);
  const exps = logits.map((x) => Math.exp(x - top));
  const whole = exps.reduce((a, b) => a + b, 0);
  return exps.map((x) => x / whole);
};

/** Suppl. Alg. 22 in float64, one example, as plainly as can be. */
async function attention64(
  params: InvariantPointAttentionParams,
  { s, z, frames, mask }: { s: Tensor; z: Tensor; frames: Tensor; mask: Tensor },
  { cS, cZ, cIpa: c, nHeadIpa: H, nQkPoints: P, nVPoints: V }: StructureConfig,
): Promise<number[]> {
  const n = s.shape[1];
  const [S, Z, T, M] = await Promise.all([s, z, frames, mask].map(async (x) => Float64Array.from(await x.read())));
  const map = async ({ weight, bias }: { weight: Tensor; bias?: Tensor }) => {
    const [W, B] = [await weight.read(), bias ? await bias.read() : null];
    const [out, width] = weight.shape;
    return (row: ArrayLike<number>) =>
      Array.from({ length: out }, (_, o) => {
        let sum = B?.[o] ?? 0;
        for (let i = 0; i < width; i++) sum += W[o * width + i] * row[i];
        return sum;
      });
  };
  const of = (x: Float64Array, width: number, row: number) => x.subarray(row * width, (row + 1) * width);
  const each = async (linear: { weight: Tensor; bias?: Tensor }) => {
    const f = await map(linear);
    return Array.from({ length: n }, (_, i) => f(of(S, cS, i)));
  };
  const Q = await each(params.linearQ), KV = await each(params.linearKv);
  const QP = await each(params.linearQPoints.linear), KVP = await each(params.linearKvPoints.linear);
  const bias = await map(params.linearB), gamma = await params.headWeights.read();
  const point = (projected: number[], count: number, i: number, h: number, p: number) =>
    applied(of(T, 12, i), [0, 1, 2].map((axis) => projected[axis * H * count + h * count + p]));
  const out = await map(params.linearOut);
  return Array.from({ length: n }, (_, i) => {
    const o: number[] = [], coordinates: number[][] = [], lengths: number[] = [], pairs: number[] = [];
    for (let h = 0; h < H; h++) {
      const weight = Math.log1p(Math.exp(gamma[h])) * Math.sqrt(2 / (9 * P)) / 2;
      const a = softmax64(Array.from({ length: n }, (_, j) => {
        let product = 0, distance = 0;
        for (let d = 0; d < c; d++) product += Q[i][h * c + d] * KV[j][2 * h * c + d];
        for (let p = 0; p < P; p++) {
          const [x, y] = [point(QP[i], P, i, h, p), point(KVP[j], P + V, j, h, p)];
          distance += x.reduce((sum, value, axis) => sum + (value - y[axis]) ** 2, 0);
        }
        return Math.sqrt(1 / 3) * (product / Math.sqrt(c) + bias(of(Z, cZ, i * n + j))[h] - weight * distance) +
          1e5 * (M[i] * M[j] - 1);
      }));
      for (let d = 0; d < c; d++) o.push(a.reduce((sum, w, j) => sum + w * KV[j][2 * h * c + c + d], 0));
      for (let d = 0; d < cZ; d++) pairs.push(a.reduce((sum, w, j) => sum + w * Z[(i * n + j) * cZ + d], 0));
      for (let p = 0; p < V; p++) {
        const global = [0, 1, 2].map((axis) =>
          a.reduce((sum, w, j) => sum + w * point(KVP[j], P + V, j, h, P + p)[axis], 0)
        );
        const frame = of(T, 12, i);
        const moved = global.map((x, axis) => x - frame[4 * axis + 3]);
        const local = [0, 1, 2].map((axis) => moved.reduce((sum, x, r) => sum + frame[4 * r + axis] * x, 0));
        coordinates.push(local);
        lengths.push(Math.sqrt(local.reduce((sum, x) => sum + x * x, 1e-8)));
      }
    }
    return out([...o, ...[0, 1, 2].flatMap((axis) => coordinates.map((x) => x[axis])), ...lengths, ...pairs]);
  }).flat();
}

const randomFrames = (device: Device, batch: number, n: number, seed: number) =>
  framesFromQuaternions(
    normalizeQuaternions(numbers(device, [batch, n, 4], seed)),
    numbers(device, [batch, n, 3], seed + 1, 3),
  );

gpuTest("invariantPointAttention() matches float64, masked residues apart", async (device) => {
  const n = 7;
  for (const config of [SMALL, structureConfig({ ...SMALL, cIpa: 4, nVPoints: 4 })]) {
    const params = randomParams<InvariantPointAttentionParams>(device, invariantPointAttentionShapes(config), 5);
    const { s, z } = structureInputs(device, config, 1, n);
    const frames = randomFrames(device, 1, n, 3);
    const mask = device.tensor([1, 1, 1, 0, 1, 1, 0], [1, n]);
    const expected = await attention64(params, { s, z, frames, mask }, config);
    const update = [...await invariantPointAttention(params, s, { z, frames, mask }, config).read()];
    const real = (x: number[]) => x.filter((_, i) => ![3, 6].includes(Math.floor(i / config.cS)));
    assertClose(real(update), real(expected), { rtol: 1e-4, atol: 1e-5 });
  }
});

gpuTest("invariantPointAttention() does not change when all residues are moved together", async (device) => {
  const n = 9;
  const params = randomParams<InvariantPointAttentionParams>(device, invariantPointAttentionShapes(SMALL), 5);
  const { s, z } = structureInputs(device, SMALL, 2, n);
  const quaternions = normalizeQuaternions(numbers(device, [2, n, 4], 3));
  const translations = numbers(device, [2, n, 3], 4, 3);
  const frames = framesFromQuaternions(quaternions, translations);
  const before = await invariantPointAttention(params, s, { z, frames }, SMALL).read();
  const turn = [0.5, -0.5, 0.5, 0.5]; // of length 1
  const move = await framesFromQuaternions(device.tensor(turn, [4]), device.tensor([30, -20, 50], [3])).read();
  const moved = (await frames.read()) as Float32Array;
  const together = Array.from({ length: 2 * n }, (_, i) => composed(move, moved.subarray(12 * i, 12 * i + 12))).flat();
  const after = await invariantPointAttention(
    params,
    s,
    { z, frames: device.tensor(together, [2, n, 3, 4]) },
    SMALL,
  ).read();
  assertClose(after, before, { rtol: 1e-4, atol: 2e-4 });
});

// The module

gpuTest("structureModule() of a batch is that of each example, and padding changes nothing", async (device) => {
  const params = randomParams<StructureModuleParams>(device, structureModuleShapes(SMALL), 21);
  const n = 6, padded = 4;
  const inputs = structureInputs(device, SMALL, 2, n);
  const mask = new Float32Array(2 * n).fill(1).fill(0, n + padded);
  const both = structureModule(params, { ...inputs, mask: device.tensor(mask, [2, n]) }, SMALL);
  const take = async (x: Tensor, b: number, count: number) => {
    const all = await x.read();
    const width = x.size / 2 / n;
    return Array.from(all.slice(b * n * width, (b * n + count) * width));
  };
  const first = structureInputs(device, SMALL, 2, n);
  const data = await Promise.all([first.s, first.z, first.aatype].map((x) => x.read()));
  for (const [b, count] of [[0, n], [1, padded]]) {
    const { cS, cZ } = SMALL;
    const z = data[1].slice(b * n * n * cZ, (b + 1) * n * n * cZ);
    const cut = Array.from({ length: count * count * cZ }, (_, at) => {
      const c = at % cZ, pair = Math.floor(at / cZ), i = Math.floor(pair / count), j = pair % count;
      return z[(i * n + j) * cZ + c];
    });
    const own = structureModule(params, {
      s: device.tensor(data[0].slice(b * n * cS, (b * n + count) * cS), [1, count, cS]),
      z: device.tensor(cut, [1, count, count, cZ]),
      aatype: device.tensor(data[2].slice(b * n, b * n + count), [1, count], "i32"),
    }, SMALL);
    for (const name of ["positions", "frames", "sidechainFrames", "angles", "unnormalizedAngles", "state"] as const) {
      for (let block = 0; block < SMALL.nBlock; block++) {
        const expected = await own.trajectory[block][name].read();
        const actual = await take(both.trajectory[block][name], b, count);
        assertClose(actual, expected, { rtol: 1e-4, atol: 2e-4 }, `${name} of example ${b}, iteration ${block}`);
      }
    }
  }
});

gpuTest("structureModule() without a trajectory ends with the same atoms", async (device) => {
  const params = randomParams<StructureModuleParams>(device, structureModuleShapes(SMALL), 21);
  const inputs = structureInputs(device, SMALL, 1, 5);
  const all = structureModule(params, inputs, SMALL);
  const last = structureModule(params, inputs, SMALL, { trajectory: false });
  assert.equal(all.trajectory.length, SMALL.nBlock);
  assert.equal(last.trajectory.length, 1);
  assert.deepEqual(await last.last.positions.read(), await all.last.positions.read());
  assert.deepEqual(await last.single.read(), await all.trajectory[SMALL.nBlock - 1].state.read());
});

gpuTest("structureModule() that computes again has the same gradients to the bit, with dropout too", async (device) => {
  const params = randomParams<StructureModuleParams>(device, structureModuleShapes(SMALL), 21);
  const { aatype, ...inputs } = structureInputs(device, SMALL, 1, 5);
  const grads = async (recompute: boolean) => {
    const key = Key.fromSeed(4);
    const back = pullback(
      device,
      ({ params, inputs }: { params: StructureModuleParams; inputs: { s: Tensor; z: Tensor } }): Tree<Tensor> => {
        const { trajectory, single } = structureModule(params, { ...inputs, aatype }, SMALL, { key, recompute });
        return { single, trajectory: trajectory.map(({ state: _, ...atoms }) => atoms) };
      },
      { params, inputs },
    );
    const found = back.pullLeaves(leaves<Tensor>(back.output).map(({ shape }, i) => numbers(device, shape, i + 1)));
    const read = [];
    for (const tensor of found) read.push(await tensor!.read());
    return { read, heldBytes: back.heldBytes };
  };
  const [kept, again] = [await grads(false), await grads(true)];
  assert.deepEqual(again.read, kept.read);
  assert(again.heldBytes < kept.heldBytes);
  assert(kept.read.every((grad) => grad.every(Number.isFinite)));
});

gpuTest("dropout changes the structure, by its key", async (device) => {
  const params = randomParams<StructureModuleParams>(device, structureModuleShapes(SMALL), 21);
  const inputs = structureInputs(device, SMALL, 1, 5);
  const run = (seed?: number) =>
    structureModule(params, inputs, SMALL, seed === undefined ? {} : { key: Key.fromSeed(seed) }).last.positions.read();
  const [none, a, again, b] = [await run(), await run(1), await run(1), await run(2)];
  assert.deepEqual(a, again);
  assert.notDeepEqual(a, none);
  assert.notDeepEqual(a, b);
});

gpuTest("gradients do not flow through rotations to earlier iterations", async (device) => {
  // The first iteration's rotations reach the loss of the last one's states through frames alone.
  const config = structureConfig({ ...SMALL, nBlock: 2 });
  const params = randomParams<StructureModuleParams>(device, structureModuleShapes(config), 21);
  const inputs = structureInputs(device, config, 1, 5);
  const { grads } = (() => {
    const back = pullback(
      device,
      (bbUpdate: StructureModuleParams["bbUpdate"]) => structureModule({ ...params, bbUpdate }, inputs, config).single,
      params.bbUpdate,
    );
    return { grads: back.pullLeaves([numbers(device, back.output.shape, 3)]) };
  })();
  // Of the biases there is no gradient but rounding: they move all residues by the same, which no attention sees.
  const weight = await grads[0]!.read(), half = weight.length / 2;
  assert(weight.slice(0, half).every((x) => x === 0)); // of the quaternions
  assert(weight.slice(half).every((x) => Math.abs(x) > 1e-3)); // of the translations
});

gpuTest("structureModule() whose pairs no kernel sees whole computes the same", async (device) => {
  const config = structureConfig({ ...SMALL, cZ: 64, nBlock: 2 });
  const run = async (own: Device) => {
    using scope = own.scope("test");
    void scope;
    const params = randomParams<StructureModuleParams>(own, structureModuleShapes(config), 21);
    const { aatype, ...inputs } = structureInputs(own, config, 1, 16);
    const back = pullback(
      own,
      (inputs: { s: Tensor; z: Tensor }) => structureModule(params, { ...inputs, aatype }, config).last.positions,
      inputs,
    );
    const grads = back.pullLeaves([numbers(own, back.output.shape, 3)]);
    return [await back.output.read(), ...await Promise.all(grads.map((grad) => grad!.read()))];
  };
  const whole = await run(device);
  const narrow = await run(new Device(device.gpu, { ...device.traits, maxBindingBytes: 32 * 1024 })); // z is 64 KiB
  for (const [i, numbers] of whole.entries()) assertClose(narrow[i], numbers, { rtol: 1e-5, atol: 1e-5 });
});

gpuTest("a fresh structure module leaves residues where they are", async (device) => {
  const params = initStructureModule(device, SMALL, Key.fromSeed(2));
  const { last } = structureModule(params, structureInputs(device, SMALL, 1, 4), SMALL);
  assert.deepEqual([...await last.frames.read()], new Array(4).fill([1, 0, 0, 0, 0, 0, 0]).flat());
});

Deno.test("the structure module has AlphaFold's number of parameters", () => {
  assert.equal(countParams(structureModuleShapes(structureConfig())), 2_019_116);
});

gpuTest("the structure module refuses what does not fit, by name", (device) => {
  const params = initStructureModule(device, SMALL, Key.fromSeed(2));
  const inputs = structureInputs(device, SMALL, 1, 4);
  const run = (other: Partial<Record<"s" | "z" | "aatype" | "mask", Tensor>>) => () =>
    structureModule(params, { ...inputs, ...other }, SMALL);
  assert.throws(run({ s: device.zeros([1, 4, 11]) }), /structureModule: s must be \[batch, N_res, 12\]/);
  assert.throws(run({ z: device.zeros([1, 4, 5, 10]) }), /structureModule: z must be \[1, 4, 4, 10\]/);
  assert.throws(run({ aatype: device.zeros([1, 4]) }), /aatype must be \[1, 4\].*numbers are f32 instead of i32/);
  assert.throws(run({ mask: device.zeros([4]) }), /mask must be \[1, 4\]/);
  assert.throws(() => structureConfig({ nBlock: 0 }), /nBlock must be a positive integer, got 0/);
  assert.throws(() => structureConfig({ dropout: 1 }), /dropout must be at least 0 and below 1, got 1/);
  assert.throws(() => structureConfig({ transScale: -1 }), /transScale must be above 0, got -1/);
});

Deno.test("quaternions of rotations come by the largest component", () => {
  for (const [w, x, y, z] of [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0.5, -0.5, 0.5, -0.5]]) {
    const rotation = [
      ...[w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
      ...[2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
      ...[2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
    ];
    assertClose(quaternionFromRotation(rotation), [w, x, y, z], { atol: 1e-12 });
  }
});
