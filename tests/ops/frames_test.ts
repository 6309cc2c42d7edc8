import assert from "node:assert/strict";
import { sizeOf } from "../../core/mod.ts";
import {
  applyFrames,
  composeFrames,
  framesFromMatrices,
  framesFromQuaternions,
  framesFromSeven,
  framesFromThreePoints,
  invertApplyFrames,
  invertFrames,
  matricesFromFrames,
  multiplyQuaternions,
  normalizeQuaternions,
  updateQuaternions,
  updateTranslations,
} from "../../ops/mod.ts";
import { FRAMES64 } from "../../ops/_battery/frames.ts";
import { checkOp, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";

/** Applies an op in float64 to items whose axes before broadcast; inputs by name, and the size of an item of each. */
function each(
  op: keyof typeof FRAMES64,
  last: readonly number[],
  given: Readonly<Record<string, readonly [Reference, item: number]>>,
  parameters: Readonly<Record<string, number>> = {},
): Reference {
  const inputs = Object.values(given);
  const lead = inputs.map(([{ shape }, item]) => {
    const axes = [...shape];
    for (let size = 1; size < item;) size *= axes.pop()!;
    return axes;
  });
  const rank = Math.max(...lead.map(({ length }) => length));
  const padded = lead.map((axes) => [...new Array(rank - axes.length).fill(1), ...axes]);
  const batch = Array.from({ length: rank }, (_, axis) => Math.max(...padded.map((axes) => axes[axis])));
  const out = reference([...batch, ...last]);
  for (let i = 0; i < sizeOf(batch); i++) {
    let rest = i;
    const coordinates = batch.toReversed().map((n) => {
      const at = rest % n;
      rest = Math.floor(rest / n);
      return at;
    }).reverse();
    const items = Object.keys(given).map((name, k) => {
      const [{ data }, item] = given[name];
      const at = padded[k].reduce((flat, n, axis) => flat * n + (n === 1 ? 0 : coordinates[axis]), 0);
      return [name, Array.from(data.subarray(at * item, (at + 1) * item))];
    });
    out.data.set(FRAMES64[op](Object.fromEntries(items), parameters), i * sizeOf(last));
  }
  return out;
}

for (
  const [left, right] of [
    [[13], [13]],
    [[1], [1]],
    [[7, 1], [7, 5]],
    [[5, 3], [3]],
    [[2, 1, 3], [1, 5, 1]],
  ] as const
) {
  gpuTest(`composeFrames() matches float64 for [${left}] and [${right}] frames`, (device) =>
    checkOp(device, {
      inputs: { a: [...left, 3, 4], b: [...right, 3, 4] },
      gpu: ({ a, b }) => composeFrames(a, b),
      reference: ({ a, b }) => each("composeFrames", [3, 4], { a: [a, 12], b: [b, 12] }),
    }));

  gpuTest(`applyFrames() matches float64 for [${left}] frames and [${right}] points`, (device) =>
    checkOp(device, {
      inputs: { frames: [...left, 3, 4], points: [...right, 3] },
      gpu: ({ frames, points }) => applyFrames(frames, points),
      reference: ({ frames, points }) => each("applyFrames", [3], { frames: [frames, 12], points: [points, 3] }),
    }));

  gpuTest(
    `invertApplyFrames() matches float64 for [${left}] frames and [${right}] points`,
    (device) =>
      checkOp(device, {
        inputs: { frames: [...left, 3, 4], points: [...right, 3] },
        gpu: ({ frames, points }) => invertApplyFrames(frames, points),
        reference: ({ frames, points }) =>
          each("invertApplyFrames", [3], { frames: [frames, 12], points: [points, 3] }),
      }),
  );

  gpuTest(
    `multiplyQuaternions() matches float64 for [${left}] and [${right}] quaternions`,
    (device) =>
      checkOp(device, {
        inputs: { a: [...left, 4], b: [...right, 4] },
        gpu: ({ a, b }) => multiplyQuaternions(a, b),
        reference: ({ a, b }) => each("multiplyQuaternions", [4], { a: [a, 4], b: [b, 4] }),
      }),
  );

  gpuTest(
    `framesFromQuaternions() matches float64 for [${left}] quaternions, [${right}] translations`,
    (device) =>
      checkOp(device, {
        inputs: { quaternions: [...left, 4], translations: [...right, 3] },
        gpu: ({ quaternions, translations }) => framesFromQuaternions(quaternions, translations),
        reference: ({ quaternions, translations }) =>
          each("framesFromQuaternions", [3, 4], { quaternions: [quaternions, 4], translations: [translations, 3] }),
      }),
  );

  gpuTest(`updates of quaternions and translations match float64 for [${left}] and [${right}]`, async (device) => {
    await checkOp(device, {
      inputs: { quaternions: [...left, 4], updates: [...right, 6] },
      fill: { quaternions: (i) => randomArray(1, i)[0] + (i % 4 === 0 ? 2 : 0) },
      gpu: ({ quaternions, updates }) => updateQuaternions(quaternions, updates),
      reference: ({ quaternions, updates }) =>
        each("updateQuaternions", [4], { quaternions: [quaternions, 4], updates: [updates, 6] }),
    });
    await checkOp(device, {
      inputs: { translations: [...right, 3], quaternions: [...left, 4], updates: [...right, 6] },
      gpu: ({ translations, quaternions, updates }) => updateTranslations(translations, quaternions, updates),
      reference: ({ translations, quaternions, updates }) =>
        each("updateTranslations", [3], {
          ...{ translations: [translations, 3], quaternions: [quaternions, 4], updates: [updates, 6] },
        }),
    });
  });
}

for (const n of [1, 11]) {
  gpuTest(`invertFrames() matches float64 for ${n} frames`, (device) =>
    checkOp(device, {
      inputs: { frames: [n, 3, 4] },
      gpu: ({ frames }) => invertFrames(frames),
      reference: ({ frames }) => each("invertFrames", [3, 4], { frames: [frames, 12] }),
    }));
}

gpuTest("frames more than there are workgroups on an axis are all applied", async (device) => {
  const n = 64 * 65_535 + 3;
  const frame = [0, -1, 0, 5, 1, 0, 0, 6, 0, 0, 1, 7];
  const points = Float32Array.from({ length: 3 * n }, (_, i) => i % 1021);
  const moved = await applyFrames(device.tensor(frame, [3, 4]), device.tensor(points, [n, 3])).read();
  const wrong = moved.findIndex((value, i) => {
    const p = points.subarray(i - i % 3, i - i % 3 + 3);
    return value !== [5 - p[1], 6 + p[0], 7 + p[2]][i % 3];
  });
  assert.equal(wrong, -1);
});

gpuTest("normalizeQuaternions() matches float64", (device) =>
  checkOp(device, {
    inputs: { quaternions: [3, 5, 4] },
    gpu: ({ quaternions }) => normalizeQuaternions(quaternions),
    reference: ({ quaternions }) => each("normalizeQuaternions", [4], { quaternions: [quaternions, 4] }),
  }));

for (const xAxis of ["towards", "away"] as const) {
  gpuTest(`framesFromThreePoints() with the x axis ${xAxis} matches float64`, (device) =>
    checkOp(device, {
      inputs: { x1: [11, 3], x2: [11, 3], x3: [11, 3] },
      // x3, x2 and x1 some 1.5 apart, far from a line
      fill: {
        x1: (i) => [0, 1.4, 0.2][i % 3] + 0.3 * randomArray(1, i)[0],
        x2: (i) => 0.3 * randomArray(1, i + 50)[0],
        x3: (i) => [1.5, 0.3, -0.4][i % 3] + 0.3 * randomArray(1, i + 100)[0],
      },
      gpu: ({ x1, x2, x3 }) => framesFromThreePoints(x1, x2, x3, { xAxis, eps: 1e-3 }),
      reference: ({ x1, x2, x3 }) =>
        each("framesFromThreePoints", [3, 4], { x1: [x1, 3], x2: [x2, 3], x3: [x3, 3] }, {
          ...{ sign: xAxis === "towards" ? 1 : -1, eps: 1e-3 },
        }),
    }));
}

gpuTest("framesFromThreePoints() gives numbers, and gradients, for points that coincide", async (device) => {
  const point = device.tensor([1, 2, 3], [3]);
  const frame = await framesFromThreePoints(point, point, point).read();
  assert.deepEqual([...frame], [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
});

gpuTest("a point far from the origin keeps its place in a frame that is far too", async (device) => {
  const frame = device.tensor([1, 0, 0, 4096, 0, 1, 0, -4096, 0, 0, 1, 8192], [3, 4]);
  const local = [0.0009765625, -0.001953125, 0.0029296875]; // whole steps of float32 at 8192
  const point = device.tensor([4096 + local[0], -4096 + local[1], 8192 + local[2]], [3]);
  assert.deepEqual([...await invertApplyFrames(frame, point).read()], local);
});

gpuTest("frames, matrices and seven numbers stand for each other, there and back", async (device) => {
  await checkOp(device, {
    inputs: { matrices: [2, 3, 4, 4] },
    gpu: ({ matrices }) => framesFromMatrices(matrices),
    reference: ({ matrices }) => reference([2, 3, 3, 4], matrices.data.filter((_, i) => i % 16 < 12)),
  });
  await checkOp(device, {
    inputs: { frames: [5, 3, 4] },
    gpu: ({ frames }) => matricesFromFrames(frames),
    reference: ({ frames }) => {
      const element = (i: number) => i % 16 < 12 ? frames.data[12 * Math.floor(i / 16) + i % 16] : Number(i % 4 === 3);
      return reference([5, 4, 4], Array.from({ length: 80 }, (_, i) => element(i)));
    },
  });
  await checkOp(device, {
    inputs: { seven: [3, 2, 7] },
    gpu: ({ seven }) => framesFromSeven(seven),
    reference: ({ seven }) => {
      const part = (from: number, to: number) =>
        reference([3, 2, to - from], seven.data.filter((_, i) => i % 7 >= from && i % 7 < to));
      return each("framesFromQuaternions", [3, 4], { quaternions: [part(0, 4), 4], translations: [part(4, 7), 3] });
    },
  });
  assert.throws(() => framesFromMatrices(device.zeros([3, 4])), /matrices must be/);
  assert.throws(() => framesFromSeven(device.zeros([3, 6])), /7\], it is \[3, 6\]/);
});

gpuTest("frame ops refuse other shapes by name", (device) => {
  const frames = device.zeros([2, 3, 4]);
  assert.throws(() => applyFrames(frames, device.zeros([2, 4])), {
    name: "TypeError",
    message: "applyFrames: points must be f32 […, 3], it is f32 [2, 4]",
  });
  assert.throws(() => composeFrames(frames, device.zeros([2, 4, 4])), {
    message: "composeFrames: b must be f32 […, 3, 4], it is f32 [2, 4, 4]",
  });
  assert.throws(() => composeFrames(frames, device.zeros([5, 3, 4])), TypeError);
});
