import assert from "node:assert/strict";
import { Device, Key, leaves, pullback, type Tensor } from "../../../core/mod.ts";
import {
  type BlockOptions,
  evoformerConfig,
  evoformerStack,
  extraMsaStack,
  initEvoformer,
  initExtraMsaStack,
  msaColumnGlobalAttention,
  pairStack,
  triangleAttentionEndingNode,
  triangleAttentionStartingNode,
  triangleMultiplicationIncoming,
  triangleMultiplicationOutgoing,
} from "../../../model/evoformer/mod.ts";
import { axialAttention } from "../../../model/layers/attention.ts";
import {
  ATTENTION_KINDS,
  type AttentionCapture,
  type AttentionKind,
  type AttentionMap,
  attentionTap,
  inBlock,
} from "../../../model/layers/attention_capture.ts";
import { AttentionRecorder, type RecordedAttention } from "../../../model/layers/attention_recorder.ts";
import { initNnxEvoformer, nnxEvoformerBlock, nnxEvoformerConfig } from "../../../model/nnx_evoformer/mod.ts";
import { initTinyOpenFold, tinyOpenFold, tinyOpenFoldConfig } from "../../../model/tiny_openfold/mod.ts";
import { ALL_FUSIONS, setFusions } from "../../../ops/fusion.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";

/** Parameters of random numbers, large enough for uneven attention. */
function shaken<P>(device: Device, params: P): P {
  leaves<Tensor>(params as never).forEach((tensor, i) => {
    const centre = tensor.shape.length === 1 ? 0.5 : 0;
    const width = tensor.shape.length === 1 ? 1 : 4 / Math.sqrt(tensor.shape.at(-1)!);
    device.write(tensor, randomArray(tensor.size, 100 + i).map((x) => centre + width * x));
  });
  return params;
}

interface Axial {
  readonly shape: readonly [batch: number, I: number, J: number, c: number];
  readonly nHead: number;
  readonly cHidden: number;
  readonly axis: 1 | 2;
  readonly bias: boolean;
  readonly mask?: (b: number, i: number, j: number) => number;
  readonly gate?: "same" | "other";
}

/** Runs attention of random numbers with a capture; gives what it needs for the reference too. */
function runAxial(device: Device, { shape, nHead, cHidden, axis, bias, mask, gate }: Axial, capture: AttentionCapture) {
  const [batch, I, J, c] = shape;
  const L = axis === 2 ? J : I;
  const hidden = nHead * cHidden;
  const numbers = {
    x: randomArray(batch * I * J * c, 1),
    q: randomArray(hidden * c, 2).map((v) => 2 * v),
    k: randomArray(hidden * c, 3).map((v) => 2 * v),
    bias: randomArray(batch * nHead * L * L, 4),
    mask: Float32Array.from(
      { length: batch * I * J },
      (_, n) => mask ? mask(Math.floor(n / (I * J)), Math.floor(n / J) % I, n % J) : 1,
    ),
  };
  const weight = (data: ArrayLike<number>) => ({ weight: device.tensor(data, [hidden, c]) });
  const x = device.tensor(numbers.x, shape);
  axialAttention(
    {
      qkv: [weight(numbers.q), weight(numbers.k), weight(randomArray(hidden * c, 5))],
      gate: gate && weight(randomArray(hidden * c, 6)),
      out: { weight: device.tensor(randomArray(hidden * c, 7), [c, hidden]) },
    },
    x,
    {
      ...{ nHead, axis, gateInput: gate === "other" ? device.tensor(randomArray(x.size, 8), shape) : undefined },
      bias: bias ? device.tensor(numbers.bias, [batch, nHead, L, L]) : undefined,
      mask: mask && device.tensor(numbers.mask, [batch, I, J]),
      capture: attentionTap(capture, "msaRowAttention"),
    },
  );
  return numbers;
}

