import assert from "node:assert/strict";
import { entries, Key, leaves, pullback, type Tensor } from "../../../core/mod.ts";
import {
  alphafold,
  type AlphaFoldFeatures,
  type AlphaFoldOptions,
  type AlphaFoldParams,
  alphafoldShapes,
  confidence,
  lossOutputs,
  recycledOf,
} from "../../../model/alphafold/mod.ts";
import { shapesByPath } from "../../../model/layers/params.ts";
import { add, square, sum } from "../../../ops/mod.ts";
import { assertClose, gpuTest } from "../../_gpu.ts";
import { type FeatureArrays, featureArrays, onDevice, randomParams, sampleOf, smallConfig } from "./_network.ts";

const CONFIG = smallConfig();

gpuTest("a batch gives what its samples give alone", async (device) => {
  const params = randomParams(device, CONFIG);
  const arrays = featureArrays({ batch: 2 });
  const both = alphafold(params, onDevice(device, arrays), undefined, CONFIG);
  for (const b of [0, 1]) {
    const alone = alphafold(params, onDevice(device, sampleOf(arrays, b)), undefined, CONFIG);
    for (const name of ["m", "z", "s", "positions"] as const) {
      const all = await both[name]!.read(), size = all.length / 2;
      const tolerance = { rtol: 1e-4, atol: name === "positions" ? 1e-3 : 1e-4 };
      assertClose(all.slice(b * size, (b + 1) * size), await alone[name]!.read(), tolerance, `${name} of sample ${b}`);
    }
  }
});

const ofResidues = (
  name: string,
) => (/^(msa|extra|templates\.(?!mask))/.test(name) ? 2 : name === "templates.mask" ? -1 : 1);

/** The arrays with residues and rows of padding behind them, whose numbers must not matter. */
function padded(arrays: FeatureArrays, residues: number, rows: number): FeatureArrays {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, { shape, data, whole }]) => {
      const grown = shape.map((n, axis) =>
        axis === ofResidues(name) ? n + residues : axis === 1 && /^(msa|extra)/.test(name) ? n + rows : n
      );
      const size = grown.reduce((a, b) => a * b);
      const isMask = /[mM]ask$/.test(name);
      const out = Float32Array.from({ length: size }, (_, i) => (isMask ? 0 : whole ? 1 : 5 + (i % 3)));
      const copy = (axis: number, from: number, to: number) => {
        if (axis === shape.length) return void (out[to] = data[from]);
        for (let k = 0; k < shape[axis]; k++) copy(axis + 1, from * shape[axis] + k, to * grown[axis] + k);
      };
      copy(0, 0, 0);
      return [name, { shape: grown, data: out, whole }];
    }),
  );
}

gpuTest("padding changes nothing, and masks that hide nothing may be left out", async (device) => {
  const params = randomParams(device, CONFIG);
  const arrays = featureArrays({});
  const nRes = 7, more = 3;
  const { seqMask: _, msaMask: __, ...rest } = onDevice(device, arrays);
  const plain = alphafold(params, { ...rest, extraMsa: { ...rest.extraMsa!, mask: undefined } }, undefined, CONFIG);
  const features = onDevice(device, padded(arrays, more, 2));
  const wide = alphafold(params, features, undefined, CONFIG);
  const z = await wide.z.read(), positions = await wide.positions.read(), s = await wide.s.read();
  const row = nRes * CONFIG.cZ, wideRow = (nRes + more) * CONFIG.cZ;
  const inner = Array.from({ length: nRes }, (_, i) => [...z.slice(i * wideRow, i * wideRow + row)]).flat();
  assertClose(inner, await plain.z.read(), { rtol: 1e-4, atol: 1e-4 }, "z");
  assertClose(s.slice(0, nRes * CONFIG.cS), await plain.s.read(), { rtol: 1e-4, atol: 1e-4 }, "s");
  assertClose(positions.slice(0, nRes * 111), await plain.positions.read(), { rtol: 1e-4, atol: 2e-3 }, "positions");
  const sure = confidence(params.auxHeads, plain), wideSure = confidence(params.auxHeads, wide, features.seqMask);
  assertClose(await wideSure.tmScore!.read(), await sure.tmScore!.read(), { rtol: 1e-4 }, "pTM");
});

