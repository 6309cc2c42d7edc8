import assert from "node:assert/strict";
import { type AdapterTraits, Device, Profiler } from "../../../core/mod.ts";
import { setFusions } from "../../../ops/mod.ts";
import { mostResidues } from "../../../tools/plan/fit.ts";
import { plannedWorkload, type PlanSizes } from "../../../tools/plan/models.ts";
import { planModel, type PlanRequest } from "../../../tools/plan/plan.ts";
import { planText } from "../../../tools/plan/text.ts";
import { roofMs, summarize } from "../../../tools/profile/summarize.ts";
import { gpuTest, testDevice } from "../../_gpu.ts";
import { SAMPLE_FACTS, sampleProfile } from "../profile/sample_profile.ts";

const { traits } = await testDevice();

/** An adapter like a large GPU's. */
const LARGE: AdapterTraits = {
  ...traits,
  ...{ description: "a large GPU", software: false, kernelFamilies: ["workgroup"], loadPaths: ["buffers"] },
  ...{ maxBufferBytes: 2 ** 40, maxBindingBytes: 2 ** 31 },
};

function request(model: string, sizes: PlanSizes, train: boolean, more: Partial<PlanRequest> = {}): PlanRequest {
  return { planned: plannedWorkload(model, sizes, train), traits, roofs: null, version: "0.0.0", ...more };
}

const SHAPES: readonly (readonly [string, PlanSizes])[] = [
  ["evoformer", { blocks: 2, nSeq: 5, nRes: 11, cM: 64, cZ: 32 }],
  ["evoformer", { blocks: 1, nSeq: 12, nRes: 23, batch: 2, cM: 32, cZ: 64, recompute: "block" }],
  ["tiny", { blocks: 2, nSeq: 6, nRes: 17, batch: 3, cM: 32, cZ: 48 }],
  ["nnx", { nSeq: 9, nRes: 13, batch: 2 }],
  [
    "trunk2021",
    {
      ...{ depth: 1, nSeq: 3, nRes: 5, dim: 8, heads: 2, dimHead: 4 },
      ...{ endToEnd: true, refiner: "egnn", refinerDim: 4, refinerDepth: 1 },
    },
  ],
  ["alphafold", { preset: "model_1", blocks: 1, nSeq: 5, nExtra: 6, nTemplates: 2, nRes: 11, recompute: "nested" }],
];

Deno.test("a plan with 16-bit intermediates takes less", async () => {
  const peak = async (storage: string) => {
    const sizes = { blocks: 1, nSeq: 16, nRes: 48, storage };
    return (await planModel(request("evoformer", sizes, false, { traits: LARGE }))).memory.peakBytes;
  };
  assert.ok(await peak("f16") < 0.8 * await peak("f32"), `${await peak("f16")} and ${await peak("f32")} bytes`);
});

for (const [model, sizes] of SHAPES) {
  for (const train of [false, true]) {
    gpuTest(
      `the planned peak of ${model} ${JSON.stringify(sizes)}${train ? ", training," : ""} is the measured one`,
      async (device) => {
        const planned = plannedWorkload(model, sizes, train);
        const { memory, step } = await planModel(request(model, sizes, train));
        device.resetPeakMemory();
        const before = device.memory.liveBytes;
        assert.equal(before, 0);
        let dispatches = 0;
        {
          using opened = planned.workload.open(device, planned.values);
          for (let i = 0; i < 3; i++) {
            dispatches = device.dispatches;
            await opened.step();
          }
        }
        const { peakBytes, peakAllocatedBytes } = device.memory;
        for (
          const [name, is, was] of [["tensors", memory.peakBytes, peakBytes], [
            "buffers",
            memory.peakAllocatedBytes,
            peakAllocatedBytes,
          ]] as const
        ) {
          assert.ok(Math.abs(is / was - 1) < 0.05, `${name}: planned ${is}, measured ${was} bytes`);
        }
        assert.equal(step.kernels, device.dispatches - dispatches);
        assert.equal(memory.atPeak.reduce((sum, { bytes }) => sum + bytes, 0), memory.peakBytes);
      },
    );
  }
}

Deno.test("a model far larger than the machine is planned, and what would fit is found", async () => {
  const sizes = { nSeq: 512, nRes: 384 };
  const kept = await planModel(request("evoformer", sizes, true, { traits: LARGE }));
  const again = request("evoformer", { ...sizes, recompute: "block" }, true, {
    traits: LARGE,
    memoryBytes: 16 * 2 ** 30,
    roofs: { gflops: 10_000, gbs: 1000 },
  });
  const { fits, problems, memory, step, time } = await planModel(again);
  assert.ok(kept.fits, "its memory is not known");
  assert.ok(kept.memory.peakBytes > 10 * memory.peakBytes, "recomputing saves most of it");
  assert.ok(step.flops > 1.2 * kept.step.flops, "and costs operations");
  assert.deepEqual([fits, problems.length], [false, 1]);
  assert.match(problems[0], /^It needs \d+\.\d\d GiB of GPU memory, there are 16\.00 GiB$/);
  assert.ok(time.roofMs! >= step.flops / 1e10 && time.likelyMs === null);
  const tried: number[] = [];
  const oneBlock = {
    ...again,
    planned: plannedWorkload("evoformer", { ...sizes, blocks: 4, recompute: "block" }, true),
  };
  const limited = { ...oneBlock, memoryBytes: 4 * 2 ** 30 };
  const most = await mostResidues(limited, "n-res", 384, (n) => tried.push(n));
  assert.ok(most! > 8 && most! < 384 && tried.length <= 6, `${most} after ${tried}`);
  const peakOf = async (nRes: number) => {
    const values = { ...limited.planned.values, "n-res": nRes };
    return (await planModel({ ...limited, planned: { ...limited.planned, values } })).memory.peakAllocatedBytes;
  };
  assert.ok(await peakOf(most!) <= limited.memoryBytes && await peakOf(most! + 8) > limited.memoryBytes);
});