/** The same probabilities in float64, `[row][batch][head][query][key]`; a masked key's logit is −1e9 in float32. */
function axialReference(
  { shape: [batch, I, J, c], nHead, cHidden, axis, bias }: Axial,
  numbers: ReturnType<typeof runAxial>,
): number[][][][][] {
  const [R, L] = axis === 2 ? [I, J] : [J, I];
  const range = (n: number) => [...Array(n).keys()];
  const project = (weight: Float32Array, token: number, row: number) =>
    range(c).reduce((sum, i) => sum + weight[row * c + i] * numbers.x[token * c + i], 0);
  return range(R).map((r) =>
    range(batch).map((b) => {
      const tokens = range(L).map((l) => (b * I + (axis === 2 ? r : l)) * J + (axis === 2 ? l : r));
      return range(nHead).map((h) => {
        const rows = range(cHidden).map((d) => h * cHidden + d);
        const q = tokens.map((token) => rows.map((row) => project(numbers.q, token, row)));
        const k = tokens.map((token) => rows.map((row) => project(numbers.k, token, row)));
        return q.map((query, l) => {
          const logits = k.map((key, m) => {
            if (numbers.mask[tokens[m]] === 0) return -1e9;
            const dot = key.reduce((sum, value, d) => sum + value * query[d], 0) / Math.sqrt(cHidden);
            return dot + (bias ? numbers.bias[((b * nHead + h) * L + l) * L + m] : 0);
          });
          const top = Math.max(...logits);
          const weights = logits.map((logit) => Math.exp(logit - top));
          const total = weights.reduce((a, w) => a + w);
          return weights.map((w) => w / total);
        });
      });
    })
  );
}

const CASES: readonly Axial[] = [
  { shape: [2, 5, 7, 6], nHead: 3, cHidden: 4, axis: 2, bias: true },
  { shape: [2, 7, 5, 6], nHead: 2, cHidden: 5, axis: 1, bias: true, gate: "same" },
  { shape: [1, 3, 11, 4], nHead: 1, cHidden: 8, axis: 1, bias: false, gate: "other" },
  {
    ...{ shape: [2, 6, 9, 5], nHead: 2, cHidden: 3, axis: 2, bias: true, gate: "same" },
    mask: (b, i, j) => i === 4 || (b + i + j) % 4 === 0 || (b === 1 && j > 5) ? 0 : 1, // row 4 is masked throughout
  },
  { shape: [1, 8, 3, 5], nHead: 2, cHidden: 4, axis: 1, bias: false, mask: (_, i, j) => i > 4 || j === 1 ? 0 : 1 },
];

for (const fusions of [ALL_FUSIONS, []]) {
  const how = fusions.length ? "one kernel" : "explicit attention";
  for (const test of CASES) {
    const name = `[${test.shape}], axis ${test.axis}${test.mask ? ", masked" : ""}`;
    gpuTest(`captured probabilities match float64 beside ${how}: ${name}`, async (device) => {
      setFusions(device, fusions);
      try {
        const recorder = new AttentionRecorder({ rows: ({ rows }) => [...Array(rows).keys()], rowMean: true });
        const numbers = runAxial(device, test, recorder);
        const expected = axialReference(test, numbers);
        const [{ maps, rowMean, rows, heads }] = await recorder.recorded();
        const [batch, I, J] = test.shape;
        const [R, L] = test.axis === 2 ? [I, J] : [J, I];
        assert.deepEqual([rows.length, heads.length], [R, test.nHead]);
        assert.deepEqual(maps.shape, [R, batch, test.nHead, L, L]);
        assertClose(maps.data, expected.flat(4), { rtol: 2e-5, atol: 2e-6 }, "probability");
        const token = (b: number, r: number, l: number) => test.axis === 2 ? (b * I + r) * J + l : (b * I + l) * J + r;
        for (let at = 0, row = 0; at < maps.data.length; at += L, row++) {
          let sum = 0;
          for (let m = 0; m < L; m++) sum += maps.data[at + m];
          assert.ok(Math.abs(sum - 1) <= 1e-5, `a row sums to ${sum}`);
          const r = Math.floor(row / (batch * test.nHead * L)), b = Math.floor(row / (test.nHead * L)) % batch;
          const keys = Array.from({ length: L }, (_, m) => numbers.mask[token(b, r, m)]);
          if (keys.every((key) => key === 0)) {
            for (let m = 0; m < L; m++) assert.ok(Math.abs(maps.data[at + m] - 1 / L) <= 1e-7, "equal weights");
          } else {
            keys.forEach((key, m) => key === 0 && assert.equal(maps.data[at + m], 0, "a masked key"));
          }
        }
        const counted = (b: number) =>
          expected.map((_, r) => r).filter((r) =>
            Array.from({ length: L }, (_, l) => numbers.mask[token(b, r, l)]).some((x) => x > 0)
          );
        const means = Array.from(
          { length: batch },
          (_, b) =>
            expected[0][b].map((map, h) =>
              map.map((query, l) =>
                query.map((_, m) => counted(b).reduce((sum, r) => sum + expected[r][b][h][l][m], 0) / counted(b).length)
              )
            ),
        );
        assertClose(rowMean!.data, means.flat(3), { rtol: 2e-5, atol: 2e-6 }, "mean over rows");
      } finally {
        setFusions(device, ALL_FUSIONS);
      }
    });
  }
}