gpuTest(
  "representations of several samples of the alignment are averaged, the MSA's is the first one's",
  async (device) => {
    const params = randomParams(device, CONFIG);
    const [a, b] = [1, 2].map((seed) => {
      const target = featureArrays({ seed: 1 }), own = featureArrays({ seed });
      return onDevice(device, { ...target, msaFeat: own.msaFeat, extraMsa: own.extraMsa });
    });
    const both = alphafold(params, [a, b], undefined, CONFIG);
    const [one, other] = [a, b].map((sample) => alphafold(params, sample, undefined, CONFIG));
    for (const name of ["z", "s", "firstRow"] as const) {
      const [x, y] = [await one[name].read(), await other[name].read()];
      assert.notDeepEqual(x, y);
      assertClose(await both[name].read(), x.map((value, i) => (value + y[i]) / 2), { rtol: 1e-5, atol: 1e-5 }, name);
    }
    assert.deepEqual(await both.m!.read(), await one.m!.read());
    assert.throws(() => alphafold(params, [], undefined, CONFIG), /one sample at least/);
  },
);

gpuTest("what an iteration found changes the next one, and is let go when it is used up", async (device) => {
  const params = randomParams(device, CONFIG);
  const features = onDevice(device, featureArrays({}));
  const first = alphafold(params, features, undefined, CONFIG);
  const recycled = recycledOf(first, features.aatype);
  const second = alphafold(params, features, recycled, CONFIG);
  assert.equal(recycled.z.disposed, false);
  assert.notDeepEqual(await second.z.read(), await first.z.read());
  const consumed = alphafold(params, features, recycled, CONFIG, { consume: true });
  assert.equal(recycled.z.disposed, true);
  assert.deepEqual(await consumed.z.read(), await second.z.read());
});

gpuTest("a network without recycled input is one that recycles zeros", async (device) => {
  const params = randomParams(device, CONFIG);
  const features = onDevice(device, featureArrays({}));
  const zeros = {
    m: device.zeros([1, 7, CONFIG.cM]),
    z: device.zeros([1, 7, 7, CONFIG.cZ]),
    positions: device.zeros([1, 7, 3]),
  };
  const first = alphafold(params, features, undefined, CONFIG);
  const again = alphafold(params, features, zeros, CONFIG);
  for (const name of ["z", "s"] as const) {
    assertClose(await first[name].read(), await again[name].read(), { rtol: 1e-4, atol: 1e-5 }, name);
  }
});

const ABLATIONS = ["templates", "pointAttention", "recycling", "triangles", "msa", "auxiliaryLosses"] as const;

for (const name of ABLATIONS) {
  gpuTest(`the network runs, with gradients, without ${name}`, async (device) => {
    const config = smallConfig({ ablations: { [name]: false } });
    const params = randomParams(device, config);
    const features = onDevice(device, featureArrays({}), config.templates !== undefined);
    const back = pullback(device, (params: AlphaFoldParams) => {
      const { m: _, ...outputs } = alphafold(params, features, undefined, config);
      return add(sum(square(outputs.z)), sum(square(outputs.positions)));
    }, params);
    assert.ok(Number.isFinite(await back.output.item()));
    const grads = back.pullLeaves([device.tensor([1], [])]);
    const dead = new Set<string>();
    for (const [i, [path]] of entries<Tensor>(params).entries()) if (!grads[i]) dead.add(path.split(".")[0]);
    assert.deepEqual([...dead].sort(), ["auxHeads", "recyclingEmbedder"]); // not read here, or zeros in a first iteration
    const names = [...shapesByPath(alphafoldShapes(config)).keys()];
    const has = (pattern: RegExp) => names.some((path) => pattern.test(path));
    assert.equal(has(/^templateEmbedder/), name !== "templates");
    assert.equal(has(/extraMsaStack/), name !== "msa");
    assert.equal(has(/triMul(Out|In)|triAtt(Start|End)\.linear\./), name !== "triangles");
    assert.equal(has(/headWeights|[qvk]Points/i), name !== "pointAttention");
    assert.equal(config.recycling.maxRecycles, name === "recycling" ? 0 : 3);
  });
}

