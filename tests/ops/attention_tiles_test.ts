/** Attention as two products in tiles: a way that GPUs try, here on whatever adapter there is. */
import assert from "node:assert/strict";
import { requestTraits } from "../../core/adapter.ts";
import { Device, pullback, type Shape, sizeOf, type Tensor } from "../../core/mod.ts";
import type { AttentionStructure } from "../../ops/attention.wgsl.ts";
import { tiledForwardKernel, tiledQueriesKernel } from "../../ops/attention_tiles.wgsl.ts";
import { attention, setTuning, tuningOf } from "../../ops/mod.ts";
import { familiesOf } from "../../ops/tuning.ts";
import { ensureAdapter } from "../../tools/platform/driver.ts";
import { tiled } from "../_attention_tiles.ts";
import { assertClose, gpuTest, ofFamily, randomArray } from "../_gpu.ts";

type Inputs = Readonly<Record<string, Tensor>>;

interface Case {
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly heads: number;
  readonly masked?: true;
}

/**
 * Odd lengths and whole vec4s; one tile and more; few sequences, and so many that they are cut into parts. Few texts, as
 * each takes half a second to compile.
 */
const CASES: Readonly<Record<string, Case>> = {
  "parts of sequences": { shapes: { qkv: [1, 20, 37, 64], bias: [1, 2, 37, 37] }, heads: 2, masked: true },
  "rows of whole vec4s": { shapes: { qkv: [2, 3, 36, 64], bias: [2, 2, 36, 36] }, heads: 2, masked: true },
  "one sequence": { shapes: { qkv: [1, 1, 5, 64], bias: [1, 2, 5, 5] }, heads: 2, masked: true },
  "keys of others": {
    shapes: { q: [1, 2, 45, 16], k: [1, 2, 67, 16], v: [1, 2, 67, 16], bias: [1, 2, 45, 67] },
    heads: 2,
  },
};

/** Output and gradients. */
async function run(device: Device, { shapes, heads, masked }: Case): Promise<Float32Array[]> {
  using scope = device.scope("attention");
  void scope;
  const made = Object.entries(shapes).map(([name, shape], i) =>
    [name, device.tensor(randomArray(sizeOf(shape), i + 1), shape)] as const
  );
  const inputs: Inputs = Object.fromEntries(made);
  const [b, i, j] = (shapes.qkv ?? shapes.k) as readonly number[];
  const mask = masked && device.tensor(randomArray(b * i * j, 9).map((x) => x > -0.7 ? 1 : 0), [b, i, j]);
  const attend = (x: Inputs) =>
    attention({ ...x, mask } as never, { heads, axis: 2, ...(shapes.qkv && { gated: true }) });
  const { output, pullLeaves } = pullback(device, attend, inputs);
  const gradients = pullLeaves([device.tensor(randomArray(output.size, 7), output.shape)]);
  return await Promise.all([output, ...gradients].map((x) => x!.read() as Promise<Float32Array>));
}

let opened: Device | undefined;

for (const [name, one] of Object.entries(CASES)) {
  gpuTest(`attention in tiles gives what the plain kernels do, there and back: ${name}`, async (shared) => {
    const device = opened ??= tiled(shared);
    const names: string[] = [];
    device.run = (kernel, what) => {
      names.push(kernel.name);
      Device.prototype.run.call(device, kernel, what);
    };
    const found = await run(device, one), expected = await run(ofFamily(shared, "plain"), one);
    for (const [at, numbers] of expected.entries()) {
      assertClose(found[at], numbers, { rtol: 1e-4, atol: 2e-5 }, at ? `gradient ${at}` : "output");
    }
    const used = names.filter((name) => name.endsWith("tiles"));
    assert.deepEqual(used, ["attention.tiles", "attention.vjp.tiles"], names.join(", "));
    assert.ok(!names.includes("attention.vjp.bias"), "the bias has a kernel of its own");
    assert.deepEqual(await run(device, one), found); // the same bits
    assert.deepEqual(device.kernels.findings, []);
    assert.equal(device.memory.liveTensors, 0);
  });
}