gpuTest("heads, means of heads and rows are chosen, and a piece at a time is computed", async (device) => {
  const test: Axial = { shape: [1, 320, 128, 4], nHead: 3, cHidden: 4, axis: 2, bias: false };
  const chosen = { ...test, shape: [1, 4, 128, 4] as const };
  const all = new AttentionRecorder({ rows: () => [0, 1, 2, 3], rowMean: true });
  runAxial(device, chosen, all);
  const [whole] = await all.recorded();
  const some = new AttentionRecorder({ heads: [2, 0], rows: () => [3, 1, 0] });
  const mean = new AttentionRecorder({ heads: [2, 0], headMean: true, rows: () => [3, 1, 0], rowMean: true });
  runAxial(device, chosen, some);
  runAxial(device, chosen, mean);
  const [picked] = await some.recorded(), [averaged] = await mean.recorded();
  assert.deepEqual([picked.heads, picked.rows, picked.rowMean], [[0, 2], [0, 1, 3], undefined]);
  assert.deepEqual([averaged.heads, averaged.maps.shape], [[], [3, 1, 1, 128, 128]]);
  const size = 128 * 128;
  const map = (r: number, h: number) => whole.maps.data.subarray((r * 3 + h) * size, (r * 3 + h + 1) * size);
  picked.rows.forEach((r, i) => {
    picked.heads.forEach((h, j) =>
      assert.deepEqual(picked.maps.data.subarray((i * 2 + j) * size, (i * 2 + j + 1) * size), map(r, h))
    );
    const expected = map(r, 0).map((x, at) => (x + map(r, 2)[at]) / 2);
    assertClose(averaged.maps.data.subarray(i * size, (i + 1) * size), expected, { rtol: 1e-6, atol: 1e-8 });
  });
  const meanOf = (h: number) => whole.rowMean!.data.subarray(h * size, (h + 1) * size);
  const expected = meanOf(0).map((x, at) => (x + meanOf(2)[at]) / 2);
  assertClose(averaged.rowMean!.data, expected, { rtol: 1e-6, atol: 1e-8 });

  await device.finish();
  device.resetPeakMemory();
  const before = device.memory.liveBytes;
  const large = new AttentionRecorder({ rowMean: true, rows: () => [0, 319] });
  const numbers = runAxial(device, test, large);
  const [{ rowMean, maps }] = await large.recorded();
  const used = device.memory.peakBytes - before;
  assert.ok(used < 0.7 * 4 * 3 * 320 * size, `${used} bytes at the peak`);
  const last = { ...test, nHead: 3 };
  const reference = axialReference({ ...last, shape: [1, 1, 128, 4] }, { ...numbers, x: numbers.x.slice(319 * 512) });
  assertClose(maps.data.subarray(3 * size), reference.flat(4), { rtol: 2e-5, atol: 2e-6 }, "row 319");
  const sums = Float64Array.from(
    { length: 3 * 128 },
    (_, l) => rowMean!.data.subarray(l * 128, (l + 1) * 128).reduce((a, b) => a + b, 0),
  );
  assertClose(sums, new Float64Array(384).fill(1), { rtol: 0, atol: 1e-5 }, "a mean row's sum");
  const some320 = new AttentionRecorder({ heads: [1], rows: ({ rows }) => [...Array(rows).keys()] });
  runAxial(device, test, some320);
  const [{ maps: each }] = await some320.recorded();
  const average = new Float64Array(size);
  each.data.forEach((x, at) => average[at % size] += x / 320);
  assertClose(rowMean!.data.subarray(size, 2 * size), average, { rtol: 1e-5, atol: 1e-8 }, "mean of 320 rows");
});

