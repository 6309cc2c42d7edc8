import assert from "node:assert/strict";
import { type Device, Key, leaves, pullback, type Tensor } from "../../../core/mod.ts";
import {
  type BlockOptions,
  evoformerBlock,
  evoformerBlockParameterCount,
  evoformerConfig,
  evoformerStack,
  type EvoformerStackParams,
  extraMsaConfig,
  extraMsaStack,
  initEvoformer,
  initExtraMsaStack,
  msaColumnGlobalAttention,
  outerProductMean,
} from "../../../model/evoformer/mod.ts";
import { addUpdate } from "../../../model/layers/step.ts";
import { multiplyScalar } from "../../../ops/mod.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";

const SMALL = {
  cM: 12,
  cZ: 10,
  cS: 7,
  cHiddenMsaAtt: 5,
  cHiddenOpm: 3,
  cHiddenMul: 6,
  cHiddenPairAtt: 4,
  nHeadMsa: 3,
  nHeadPair: 2,
  nBlock: 2,
  transitionN: 2,
};
const CONFIG = evoformerConfig(SMALL);

function representations(device: Device, batch: number, nSeq: number, nRes: number) {
  return {
    m: device.tensor(randomArray(batch * nSeq * nRes * CONFIG.cM, 1), [batch, nSeq, nRes, CONFIG.cM]),
    z: device.tensor(randomArray(batch * nRes * nRes * CONFIG.cZ, 2), [batch, nRes, nRes, CONFIG.cZ]),
  };
}

/** Fresh parameters leave everything as it is; these do not. */
function shaken<P>(device: Device, params: P): P {
  leaves<Tensor>(params as never).forEach((tensor, i) => {
    const centre = tensor.shape.length === 1 ? 0.5 : 0;
    device.write(tensor, randomArray(tensor.size, 100 + i).map((x) => centre + x / Math.sqrt(tensor.shape.at(-1)!)));
  });
  return params;
}

Deno.test("a block of AlphaFold 2's widths has exactly 1,829,952 parameters", () => {
  assert.equal(evoformerBlockParameterCount(evoformerConfig()), 1_829_952);
});

Deno.test("a configuration that cannot be is refused", () => {
  assert.throws(() => evoformerConfig({ nHeadMsa: 1.5 }), /nHeadMsa must be a positive integer, got 1.5/);
  assert.throws(() => extraMsaConfig({ pairDropout: 1 }), /pairDropout must be at least 0 and below 1, got 1/);
});

gpuTest("a fresh Evoformer changes neither representation", async (device) => {
  const given = representations(device, 1, 3, 5);
  const out = evoformerStack(initEvoformer(device, CONFIG, Key.fromSeed(1)), given, CONFIG);
  assert.deepEqual(await out.m.read(), await given.m.read());
  assert.deepEqual(await out.z.read(), await given.z.read());
  assert.deepEqual([...out.s.shape], [1, 5, 7]);
  const z = extraMsaStack(initExtraMsaStack(device, CONFIG, Key.fromSeed(2)), given, CONFIG);
  assert.deepEqual(await z.read(), await given.z.read());
});

gpuTest("a batch is its elements side by side", async (device) => {
  const params = shaken(device, initEvoformer(device, CONFIG, Key.fromSeed(1)));
  const { m, z } = representations(device, 2, 3, 5);
  const both = evoformerStack(params, { m, z }, CONFIG);
  const read = async (x: Tensor) => Float32Array.from(await x.read());
  const [wholeM, wholeZ, outM, outZ, outS] = await Promise.all([m, z, both.m, both.z, both.s].map(read));
  for (const b of [0, 1]) {
    const part = (x: Float32Array) => x.slice(b * x.length / 2, (b + 1) * x.length / 2);
    const one = evoformerStack(params, {
      m: device.tensor(part(wholeM), [1, 3, 5, CONFIG.cM]),
      z: device.tensor(part(wholeZ), [1, 5, 5, CONFIG.cZ]),
    }, CONFIG);
    assertClose(await one.m.read(), part(outM), { rtol: 1e-5, atol: 1e-5 }, `m of ${b}`);
    assertClose(await one.z.read(), part(outZ), { rtol: 1e-5, atol: 1e-5 }, `z of ${b}`);
    assertClose(await one.s.read(), part(outS), { rtol: 1e-5, atol: 1e-5 }, `s of ${b}`);
  }
});