const STRUCTURE: AttentionStructure = {
  family: "tiles",
  ...{ lanes: 64, t: 1, d4: 1, items: 4, packed: true, flat: false, bias: false, mask: false },
};

/** Kernels, and how the edge of their keys is told. */
const KERNELS = [
  [tiledForwardKernel({ ...STRUCTURE, gated: false, record: false }), "(tile + lane < u.Lk)"],
  [tiledQueriesKernel(STRUCTURE), "+ 3u < u.Lk"],
] as const;

for (const [kernel, edge] of KERNELS) {
  gpuTest(`${kernel.name} is right in any order of invocations, and what is wrong in it is found`, async () => {
    let mutate = (code: string) => code;
    const { device: gpu, traits } = await requestTraits((await ensureAdapter()).adapter);
    const create = gpu.createShaderModule;
    Object.defineProperty(gpu, "createShaderModule", {
      value: (source: GPUShaderModuleDescriptor) => create.call(gpu, { ...source, code: mutate(source.code) }),
    });
    const device = tiled({ gpu, traits });
    const reordered = (code: string) => code.replace("let lane = local.x;", "let lane = (local.x * 13u + 7u) % 64u;");
    const outcome = async (change: (code: string) => string) => {
      let changed = false;
      mutate = (code) => {
        const after = change(code);
        changed ||= after !== code;
        return after;
      };
      const found = await device.kernels.probe(kernel, { loads: "buffers" });
      assert.ok(changed, `nothing was changed by ${change}`);
      return found!;
    };
    assert.equal((await outcome(reordered)).reason, "");
    for (let dropped = 0; dropped < kernel.source.body.split("workgroupBarrier();").length - 1; dropped++) {
      const { right } = await outcome((code) => {
        let seen = 0;
        return reordered(code).replace(/workgroupBarrier\(\);/g, (barrier) => seen++ === dropped ? "" : barrier);
      });
      // Where invocations run one after the other, as on SwiftShader, one or the other may not be missed.
      if (/llvmpipe/.test(traits.description)) assert.equal(right, false, `barrier ${dropped + 1}`);
    }
    for (const [from, to] of [[edge, edge.replace("<", "<=")], ["own_2 < u.Lq", "own_2 + 1u < u.Lq"]]) {
      assert.equal((await outcome((code) => code.replace(from, to))).right, false, from);
    }
    device.close();
  });
}

gpuTest("heads with more channels than tiles have room for, and blocks, go without them", (shared) => {
  const device = Device.dry(tiled(shared).traits);
  setTuning(device, { ...tuningOf(device), attention: "tiles" });
  const names: string[] = [];
  const { run: dispatch } = device;
  device.run = (kernel, what) => {
    names.push(kernel.name);
    dispatch.call(device, kernel, what);
  };
  const layout = { block: 16, rows: 2, columns: 2, visited: [[0, 1], [1]] };
  for (const [channels, options] of [[36, {}], [32, { layout }], [32, {}]] as const) {
    attention({ qkv: device.empty([1, 2, 32, 3 * channels]) }, { heads: 1, axis: 2, ...options } as never);
  }
  assert.deepEqual(names, ["attention", "attention.sparse", "attention.tiles"]);
});

gpuTest("tiles are a way of GPUs alone", ({ traits }) => {
  const gpu = { ...traits, kernelFamilies: ["workgroup", "plain"], software: false } as const;
  assert.deepEqual(familiesOf(gpu, "attention"), ["workgroup", "tiles", "plain"]);
  assert.deepEqual(familiesOf({ ...gpu, software: true }, "attention"), ["workgroup", "plain"]);
  assert.deepEqual(familiesOf(gpu, "triangle"), ["workgroup", "plain"]);
});