const SIZES = { nHeadMsa: 3, nHeadPair: 2, cHiddenMsaAtt: 5, cHiddenPairAtt: 4, cHiddenOpm: 3, cHiddenMul: 6 };
const CONFIG = evoformerConfig({ ...SIZES, cM: 12, cZ: 10, cS: 7, nBlock: 2, transitionN: 2 });
const [N_SEQ, N_RES] = [3, 5];

function representations(device: Device) {
  return {
    m: device.tensor(randomArray(N_SEQ * N_RES * CONFIG.cM, 1), [1, N_SEQ, N_RES, CONFIG.cM]),
    z: device.tensor(randomArray(N_RES * N_RES * CONFIG.cZ, 2), [1, N_RES, N_RES, CONFIG.cZ]),
  };
}

const everything = () => new AttentionRecorder({ rowMean: true, rows: ({ rows }) => [...Array(rows).keys()] });

/** Sites with sizes, and that all rows sum to 1. */
function sites(recorded: readonly RecordedAttention[]): unknown[] {
  return recorded.map(({ site, maps, rowMean }) => {
    for (const { data, shape } of [maps, rowMean!]) {
      assert.ok(data.length > 0);
      for (let at = 0; at < data.length; at += shape.at(-1)!) {
        const sum = data.subarray(at, at + shape.at(-1)!).reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(sum - 1) <= 1e-5, `${site.kind} of block ${site.block}: a row sums to ${sum}`);
      }
    }
    return [site.block, site.kind, ...maps.shape];
  });
}

/** What a network of two blocks is expected to give. */
const expectedSites = (blocks: number, msaHeads: number, pairHeads: number, columnQueries = N_SEQ) =>
  [...Array(blocks).keys()].flatMap((block) => [
    [block, "msaRowAttention", N_SEQ, 1, msaHeads, N_RES, N_RES],
    [block, "msaColumnAttention", N_RES, 1, msaHeads, columnQueries, N_SEQ],
    [block, "triangleAttentionStarting", N_RES, 1, pairHeads, N_RES, N_RES],
    [block, "triangleAttentionEnding", N_RES, 1, pairHeads, N_RES, N_RES],
  ]);

gpuTest("the Evoformer, its extra stack, the small model and the notebook's block are captured", async (device) => {
  const given = representations(device);
  const evoformer = everything();
  evoformerStack(shaken(device, initEvoformer(device, CONFIG, Key.fromSeed(1))), given, CONFIG, {
    capture: evoformer,
  });
  assert.deepEqual(sites(await evoformer.recorded()), expectedSites(2, 3, 2));

  const extra = everything();
  extraMsaStack(shaken(device, initExtraMsaStack(device, CONFIG, Key.fromSeed(1))), given, CONFIG, { capture: extra });
  assert.deepEqual(sites(await extra.recorded()), expectedSites(2, 3, 2, 1));

  const nnx = everything();
  const nnxConfig = nnxEvoformerConfig({ cM: 12, cZ: 10, nHead: 3, headDim: 4 });
  const nnxParams = shaken(device, initNnxEvoformer(device, nnxConfig, Key.fromSeed(1)));
  nnxEvoformerBlock(nnxParams, { msa: given.m, pairs: given.z }, nnxConfig, { capture: nnx });
  assert.deepEqual(sites(await nnx.recorded()), expectedSites(1, 3, 3));

  const tiny = everything();
  const tinyConfig = tinyOpenFoldConfig({ msaDim: 12, pairDim: 16, nHeadsMsa: 3, nHeadsPair: 2, nBlocks: 2 });
  tinyOpenFold(
    shaken(device, initTinyOpenFold(device, tinyConfig, Key.fromSeed(1))),
    {
      msaTokens: device.tensor(randomArray(N_SEQ * N_RES, 1).map((x) => 10 + 9 * x), [1, N_SEQ, N_RES], "i32"),
      pairFeatures: device.tensor(randomArray(N_RES * N_RES * 65, 2), [1, N_RES, N_RES, 65]),
    },
    tinyConfig,
    { capture: tiny },
  );
  assert.deepEqual(sites(await tiny.recorded()), expectedSites(2, 3, 2));
});

