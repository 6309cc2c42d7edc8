import assert from "node:assert/strict";
import { Key, leaves, type Tensor } from "../../../core/mod.ts";
import { alphafoldConfig, type TemplateConfig } from "../../../model/alphafold/config.ts";
import {
  addTemplatePairs,
  embedTemplatePairs,
  templateAngleFeatures,
  type TemplateEmbedderParams,
  templateEmbedderShapes,
  type TemplateFeatures,
} from "../../../model/alphafold/templates/mod.ts";
import { initParams } from "../../../model/layers/params.ts";
import { frameFrom3Points, toLocal } from "../../../model/protein/frames.ts";
import { assertClose, checkOp, gpuTest, randomArray, reference } from "../../_gpu.ts";
import type { Device } from "../../../core/mod.ts";

const TYPES = 22;

/** Random templates; residues lie some Å apart, some lack atoms or are not there. */
function templatesOf(batch: number, T: number, n: number) {
  const count = batch * T * n;
  const random = (size: number, seed: number) => randomArray(size, seed);
  return {
    shapes: { batch, T, n },
    mask: Float32Array.from({ length: batch * T }, (_, i) => (i % 3 === 2 ? 0 : 1)),
    aatype: Int32Array.from({ length: count }, (_, i) => (7 * i) % TYPES),
    positions: random(count * 37 * 3, 1).map((x, k) => 8 * x + 3 * (Math.floor(k / 111) % n)),
    atomMask: Float32Array.from({ length: count * 37 }, (_, k) => (k % 101 === 1 ? 0 : 1)), // some C-alphas
    beta: random(count * 3, 2).map((x, k) => 6 * x + 3 * (Math.floor(k / 3) % n)),
    betaMask: Float32Array.from({ length: count }, (_, i) => (i % 5 === 3 ? 0 : 1)),
    angles: random(count * 14, 3),
    altAngles: random(count * 14, 4),
    anglesMask: Float32Array.from({ length: count * 7 }, (_, i) => (i % 4 ? 1 : 0)),
  };
}

type Arrays = ReturnType<typeof templatesOf>;

function onDevice(device: Device, a: Arrays): TemplateFeatures {
  const { batch, T, n } = a.shapes;
  return {
    mask: device.tensor(a.mask, [batch, T]),
    aatype: device.tensor(a.aatype, [batch, T, n], "i32"),
    allAtomPositions: device.tensor(a.positions, [batch, T, n, 37, 3]),
    allAtomMask: device.tensor(a.atomMask, [batch, T, n, 37]),
    pseudoBeta: device.tensor(a.beta, [batch, T, n, 3]),
    pseudoBetaMask: device.tensor(a.betaMask, [batch, T, n]),
    torsionAnglesSinCos: device.tensor(a.angles, [batch, T, n, 7, 2]),
    altTorsionAnglesSinCos: device.tensor(a.altAngles, [batch, T, n, 7, 2]),
    torsionAnglesMask: device.tensor(a.anglesMask, [batch, T, n, 7]),
  };
}