gpuTest("masks of ones are as good as none, in both stacks", async (device) => {
  const given = representations(device, 1, 3, 5);
  const ones = (shape: number[]) => device.tensor(new Float32Array(shape.reduce((a, b) => a * b)).fill(1), shape);
  const masked = { ...given, msaMask: ones([1, 3, 5]), pairMask: ones([1, 5, 5]) };
  const config = { ...CONFIG, maskTrans: true };
  const params = shaken(device, initEvoformer(device, CONFIG, Key.fromSeed(1)));
  const a = evoformerStack(params, given, config), b = evoformerStack(params, masked, config);
  assertClose(await b.m.read(), await a.m.read(), { rtol: 1e-5, atol: 1e-5 }, "m");
  assertClose(await b.z.read(), await a.z.read(), { rtol: 1e-5, atol: 1e-5 }, "z");
  const extra = shaken(device, initExtraMsaStack(device, CONFIG, Key.fromSeed(2)));
  const without = extraMsaStack(extra, given, config), withMasks = extraMsaStack(extra, masked, config);
  assertClose(await withMasks.read(), await without.read(), { rtol: 1e-5, atol: 1e-5 }, "z of the extra stack");
});

gpuTest("sequences and residues behind masks change nothing for the others", async (device) => {
  const [nSeq, n, moreSeq, more] = [3, 5, 4, 7];
  const { cM, cZ } = CONFIG;
  const given = representations(device, 1, nSeq, n);
  const [m, z] = [await given.m.read(), await given.z.read()];
  const wideM = new Float32Array(moreSeq * more * cM).fill(2), wideZ = new Float32Array(more * more * cZ).fill(-3);
  const msaMask = new Float32Array(moreSeq * more), pairMask = new Float32Array(more * more);
  for (let s = 0; s < nSeq; s++) {
    for (let i = 0; i < n; i++) {
      msaMask[s * more + i] = 1;
      wideM.set(m.subarray((s * n + i) * cM, (s * n + i + 1) * cM), (s * more + i) * cM);
    }
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      pairMask[i * more + j] = 1;
      wideZ.set(z.subarray((i * n + j) * cZ, (i * n + j + 1) * cZ), (i * more + j) * cZ);
    }
  }
  const wide = {
    m: device.tensor(wideM, [1, moreSeq, more, cM]),
    z: device.tensor(wideZ, [1, more, more, cZ]),
    msaMask: device.tensor(msaMask, [1, moreSeq, more]),
    pairMask: device.tensor(pairMask, [1, more, more]),
  };
  const seen = async (z: Tensor) => {
    const all = await z.read();
    return Float32Array.from({ length: n * n * cZ }, (_, k) => {
      const pair = Math.floor(k / cZ);
      return all[(Math.floor(pair / n) * more + pair % n) * cZ + k % cZ];
    });
  };
  const params = shaken(device, initEvoformer(device, CONFIG, Key.fromSeed(1)));
  const alone = evoformerStack(params, given, CONFIG), padded = evoformerStack(params, wide, CONFIG);
  assertClose(await seen(padded.z), await alone.z.read(), { rtol: 1e-4, atol: 1e-4 }, "z");
  const extra = shaken(device, initExtraMsaStack(device, CONFIG, Key.fromSeed(2)));
  const extraAlone = extraMsaStack(extra, given, CONFIG), extraPadded = extraMsaStack(extra, wide, CONFIG);
  assertClose(await seen(extraPadded), await extraAlone.read(), { rtol: 1e-4, atol: 1e-4 }, "z of the extra stack");
});