gpuTest("each kind is captured where it runs, with its mask", async (device) => {
  const { z } = representations(device);
  const params = shaken(device, initEvoformer(device, CONFIG, Key.fromSeed(1))).blocks[0].pairStack;
  const mask = device.tensor(
    Float32Array.from({ length: N_RES * N_RES }, (_, i) => i % 5 === 4 || i === 7 ? 0 : 1),
    [1, N_RES, N_RES],
  );
  const recorder = everything();
  pairStack(params, z, mask, CONFIG, { capture: recorder });
  const whole = await recorder.recorded();

  const byHand = everything();
  const nHead = CONFIG.nHeadPair;
  const outgoing = triangleMultiplicationOutgoing(params.triMulOut!, z, { mask, residual: z });
  const incoming = triangleMultiplicationIncoming(params.triMulIn!, outgoing, { mask, residual: outgoing });
  const starting = triangleAttentionStartingNode(params.triAttStart, incoming, {
    ...{ nHead, mask, residual: incoming, capture: attentionTap(byHand, "triangleAttentionStarting") },
  });
  triangleAttentionEndingNode(params.triAttEnd, starting, {
    ...{ nHead, mask, capture: attentionTap(byHand, "triangleAttentionEnding") },
  });
  assert.deepEqual(whole, await byHand.recorded());
  assert.equal(whole[0].maps.data.filter((x) => x === 0).length > 0, true, "masked keys");
  assert.notDeepEqual(whole[0].maps.data, whole[1].maps.data);
});

gpuTest("global column attention is captured as it weighs values", async (device) => {
  const { m } = representations(device);
  const params = shaken(device, initExtraMsaStack(device, CONFIG, Key.fromSeed(1))).blocks[0].msaAttCol;
  const mask = device.tensor([1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0], [1, N_SEQ, N_RES]); // column 2 is masked
  const recorder = everything();
  const capture = attentionTap(recorder, "msaColumnAttention");
  msaColumnGlobalAttention(params, m, { nHead: 3, mask, capture });
  const [{ maps, rowMean }] = await recorder.recorded();
  const masks = await mask.read();
  for (let i = 0; i < N_RES; i++) {
    for (let h = 0; h < 3; h++) {
      const weights = maps.data.subarray((i * 3 + h) * N_SEQ, (i * 3 + h + 1) * N_SEQ);
      if (i === 2) assertClose(weights, [1 / 3, 1 / 3, 1 / 3]);
      else weights.forEach((w, s) => assert.equal(w > 0, masks[s * N_RES + i] === 1));
      if (i === 0) { // row mean without the masked column
        const mean = [0, 1, 2].map((s) => [0, 1, 3, 4].reduce((a, j) => a + maps.data[(j * 3 + h) * N_SEQ + s] / 4, 0));
        assertClose(rowMean!.data.subarray(h * N_SEQ, (h + 1) * N_SEQ), mean);
      }
    }
  }
});

gpuTest("without a capture, and where nothing is selected, no kernel more is run", async (device) => {
  const params = shaken(device, initEvoformer(device, CONFIG, Key.fromSeed(1)));
  const mask = device.tensor(new Float32Array(N_SEQ * N_RES).fill(1), [1, N_SEQ, N_RES]);
  const given = { ...representations(device), msaMask: mask };
  const kernels = (options: BlockOptions) => {
    const before = device.dispatches;
    using scope = device.scope("count");
    void scope;
    evoformerStack(params, given, CONFIG, options);
    return device.dispatches - before;
  };
  const bare = kernels({});
  const seen: [number, AttentionKind][] = [];
  const nothing: AttentionCapture = {
    select: ({ block, kind }) => void seen.push([block, kind]),
    receive: () => assert.fail("nothing was selected"),
  };
  assert.equal(kernels({ capture: nothing }), bare);
  assert.deepEqual(seen, [0, 1].flatMap((block) => ATTENTION_KINDS.map((kind) => [block, kind])));
  const one = new AttentionRecorder({ blocks: [1], kinds: ["msaColumnAttention"], rowMean: true });
  assert.ok(kernels({ capture: one }) > bare);
  assert.deepEqual((await one.recorded()).map(({ site }) => [site.block, site.kind]), [[1, "msaColumnAttention"]]);
});

