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
import { checkOp, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";

type Vector = readonly number[];

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);
const dot = (a: Vector, b: Vector) => sum(a.map((x, i) => x * b[i]));
const minus = (a: Vector, b: Vector) => a.map((x, i) => x - b[i]);
const unit = (v: Vector, eps = 0) => v.map((x) => x / Math.sqrt(dot(v, v) + eps));
const cross = ([a, b, c]: Vector, [x, y, z]: Vector) => [b * z - c * y, c * x - a * z, a * y - b * x];

/** A frame's rows. */
const rows = (frame: Vector) => [0, 1, 2].map((r) => frame.slice(4 * r, 4 * r + 3));
const origin = (frame: Vector) => [frame[3], frame[7], frame[11]];
const frameOf = (matrix: readonly Vector[], t: Vector) => matrix.flatMap((row, r) => [...row, t[r]]);
const columns = (matrix: readonly Vector[]) => [0, 1, 2].map((c) => matrix.map((row) => row[c]));
const turn = (matrix: readonly Vector[], v: Vector) => matrix.map((row) => dot(row, v));

const apply = (frame: Vector, p: Vector) => turn(rows(frame), p).map((x, i) => x + origin(frame)[i]);
const hamilton = ([a, ...u]: Vector, [b, ...v]: Vector) => [
  a * b - dot(u, v),
  ...cross(u, v).map((x, i) => x + a * v[i] + b * u[i]),
];
const rotation = ([w, x, y, z]: Vector) => [
  [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
  [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
  [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
];

/** Applies a function to items whose axes before broadcast. */
function each(
  inputs: readonly (readonly [Reference, item: number])[],
  last: readonly number[],
  f: (...items: Vector[]) => Vector,
): Reference {
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
    const items = inputs.map(([{ data }, item], k) => {
      const at = padded[k].reduce((flat, n, axis) => flat * n + (n === 1 ? 0 : coordinates[axis]), 0);
      return Array.from(data.subarray(at * item, (at + 1) * item));
    });
    out.data.set(f(...items), i * sizeOf(last));
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
      reference: ({ a, b }) =>
        each([[a, 12], [b, 12]], [3, 4], (a, b) => {
          const matrix = rows(a).map((row) => columns(rows(b)).map((column) => dot(row, column)));
          return frameOf(matrix, apply(a, origin(b)));
        }),
    }));

  gpuTest(`applyFrames() matches float64 for [${left}] frames and [${right}] points`, (device) =>
    checkOp(device, {
      inputs: { frames: [...left, 3, 4], points: [...right, 3] },
      gpu: ({ frames, points }) => applyFrames(frames, points),
      reference: ({ frames, points }) => each([[frames, 12], [points, 3]], [3], apply),
    }));

  gpuTest(
    `invertApplyFrames() matches float64 for [${left}] frames and [${right}] points`,
    (device) =>
      checkOp(device, {
        inputs: { frames: [...left, 3, 4], points: [...right, 3] },
        gpu: ({ frames, points }) => invertApplyFrames(frames, points),
        reference: ({ frames, points }) =>
          each(
            [[frames, 12], [points, 3]],
            [3],
            (frame, point) => turn(columns(rows(frame)), minus(point, origin(frame))),
          ),
      }),
  );

  gpuTest(
    `multiplyQuaternions() matches float64 for [${left}] and [${right}] quaternions`,
    (device) =>
      checkOp(device, {
        inputs: { a: [...left, 4], b: [...right, 4] },
        gpu: ({ a, b }) => multiplyQuaternions(a, b),
        reference: ({ a, b }) => each([[a, 4], [b, 4]], [4], hamilton),
      }),
  );

  gpuTest(
    `framesFromQuaternions() matches float64 for [${left}] quaternions, [${right}] translations`,
    (device) =>
      checkOp(device, {
        inputs: { quaternions: [...left, 4], translations: [...right, 3] },
        gpu: ({ quaternions, translations }) => framesFromQuaternions(quaternions, translations),
        reference: ({ quaternions, translations }) =>
          each([[quaternions, 4], [translations, 3]], [3, 4], (q, t) => frameOf(rotation(q), t)),
      }),
  );

  gpuTest(`updates of quaternions and translations match float64 for [${left}] and [${right}]`, async (device) => {
    await checkOp(device, {
      inputs: { quaternions: [...left, 4], updates: [...right, 6] },
      fill: { quaternions: (i) => randomArray(1, i)[0] + (i % 4 === 0 ? 2 : 0) },
      gpu: ({ quaternions, updates }) => updateQuaternions(quaternions, updates),
      reference: ({ quaternions, updates }) =>
        each([[quaternions, 4], [updates, 6]], [4], (q, u) => unit(hamilton(q, [1, ...u.slice(0, 3)]))),
    });
    await checkOp(device, {
      inputs: { translations: [...right, 3], quaternions: [...left, 4], updates: [...right, 6] },
      gpu: ({ translations, quaternions, updates }) => updateTranslations(translations, quaternions, updates),
      reference: ({ translations, quaternions, updates }) =>
        each(
          [[translations, 3], [quaternions, 4], [updates, 6]],
          [3],
          (t, q, u) => turn(rotation(q), u.slice(3)).map((x, i) => x + t[i]),
        ),
    });
  });
}

for (const n of [1, 11]) {
  gpuTest(`invertFrames() matches float64 for ${n} frames`, (device) =>
    checkOp(device, {
      inputs: { frames: [n, 3, 4] },
      gpu: ({ frames }) => invertFrames(frames),
      reference: ({ frames }) =>
        each([[frames, 12]], [3, 4], (frame) => {
          const back = columns(rows(frame));
          return frameOf(back, turn(back, origin(frame)).map((x) => -x));
        }),
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
    reference: ({ quaternions }) => each([[quaternions, 4]], [4], (q) => unit(q)),
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
        each([[x1, 3], [x2, 3], [x3, 3]], [3, 4], (x1, x2, x3) => {
          const e1 = unit(xAxis === "towards" ? minus(x3, x2) : minus(x2, x3), 1e-3);
          const v2 = minus(x1, x2);
          const e2 = unit(minus(v2, e1.map((x) => x * dot(e1, v2))), 1e-3);
          return frameOf(columns([e1, e2, cross(e1, e2)]), x2);
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
    reference: ({ frames }) => each([[frames, 12]], [4, 4], (frame) => [...frame, 0, 0, 0, 1]),
  });
  await checkOp(device, {
    inputs: { seven: [3, 2, 7] },
    gpu: ({ seven }) => framesFromSeven(seven),
    reference: ({ seven }) => each([[seven, 7]], [3, 4], (x) => frameOf(rotation(x.slice(0, 4)), x.slice(4))),
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