/** Features of all pairs, one by one, in float64. */
function pairFeatures(a: Arrays, { minBin, maxBin, bins, useUnitVector }: TemplateConfig): Float64Array {
  const { batch, T, n } = a.shapes;
  const width = bins + 1 + 2 * TYPES + 4;
  const built = new Float64Array(batch * T * n * n * width);
  const backbone = (i: number) => a.atomMask[37 * i] * a.atomMask[37 * i + 1] * a.atomMask[37 * i + 2];
  const bound = (k: number) => (k === bins ? Math.sqrt(1e5) : minBin + (maxBin - minBin) * k / (bins - 1));
  for (let t = 0; t < batch * T; t++) {
    for (let i = t * n; i < (t + 1) * n; i++) {
      for (let j = t * n; j < (t + 1) * n; j++) {
        if (!backbone(i) || !backbone(j)) continue;
        const at = (i * n + j - t * n) * width;
        const distance = Math.hypot(...[0, 1, 2].map((axis) => a.beta[3 * i + axis] - a.beta[3 * j + axis]));
        for (let k = 0; k < bins; k++) built[at + k] = distance > bound(k) && distance < bound(k + 1) ? 1 : 0;
        built[at + bins] = a.betaMask[i] * a.betaMask[j];
        built[at + bins + 1 + a.aatype[j]] = 1;
        built[at + bins + 1 + TYPES + a.aatype[i]] = 1;
        if (useUnitVector) {
          const atom = (i: number, slot: number) => [a.positions, 3 * (37 * i + slot)] as const;
          const ca = atom(i, 1);
          const away = [0, 1, 2].map((axis) => 2 * a.positions[ca[1] + axis] - a.positions[atom(i, 2)[1] + axis]);
          const frame = frameFrom3Points([away, 0], ca, atom(i, 0), 1e-8); // x axis from C's mirror image to C
          const seen = toLocal(frame, atom(j, 1));
          const length = Math.sqrt(1e-8 + seen.reduce((sum, x) => sum + x * x, 0));
          seen.forEach((x, axis) => built[at + bins + 1 + 2 * TYPES + axis] = x / length);
        }
        built[at + width - 1] = 1;
      }
    }
  }
  return built;
}

for (const useUnitVector of [false, true]) {
  gpuTest(
    `embedTemplatePairs() is the linear map of all features, ${useUnitVector ? "with" : "without"} directions`,
    (device) => {
      const arrays = templatesOf(1, 2, 7);
      const config = alphafoldConfig("model_1", { templates: { cT: 6, useUnitVector } }).templates!;
      const features = pairFeatures(arrays, config);
      const width = 88, c = 6;
      assert.ok(features.filter((x) => x !== 0).length > 100);
      const { aatype, allAtomPositions, allAtomMask, pseudoBeta, pseudoBetaMask } = onDevice(device, arrays);
      const single = (x: Tensor) => device.view(x, x.shape.slice(1));
      const given = {
        aatype: single(aatype),
        allAtomPositions: single(allAtomPositions),
        allAtomMask: single(allAtomMask),
        pseudoBeta: single(pseudoBeta),
        pseudoBetaMask: single(pseudoBetaMask),
      };
      return checkOp(device, {
        inputs: { weight: [c, width], bias: [c] },
        gpu: (linear) => embedTemplatePairs({ linear }, given, config),
        reference({ weight, bias }) {
          const out = reference([2, 7, 7, c]);
          for (let pair = 0; pair < 2 * 7 * 7; pair++) {
            for (let ch = 0; ch < c; ch++) {
              let sum = bias.data[ch];
              for (let f = 0; f < width; f++) sum += features[pair * width + f] * weight.data[ch * width + f];
              out.data[pair * c + ch] = sum;
            }
          }
          return out;
        },
        atol: 5e-6,
      });
    },
  );
}

gpuTest("templateAngleFeatures() lays types, angles and masks side by side", async (device) => {
  const arrays = templatesOf(2, 3, 5);
  const built = await templateAngleFeatures(onDevice(device, arrays)).read();
  for (let i = 0; i < 30; i++) {
    const row = [...built.slice(57 * i, 57 * i + 57)];
    assert.deepEqual(row.slice(0, TYPES), Array.from({ length: TYPES }, (_, k) => Number(k === arrays.aatype[i])));
    assert.deepEqual(row.slice(22, 36), [...arrays.angles.slice(14 * i, 14 * i + 14)]);
    assert.deepEqual(row.slice(36, 50), [...arrays.altAngles.slice(14 * i, 14 * i + 14)]);
    assert.deepEqual(row.slice(50), [...arrays.anglesMask.slice(7 * i, 7 * i + 7)]);
  }
});

const SMALL = alphafoldConfig("model_1", {
  ...{ cM: 8, cZ: 12, cS: 8 },
  templates: { cT: 8, cHiddenTriAtt: 4, nHead: 2, cHiddenTriMul: 8, cHiddenPointwise: 4, nHeadPointwise: 2 },
});