gpuTest("a capture changes neither results nor gradients nor what is held for them", async (device) => {
  const params = shaken(device, initEvoformer(device, CONFIG, Key.fromSeed(1)));
  const run = async (options: BlockOptions) => {
    const { output, pullLeaves, heldBytes } = pullback(
      device,
      ({ m, z }: { m: Tensor; z: Tensor }) => evoformerStack(params, { m, z }, CONFIG, options),
      representations(device),
    );
    const all = [output.m, output.z, output.s];
    const grads = pullLeaves(all.map((x, i) => device.tensor(randomArray(x.size, 40 + i), x.shape)));
    const numbers = await Promise.all([...all, ...grads].map(async (x) => Float32Array.from(await x!.read())));
    return { numbers, heldBytes };
  };
  const plain = await run({});
  const kept = everything(), again = everything();
  assert.deepEqual(await run({ capture: kept }), plain);
  assert.deepEqual((await run({ capture: again, recompute: "block" })).numbers, plain.numbers);
  assert.deepEqual(await again.recorded(), await kept.recorded());
});

gpuTest("a capture may hold a map, and says which head or row there is not", async (device) => {
  const test: Axial = { shape: [1, 2, 3, 4], nHead: 2, cHidden: 4, axis: 2, bias: false };
  const held: AttentionMap[] = [];
  const keep: AttentionCapture = {
    select: () => ({ heads: [1], rows: [1] }),
    receive: (map) => void held.push({ ...map, weights: device.hold(map.weights) }),
  };
  const numbers = runAxial(device, test, inBlock(keep, 6)!);
  assert.deepEqual(held.map(({ site, head, row, weights }) => [site.block, head, row, weights.shape]), [
    [6, 1, 1, [1, 1, 3, 3]],
  ]);
  assertClose(await held[0].weights.read(), axialReference(test, numbers)[1][0][1].flat(), { rtol: 2e-5 });
  held[0].weights.dispose();
  assert.throws(
    () => runAxial(device, test, new AttentionRecorder({ heads: [2] })),
    /Cannot capture head 2 of msaRowAttention: it has 2, numbered from 0/,
  );
  assert.throws(() => runAxial(device, test, new AttentionRecorder({ rows: () => [-1] })), /Cannot capture row -1/);
});

gpuTest("a capture reads 32 bits where intermediates are kept in 16", async (device) => {
  const test: Axial = { shape: [1, 3, 9, 4], nHead: 2, cHidden: 4, axis: 2, bias: true, gate: "same" };
  const exact = everything(), beside = everything();
  runAxial(device, test, exact);
  try {
    device.intermediates = "f16";
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    return console.log(`Skipped: ${error.message}`);
  }
  try {
    runAxial(device, test, beside);
  } finally {
    device.intermediates = "f32";
  }
  assert.deepEqual(await beside.recorded(), await exact.recorded());
});

gpuTest("pieces are no larger than what kernels of the adapter can see", async (device) => {
  const test: Axial = {
    shape: [1, 7, 128, 4],
    nHead: 2,
    cHidden: 4,
    axis: 1,
    bias: true,
    mask: (_, i) => i < 5 ? 1 : 0,
  };
  const whole = everything(), small = everything();
  runAxial(device, { ...test, shape: [1, 128, 7, 4] }, whole);
  const narrow = new Device(device.gpu, { ...device.traits, maxBindingBytes: 3 * 128 * 128 * 4 });
  {
    using scope = narrow.scope("narrow");
    void scope;
    runAxial(narrow, { ...test, shape: [1, 128, 7, 4] }, small);
    const [a] = await whole.recorded(), [b] = await small.recorded();
    assert.deepEqual(b.maps, a.maps);
    assertClose(b.rowMean!.data, a.rowMean!.data, { rtol: 1e-6, atol: 1e-9 });
  }
});