gpuTest("columns and pairs without a single residue give finite updates", async (device) => {
  const { m } = representations(device, 1, 3, 5);
  const mask = device.zeros([1, 3, 5]);
  const params = shaken(device, initExtraMsaStack(device, CONFIG, Key.fromSeed(2))).blocks[0];
  const updates = [
    msaColumnGlobalAttention(params.msaAttCol, m, { nHead: CONFIG.nHeadMsa, mask }),
    outerProductMean(params.outerProductMean, m, { mask }),
  ];
  for (const update of updates) for (const x of await update.read()) assert.ok(Number.isFinite(x), `${x}`);
});

type Primals = { params: EvoformerStackParams; m: Tensor; z: Tensor; msaMask: Tensor };

gpuTest(
  "what is computed again on the way back has the same gradients to the bit, and less is held",
  async (device) => {
    const config = { ...CONFIG, maskTrans: true };
    const params = shaken(device, initEvoformer(device, config, Key.fromSeed(3)));
    const { m, z } = representations(device, 2, 3, 5);
    const msaMask = device.tensor(randomArray(30, 7).map((x) => (x > -0.5 ? 1 : 0)), [2, 3, 5]);
    const cotangents = [m, z].map(({ size, shape }, i) => device.tensor(randomArray(size, 8 + i), shape));
    cotangents.push(device.tensor(randomArray(2 * 5 * 7, 10), [2, 5, 7]));
    const run = (recompute: BlockOptions["recompute"]) => {
      const back = pullback(
        device,
        // The mask is made inside, as a network that embeds its inputs would: what is computed again must still have it.
        ({ params, m, z, msaMask }: Primals) => {
          const own = multiplyScalar(msaMask, 1);
          return evoformerStack(params, { m, z, msaMask: own }, config, { key: Key.fromSeed(11), recompute });
        },
        { params, m, z, msaMask },
      );
      return { held: back.heldBytes, grads: back.pullLeaves(cotangents), output: back.output };
    };
    const plain = run("nothing");
    for (const recompute of ["module", "block", "nested"] as const) {
      const again = run(recompute);
      assert.ok(again.held < 0.6 * plain.held, `${recompute}: ${again.held} of ${plain.held} bytes`);
      assert.deepEqual(await again.output.z.read(), await plain.output.z.read());
      for (const [i, grad] of plain.grads.entries()) {
        if (i === plain.grads.length - 1) continue; // the mask's
        assert.deepEqual(await again.grads[i]?.read(), await grad?.read(), `${recompute}: leaf ${i}`);
      }
    }
  },
);

gpuTest("with blocks computed again, one more block costs its inputs alone, there and on the way back", (device) => {
  const [nSeq, nRes] = [6, 40];
  const measured = [2, 4, 6].map((nBlock) => {
    using scope = device.scope("measured");
    void scope;
    const config = { ...CONFIG, nBlock };
    const params = initEvoformer(device, config, Key.fromSeed(3));
    const { m, z } = representations(device, 1, nSeq, nRes);
    const cotangents = [m, z, device.zeros([1, nRes, config.cS])];
    const before = device.memory.liveBytes;
    device.resetPeakMemory();
    const back = pullback(
      device,
      (p: EvoformerStackParams) => evoformerStack(p, { m, z }, config, { recompute: "block" }),
      params,
    );
    const held = device.memory.liveBytes - before;
    const peakThere = device.memory.peakBytes - before;
    device.resetPeakMemory();
    const grads = back.pullLeaves(cotangents);
    const gradBytes = grads.reduce((sum, grad) => sum + grad!.storage.bytes, 0);
    return { held, peakThere, peakBack: device.memory.peakBytes - before, gradBytes };
  });
  const bytes = (size: number) => Math.ceil(size / 64) * 256;
  const perBlock = bytes(nSeq * nRes * CONFIG.cM) + bytes(nRes * nRes * CONFIG.cZ);
  const [two, four, six] = measured;
  for (const [fewer, more] of [[two, four], [four, six]]) {
    assert.equal(more.held - fewer.held, 2 * perBlock);
    assert.equal(more.peakThere - fewer.peakThere, 2 * perBlock);
    // On the way back a block's inputs are let go one after the other while gradients of parameters come instead.
    const grown = more.peakBack - fewer.peakBack;
    assert.ok(grown <= 2 * perBlock + more.gradBytes - fewer.gradBytes && grown > 0, `${grown} bytes`);
  }
});