function embedderParams(device: Device): TemplateEmbedderParams {
  const params = initParams(device, templateEmbedderShapes(SMALL, SMALL.templates!), Key.fromSeed(1));
  for (const [i, tensor] of leaves<Tensor>(params).entries()) {
    device.write(tensor, randomArray(tensor.size, i).map((x) => 0.5 * x));
  }
  return params as TemplateEmbedderParams;
}

gpuTest(
  "addTemplatePairs() does each sample of a batch by itself, and nothing where no template is there",
  async (device) => {
    const params = embedderParams(device);
    const [batch, T, n] = [3, 2, 6];
    const arrays = templatesOf(batch, T, n);
    arrays.mask.set([1, 0, 0, 0, 1, 1]);
    const z = device.tensor(randomArray(batch * n * n * 12, 9), [batch, n, n, 12]);
    const pairMask = device.tensor(Float32Array.from({ length: batch * n * n }, (_, i) => (i % 11 ? 1 : 0)), [
      batch,
      n,
      n,
    ]);
    const together = await addTemplatePairs(params, z, onDevice(device, arrays), SMALL.templates!, { pairMask }).read();
    const [pairs, before] = [n * n * 12, await z.read()];
    assert.deepEqual(together.slice(pairs, 2 * pairs), before.slice(pairs, 2 * pairs));
    assert.notDeepEqual(together.slice(0, pairs), before.slice(0, pairs));
    for (let b = 0; b < batch; b++) {
      const own = Object.fromEntries(
        Object.entries(arrays).map(([name, values]) => {
          if (!ArrayBuffer.isView(values)) return [name, { batch: 1, T, n }];
          const size = (values as Float32Array).length / batch;
          return [name, (values as Float32Array).slice(b * size, (b + 1) * size)];
        }),
      ) as Arrays;
      const zb = device.tensor(before.slice(b * pairs, (b + 1) * pairs), [1, n, n, 12]);
      const mask = device.tensor((await pairMask.read()).slice(b * n * n, (b + 1) * n * n), [1, n, n]);
      const alone = await addTemplatePairs(params, zb, onDevice(device, own), SMALL.templates!, { pairMask: mask })
        .read();
      assertClose(together.slice(b * pairs, (b + 1) * pairs), alone, {}, `sample ${b}`);
    }
  },
);

gpuTest("addTemplatePairs() gives the same in parts, one template at a time", async (device) => {
  const params = embedderParams(device);
  const features = onDevice(device, templatesOf(1, 4, 9));
  const z = device.tensor(randomArray(81 * 12, 9), [1, 9, 9, 12]);
  const run = async () => [...await addTemplatePairs(params, z, features, SMALL.templates!).read()];
  const whole = await run();
  device.resetPeakMemory();
  await run();
  const peak = device.memory.peakBytes;
  device.partBytes = 4096;
  device.resetPeakMemory();
  assertClose(await run(), whole, { rtol: 1e-5, atol: 1e-5 });
  device.partBytes = undefined;
  assert.ok(device.memory.peakBytes < peak, `${device.memory.peakBytes} bytes in parts, ${peak} at once`);
});

gpuTest("the template embedder refuses tensors that do not fit, by name", (device) => {
  const params = embedderParams(device);
  const features = onDevice(device, templatesOf(1, 2, 4));
  const z = device.zeros([1, 4, 4, 12]);
  const wrong = (changed: Partial<TemplateFeatures>) => () =>
    addTemplatePairs(params, z, { ...features, ...changed }, SMALL.templates!);
  assert.throws(wrong({ mask: device.zeros([1, 3]) }), /templates\.mask must be \[1, 2\], it is f32 \[1, 3\]/);
  assert.throws(wrong({ aatype: device.zeros([1, 2, 4]) }), /templates\.aatype .* f32 instead of i32/);
  assert.throws(wrong({ allAtomMask: device.zeros([1, 2, 4, 14]) }), /allAtomMask .* axis 3 is 14 instead of 37/);
});