gpuTest(
  "without the alignment's rows, their order and number are not read, only how frequent letters are",
  async (device) => {
    const config = smallConfig({ ablations: { msa: false } });
    const params = randomParams(device, config);
    const arrays = featureArrays({ nSeq: 4 });
    const { shape, data, whole } = arrays.msaFeat;
    const row = data.length / 4;
    const twice = new Float32Array(2 * data.length); // every row twice
    for (let k = 0; k < 4; k++) {
      for (const half of [0, 1]) {
        twice.set(data.slice(k * row, (k + 1) * row), (half * 4 + k) * row);
      }
    }
    const more = {
      ...arrays,
      msaFeat: { shape: shape.with(1, 8), data: twice, whole },
      msaMask: { shape: [1, 8, 7], data: new Float32Array(56).fill(1), whole: false },
    };
    const one = alphafold(params, onDevice(device, arrays), undefined, config);
    const other = alphafold(params, onDevice(device, more), undefined, config);
    assert.equal(one.m!.shape[1], 1);
    assertClose(await other.z.read(), await one.z.read(), { rtol: 1e-5, atol: 1e-5 });
  },
);

gpuTest(
  "all parameters of the network get gradients from its outputs, the same however it recomputes",
  async (device) => {
    const params = randomParams(device, CONFIG);
    const features = onDevice(device, featureArrays({}));
    const recycled = recycledOf(alphafold(params, features, undefined, CONFIG), features.aatype);
    const run = async (options: AlphaFoldOptions) => {
      const back = pullback(device, (params: AlphaFoldParams) => {
        const outputs = alphafold(params, features, recycled, CONFIG, options);
        const { trajectory: _, ...logits } = lossOutputs(params.auxHeads, outputs);
        const last = outputs.structure.last;
        return { ...logits, frames: last.frames, angles: last.angles };
      }, params);
      const held = back.heldBytes;
      const grads = back.pullLeaves(
        leaves<Tensor>(back.output).map((x) => device.tensor(new Float32Array(x.size).fill(1), x.shape)),
      );
      const numbers = new Map<string, Float32Array>();
      for (const [i, [path]] of entries<Tensor>(params).entries()) {
        assert.ok(grads[i], `no gradient reaches ${path}`);
        numbers.set(path, Float32Array.from(await grads[i]!.read()));
      }
      return { held, numbers };
    };
    const key = Key.fromSeed(3);
    const plain = await run({ key });
    for (const recompute of ["module", "block", "nested"] as const) {
      const again = await run({ key, recompute });
      assert.ok(again.held < 0.7 * plain.held, `${recompute}: ${again.held} of ${plain.held} bytes`);
      for (const [path, numbers] of plain.numbers) {
        assert.deepEqual(
          again.numbers.get(path),
          numbers,
          `${recompute}: ${path}`,
        );
      }
    }
  },
);

gpuTest("features that do not fit are refused by name", (device) => {
  const params = randomParams(device, CONFIG);
  const features = onDevice(device, featureArrays({}));
  const wrong = (changed: Partial<AlphaFoldFeatures>) => () =>
    alphafold(params, { ...features, ...changed }, undefined, CONFIG);
  assert.throws(wrong({ targetFeat: device.zeros([1, 7, 21]) }), /targetFeat must be \[1, 7, 22\].*axis 2 is 21/);
  assert.throws(wrong({ msaMask: device.zeros([1, 3, 7]) }), /msaMask must be \[1, 4, 7\]/);
  assert.throws(wrong({ aatype: device.zeros([1, 7]) }), /aatype .* f32 instead of i32/);
  assert.throws(wrong({ asymId: device.zeros([1, 8], "i32") }), /asymId must be \[1, 7\]/);
  assert.throws(wrong({ extraMsa: undefined }), /extra-MSA stack, the features have no extraMsa/);
  const outputs = alphafold(params, features, undefined, CONFIG, { msa: false });
  assert.throws(() => lossOutputs(params.auxHeads, outputs), /msa: true/);
});