gpuTest(
  "frozen parameters cost no kernel on the way back, and blocks computed again one forward pass",
  async (device) => {
    const [nSeq, nRes] = [3, 5];
    const params = shaken(device, initEvoformer(device, CONFIG, Key.fromSeed(3)));
    const { m, z } = representations(device, 1, nSeq, nRes);
    const msaMask = device.tensor([...new Array(nSeq * nRes - 1).fill(1), 0], [1, nSeq, nRes]);
    const pairMask = device.tensor([...new Array(nRes * nRes - 1).fill(1), 0], [1, nRes, nRes]);
    const kernels = (run: () => void) => {
      const before = device.dispatches;
      run();
      return device.dispatches - before;
    };
    type Some = { m: Tensor; z: Tensor; params?: EvoformerStackParams };
    const run = async (primals: Some, recompute?: "block") => {
      const f = ({ params: own = params, ...pair }: Some) =>
        evoformerStack(own, { ...pair, msaMask, pairMask }, CONFIG, { recompute }).z;
      const before = device.dispatches;
      const back = pullback<Some, Tensor>(device, f, primals);
      const forward = device.dispatches - before;
      let grads: (Tensor | null)[] = [];
      const backward = kernels(() => grads = back.pullLeaves([z]));
      return {
        forward,
        backward,
        held: back.heldBytes,
        numbers: await Promise.all(grads.slice(0, 2).map((grad) => grad!.read())),
      };
    };
    const all = await run({ m, z, params }), frozen = await run({ m, z }), again = await run({ m, z }, "block");
    const rest = kernels(() => evoformerStack({ ...params, blocks: [] }, { m, z, msaMask, pairMask }, CONFIG));
    assert.deepEqual(frozen.numbers, all.numbers);
    assert.deepEqual(again.numbers, all.numbers);
    // Between two blocks small gradients of a representation, added four by one dispatch, are added up before they go on.
    const borders = params.blocks.length - 1;
    assert.equal(again.backward, frozen.backward + frozen.forward - rest + borders);
    assert.ok(frozen.backward < 0.7 * all.backward, `${frozen.backward} kernels of ${all.backward}`);
    assert.ok(
      frozen.held < 0.9 * all.held && again.held < 0.5 * frozen.held,
      `${frozen.held}, ${again.held} of ${all.held}`,
    );
  },
);

gpuTest(
  "blocks and modules computed again, one inside the other, take less on the way back than blocks alone",
  (device) => {
    const peak = (recompute: BlockOptions["recompute"]) => {
      using scope = device.scope("measured");
      void scope;
      const params = initEvoformer(device, CONFIG, Key.fromSeed(3));
      const { m, z } = representations(device, 1, 6, 40);
      const back = pullback(
        device,
        (p: EvoformerStackParams) => evoformerStack(p, { m, z }, CONFIG, { recompute }),
        params,
      );
      const cotangents = [m, z, device.zeros([1, 40, CONFIG.cS])];
      const before = device.memory.liveBytes;
      device.resetPeakMemory();
      back.pullLeaves(cotangents);
      return device.memory.peakBytes - before;
    };
    const [block, nested] = [peak("block"), peak("nested")];
    assert.ok(nested < 0.7 * block, `${nested} bytes nested, ${block} without`);
  },
);

gpuTest("representations that are used up are let go on the way", async (device) => {
  const params = shaken(device, initEvoformer(device, CONFIG, Key.fromSeed(3)));
  const run = async (consume: boolean) => {
    using scope = device.scope("measured");
    void scope;
    const { m, z } = representations(device, 1, 3, 40);
    device.resetPeakMemory();
    const before = device.memory.liveBytes;
    const out = evoformerStack(params, { m, z }, CONFIG, { consume });
    assert.deepEqual([m.disposed, z.disposed], [consume, consume]);
    return { peak: device.memory.peakBytes - before, numbers: [...await out.z.read(), ...await out.m.read()] };
  };
  const kept = await run(false), used = await run(true);
  assert.deepEqual(used.numbers, kept.numbers);
  const saved = kept.peak - used.peak, given = 4 * 40 * 40 * CONFIG.cZ;
  assert.ok(saved >= given, `${saved} bytes less, z has ${given}`);
});