Deno.test("a plan names the limit that a size passes, and what it would take without", async () => {
  const small = { ...traits, maxBufferBytes: 2 ** 22, maxBindingBytes: 2 ** 20 };
  const sizes = { blocks: 1, nSeq: 64, nRes: 128, cM: 256, cZ: 128 };
  const plan = await planModel(request("evoformer", sizes, false, { traits: small }));
  assert.equal(plan.fits, false);
  assert.match(plan.problems[0], /4194304/);
  assert.ok(plan.memory.largestTensorBytes > small.maxBufferBytes);
  assert.equal(plan.time.roofMs, null);
  const text = planText(plan, { top: 3, ways: [], mostResidues: 40 });
  assert.match(
    text,
    /\nIt does not fit:\n {2}A tensor of shape .*\n {2}What would fit: 40 residues\.\nPeak GPU memory: /,
  );
  assert.match(text, /\nTime: not known/);
  assert.match(text, /tensors at the peak, by scope +MiB +share +tensors\n/);
  await assert.rejects(planModel(request("tiny", { cM: 30 }, false)), { name: "InputError", message: /msaDim 30/ });
});

Deno.test("a step with very many kernels is not planned, which takes no more than one line to say", async () => {
  const sizes = { blocks: 1, nSeq: 4, nRes: 8, cM: 32, cZ: 16 };
  const { step, kernels } = await planModel(request("evoformer", sizes, false));
  assert.equal(kernels.reduce((sum, { count }) => sum + count, 0), step.kernels);
  const plan = await planModel(request("evoformer", sizes, false, { mostKernels: step.kernels }));
  assert.equal(plan.step.kernels, step.kernels);
  await assert.rejects(planModel(request("evoformer", sizes, false, { mostKernels: step.kernels - 1 })), {
    name: "InputError",
    message: /^Cannot plan evoformer: a step of these sizes has more than [\d,]+ kernels; choose fewer blocks, [^\n]+$/,
  });
  const slow = { ...plan, time: { roofMs: 3.5 * 86.4e6, likelyMs: null }, roofs: { gflops: 1, gbs: 1 } };
  const text = planText(slow, { top: 1, ways: [{ name: "training", plan: null }] });
  assert.match(text, /\nTime: no less than 3\.5 days a step/);
  assert.match(text, /\ntraining \(too many kernels to plan\) +– +– +– +–$/);
});

Deno.test("products that are taken apart make the operations that PyTorch counts for the small Evoformer", async () => {
  // torch.utils.flop_counter on the reference recipe's model, default sizes, one sample
  const torch = { forward: 22_198_353_920, backward: 44_328_550_400 };
  const batch = 4;
  const { workload, values } = plannedWorkload("tiny", { batch }, true);
  const device = Device.dry(traits);
  setFusions(device, []);
  using opened = workload.open(device, values);
  const profiler = Profiler.start(device);
  await opened.step();
  const products = (await profiler.stop()).kernels.filter(({ kernel }) => /^(matmul|triangleProduct)$/.test(kernel));
  // The distance head's single column is computed as four in two of its three products.
  const padded = 2 * 2 * (batch * 64 * 64) * 128 * 3;
  assert.equal(
    products.reduce((sum, { flops }) => sum + flops!, 0),
    batch * (torch.forward + torch.backward) + padded,
  );
});

Deno.test("the likely time has each kernel at its share of the roofs in a profile", async () => {
  const { roofs } = SAMPLE_FACTS;
  const like = summarize(sampleProfile(), SAMPLE_FACTS);
  const { kernels, step, time } = await planModel(request("nnx", { nSeq: 5, nRes: 8 }, false, { roofs, like }));
  const share = like.rows.kernel[0].roofShare!;
  const mean = like.rows.kernel.reduce((sum, { totalMs, roofShare }) => sum + totalMs * roofShare!, 0) / like.gpuMs;
  const expected = kernels.reduce((sum, { kernel, flops, bytes }) => {
    const least = roofMs({ flops: flops!, bytes }, roofs);
    return sum + least / (kernel === "matmul" ? share : mean);
  }, roofMs({ flops: 0, bytes: 2 * step.copiedBytes }, roofs));
  // Sums of kernels' least times are no less than the least time of their sums.
  assert.ok(time.likelyMs! > time.roofMs! && time.likelyMs! >= 0.999 * expected, `${time.likelyMs} and ${expected}`);
});