gpuTest("dropout follows its key, and is off without one", async (device) => {
  const params = shaken(device, initEvoformer(device, CONFIG, Key.fromSeed(3)));
  const given = representations(device, 1, 3, 5);
  const z = async (key?: Key) => await evoformerStack(params, given, CONFIG, { key }).z.read();
  const first = await z(Key.fromSeed(1));
  assert.deepEqual(await z(Key.fromSeed(1)), first);
  assert.notDeepEqual(await z(Key.fromSeed(2)), first);
  assert.notDeepEqual(await z(), first);
  const none = { ...CONFIG, msaDropout: 0, pairDropout: 0 };
  assert.deepEqual(await evoformerStack(params, given, none, { key: Key.fromSeed(1) }).z.read(), await z());
});

gpuTest("dropout decides for rows or columns together, for each element of a batch on its own", async (device) => {
  const [batch, rows, columns, c, rate] = [2, 3, 4, 50, 0.25];
  const zeros = device.zeros([batch, rows, columns, c]);
  const ones = device.tensor(new Float32Array(zeros.size).fill(1), zeros.shape);
  for (const axis of [1, 2] as const) {
    const out = await addUpdate(zeros, () => ones, { rate, key: Key.fromSeed(5), axis }).read();
    const at = (b: number, i: number, j: number, k: number) => out[((b * rows + i) * columns + j) * c + k];
    const kept = Math.fround(1 / (1 - rate));
    let dropped = 0, differ = 0;
    for (let b = 0; b < batch; b++) {
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          for (let k = 0; k < c; k++) {
            const x = at(b, i, j, k);
            assert.ok(x === 0 || Math.abs(x - kept) < 1e-6, `${x}`);
            assert.equal(x, axis === 1 ? at(b, 0, j, k) : at(b, i, 0, k));
            if (x === 0) dropped++;
            if (x !== at(0, i, j, k)) differ++;
          }
        }
      }
    }
    assert.ok(Math.abs(dropped / out.length - rate) < 0.1, `${dropped} of ${out.length}`);
    assert.ok(differ > 0);
  }
});

gpuTest("with the outer product first, pairs learn of the MSA as it came in", async (device) => {
  const params = shaken(device, initEvoformer(device, CONFIG, Key.fromSeed(3))).blocks[0];
  const given = representations(device, 1, 3, 5);
  const multimer = { ...CONFIG, opmFirst: true };
  const before = await evoformerBlock(params, given, multimer).z.read();
  const last = await evoformerBlock(params, given, CONFIG).z.read();
  const { weight } = params.msaTransition.linear_2;
  device.write(weight, randomArray(weight.size, 4).map((x) => 3 * x));
  assert.deepEqual(await evoformerBlock(params, given, multimer).z.read(), before);
  assert.notDeepEqual(await evoformerBlock(params, given, CONFIG).z.read(), last);
});

gpuTest("a block without column attention needs no parameters for it", async (device) => {
  const config = evoformerConfig({ ...SMALL, nBlock: 1, columnAttention: false });
  const params = shaken(device, initEvoformer(device, config, Key.fromSeed(3)));
  assert.equal(params.blocks[0].msaAttCol, undefined);
  for (const x of await evoformerStack(params, representations(device, 1, 3, 5), config).s.read()) {
    assert.ok(Number.isFinite(x));
  }
});

gpuTest("one sequence of one residue is enough", async (device) => {
  const params = shaken(device, initEvoformer(device, CONFIG, Key.fromSeed(3)));
  const { s } = evoformerStack(params, representations(device, 1, 1, 1), CONFIG);
  for (const x of await s.read()) assert.ok(Number.isFinite(x));
});
