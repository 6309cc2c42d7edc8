/** Loops: lavapipe ends those of one invocation, all together, after 65,535 turns, and says nothing. */
import assert from "node:assert/strict";
import { Device, type Kernel, kernel, kernelText, pullback, sizeOf, type Tensor } from "../../core/mod.ts";
import { MOST_TURNS } from "../../core/wgsl.ts";
import { globalNorm } from "../../finetune/mod.ts";
import {
  betweenResidueClashes,
  frameAlignedPointError,
  lddtCa,
  renamedGroundTruth,
} from "../../model/alphafold/losses/mod.ts";
import { pullKernel, spreadKernel } from "../../model/distance_geometry/mds_gpu.wgsl.ts";
import * as ops from "../../ops/mod.ts";
import { tiled } from "../_attention_tiles.ts";
import { FAMILIES, familyTest, gpuTest, testDevice } from "../_gpu.ts";
import { preferring, unitTiles, withUnits } from "../_matrix_units.ts";
import { runAlphaFold } from "../kernels/alphafold.ts";
import { OPS, type Run, runOp } from "./_runs.ts";

const { traits } = await testDevice();

/** Puts another function in the place of a device's `run`, until it is disposed of. */
function intercept(device: Device, run: (kernel: Kernel, dispatch: Parameters<Device["run"]>[1]) => void): Disposable {
  const before = device.run;
  device.run = run;
  return { [Symbol.dispose]: () => void (device.run = before) };
}

/** Turns that a kernel may take without saying so. */
const FEW = 400;

/** The same kernel, which also writes how many turns each invocation took, the tests that end loops included. */
function counting({ source }: Kernel): Kernel {
  const counted = (text: string) =>
    text.replace(/(?:for|while) \([^{]*\) \{/g, "turns_taken += 1u; $& turns_taken += 1u;");
  const at = "(group.z * groups.x * groups.y + block)";
  return kernel({
    ...source,
    bindings: { ...source.bindings, turns_out: "write u32" },
    declarations: `var<private> turns_taken: u32;\n${counted(source.declarations ?? "")}`,
    body: `${counted(source.body)}\nturns_out[${at} * ${source.workgroupSize ?? 64}u + lane] = turns_taken;`,
  });
}

const ones = (device: Device, ...shape: number[]) => ops.addScalar(device.zeros(shape), 1);

/** Losses of AlphaFold that go along all residues, frames or atoms, with nothing masked. */
function clashes(device: Device, x: Tensor): Tensor {
  const perAtom = x.shape.slice(0, -1), perResidue = x.shape.slice(0, -2);
  const numbers = device.dry
    ? device.empty(perResidue, "i32")
    : device.tensor([...Array(sizeOf(perResidue)).keys()], perResidue, "i32");
  const facts = { exists: ones(device, ...perAtom), residueIndex: numbers };
  return betweenResidueClashes(x, ones(device, ...perAtom), facts).perAtomLoss;
}

function fape(device: Device, frames: Tensor, points: Tensor): Tensor {
  const frameMask = ones(device, ...frames.shape.slice(0, 2)), pointMask = ones(device, ...points.shape.slice(0, 2));
  return frameAlignedPointError({ frames, points, trueFrames: frames, truePoints: points, frameMask, pointMask });
}

function lddt(device: Device, x: Tensor): Tensor {
  const { scores } = lddtCa(x, x, ones(device, ...x.shape.slice(0, 2)));
  return ops.add(x, ops.reshape(scores, [...scores.shape, 1]));
}

function renaming(device: Device, x: Tensor): Tensor {
  const perAtom = x.shape.slice(0, -1), exists = ones(device, ...perAtom);
  const truth = { positions: x, altPositions: x, exists, altExists: exists, ambiguous: exists };
  return ops.add(x, renamedGroundTruth(x, truth).positions);
}

/** Sizes at which loops make more than one turn. */
const LOOPING: Readonly<Record<string, Run>> = {
  attention: (_, x) => [
    { qkv: x(2, 5, 35, 4 * 2 * 8), bias: x(2, 2, 35, 35) },
    ({ qkv, bias }) => ops.attention({ qkv, bias }, { heads: 2, axis: 2, gated: true }),
  ],
  attentionToOthers: (_, x) => [
    { q: x(1, 3, 45, 16), k: x(1, 3, 61, 16), v: x(1, 3, 61, 16), bias: x(1, 2, 45, 61) },
    ({ q, k, v, bias }) => ops.attention({ q, k, v, bias }, { heads: 2, axis: 2 }),
  ],
  attentionToFew: (_, x) => [
    { q: x(1, 30, 5, 16), k: x(1, 30, 21, 16), v: x(1, 30, 21, 16), bias: x(1, 2, 5, 21) },
    ({ q, k, v, bias }) => ops.attention({ q, k, v, bias }, { heads: 2, axis: 2 }),
  ],
  columns: (_, x) => [{ x: x(700, 12) }, ({ x }) => ops.sum(x, { axes: [0] })],
  clashes: (device, x) => [{ x: x(1, 5, 14, 3) }, ({ x }) => clashes(device, x)],
  crossEntropy: (_, x) => [{ x: x(9, 68), y: x(9, 68) }, ({ x, y }) => ops.crossEntropy(x, y)],
  embedding: (device, x) => [{ table: x(5, 8) }, ({ table }) => ops.embedding(table, device.empty([700], "i32"))],
  fape: (device, x) => [
    { frames: x(2, 70, 3, 4), points: x(2, 90, 3) },
    ({ frames, points }) => fape(device, frames, points),
  ],
  gatedTriangle: (_, x) => [
    { packed: x(1, 34, 34, 64) },
    ({ packed }) => ops.gatedTriangleProduct({ packed }, { direction: "incoming" }),
  ],
  huber: (_, x) => [{ x: x(20_000), y: x(20_000) }, ({ x, y }) => ops.huber(x, y)],
  lddt: (device, x) => [{ x: x(1, 90, 3) }, ({ x }) => lddt(device, x)],
  layerNorm: (_, x) => [{ x: x(300, 67), gamma: x(67) }, ({ x, gamma }) => ops.layerNorm(x, { gamma })],
  linear: (_, x) => [
    { x: x(9, 68), weight: x(12, 68), bias: x(12) },
    ({ x, weight, bias }) => ops.linear(x, { weight, bias }),
  ],
  max: (_, x) => [{ x: x(3, 1023) }, ({ x }) => ops.max(x, { axes: [1] })],
  renaming: (device, x) => [{ x: x(1, 7, 14, 3) }, ({ x }) => renaming(device, x)],
  softmaxExpectation: (device, x) => [{ x: x(6, 67) }, ({ x }) => ops.softmaxExpectation(x, device.empty([67]))],
  sparseCrossEntropy: (device, x) => [
    { x: x(6, 64) },
    ({ x }) => ops.sparseCrossEntropy(x, device.empty([6], "i32")),
  ],
  softmax: (_, x) => [{ x: x(7, 131) }, ({ x }) => ops.softmax(x)],
  softmaxAcross: (_, x) => [{ x: x(61, 8) }, ({ x }) => ops.softmax(x, { axis: 0 })],
  softmaxWide: (_, x) => [{ x: x(3, 260) }, ({ x }) => ops.softmax(x)],
};

familyTest("kernels take no more turns than they say, and not many fewer", async (device) => {
  const counted = await countTurns(device, LOOPING);
  assert.ok(counted > 15, `${counted} kernels with loops`);
});

gpuTest("products on units take no more turns than they say", async (shared) => {
  const { linear } = LOOPING;
  const device = withUnits(shared, "f16, 8 × 16 × 16, 16 lanes");
  preferring(device, unitTiles(device).at(-1)!);
  assert.ok(await countTurns(device, { linear }) >= 3);
});

gpuTest("attention in tiles takes no more turns than it says", async (shared) => {
  const { attention, attentionToOthers } = LOOPING;
  assert.ok(await countTurns(tiled(shared), { attention, attentionToOthers }) >= 6);
});

/** Runs ops and compares the turns that their kernels take with what they say. @returns Kernels with loops. */
async function countTurns(device: Device, ops: Readonly<Record<string, Run>>): Promise<number> {
  let counted = 0;
  for (const [name, op] of Object.entries(ops)) {
    const taken: { kernel: Kernel; said: number | undefined; turns: Tensor }[] = [];
    using _ = device.scope(name);
    {
      const run = device.run;
      using _ = intercept(device, (kernel, dispatch) => {
        const [x, y, z] = dispatch.grid;
        const turns = device.zeros([x * y * z * (kernel.source.workgroupSize ?? 64)], "u32");
        run.call(device, counting(kernel), { ...dispatch, bindings: { ...dispatch.bindings, turns_out: turns } });
        taken.push({ kernel, said: kernel.source.turns?.(dispatch.uniforms ?? {}), turns: device.hold(turns) });
      });
      runOp(device, op);
    }
    for (const { kernel, said, turns } of taken) {
      const most = Array.from(await turns.read()).reduce((most, n) => Math.max(most, n), 0);
      turns.dispose();
      const told = `${name}, kernel ${kernel.name}: ${most} turns, said ${said}`;
      assert.ok(most <= (said ?? FEW), told);
      if (said !== undefined) assert.ok(said <= 2 * most + 16, told);
      if (most > 1) counted++;
    }
  }
  return counted;
}

/** A loop whose header bounds it by a number of the text: `i < 32u`. */
const BOUNDED = /^(?:for|while) \([^{]*< \d+u[ ;&)]/;

Deno.test("every kernel with a loop bounded by a size says how many turns it takes", () => {
  let loops = 0;
  for (const family of FAMILIES) {
    const device = Device.dry({ ...traits, kernelFamilies: [family], subgroupSize: 8 });
    const run = device.run;
    using _ = intercept(device, (kernel, dispatch) => {
      const text = kernelText(kernel, { textures: false, enableSubgroups: false });
      for (const [header] of text.matchAll(/(?:for|while|loop) [^{]*\{/g)) {
        loops++;
        const told = kernel.source.turns || BOUNDED.test(header);
        assert.ok(told, `kernel ${kernel.name} says nothing of its loop ${header}`);
      }
      run.call(device, kernel, dispatch);
    });
    for (const op of Object.values({ ...OPS, ...LOOPING })) runOp(device, op);
    runAlphaFold(device);
  }
  assert.ok(loops > 50, `${loops} loops`);
  for (const kernel of [pullKernel({ weighted: true }), pullKernel({ weighted: false }), spreadKernel]) {
    assert.equal(kernel.source.turns!({ m: 32_768 }), 8193); // points of which a kernel may see all pairs
  }
});

/** The largest sizes that bindings of 2 GiB take, and rows and sums far longer than an invocation can go through. */
const LARGE: Readonly<Record<string, Run>> = {
  "attention of 20,000 sequences of 384 residues": (_, x) => [
    { qkv: x(1, 20_000, 384, 4 * 2 * 8), bias: x(1, 2, 384, 384) },
    ({ qkv, bias }) => ops.attention({ qkv, bias }, { heads: 2, axis: 2, gated: true }),
  ],
  "attention of 16,000 tokens with a bias": (_, x) => [
    { qkv: x(1, 2, 16_000, 3 * 32), bias: x(1, 1, 16_000, 16_000) },
    ({ qkv, bias }) => ops.attention({ qkv, bias }, { heads: 1, axis: 2 }),
  ],
  "attention of 4 sequences to 100,000 keys": (_, x) => [
    { q: x(1, 4, 64, 64), k: x(1, 4, 100_000, 64), v: x(1, 4, 100_000, 64) },
    ({ q, k, v }) => ops.attention({ q, k, v }, { heads: 8, axis: 2 }),
  ],
  "clashes of 20,000 residues": (device, x) => [{ x: x(1, 20_000, 14, 3) }, ({ x }) => clashes(device, x)],
  "cross entropy of a row of 2^28": (_, x) => [{ x: x(1, 2 ** 28) }, ({ x }) => ops.crossEntropy(x, x)],
  "cross entropy of 2^22 rows": (_, x) => [{ x: x(2 ** 22, 64) }, ({ x }) => ops.crossEntropy(x, x)],
  "embedding of 2^26 positions in a large table": (device, x) => [
    { table: x(2 ** 22, 8) },
    ({ table }) => ops.embedding(table, device.empty([2 ** 26], "i32")),
  ],
  "embedding of 2^26 positions in a small table": (device, x) => [
    { table: x(21, 8) },
    ({ table }) => ops.embedding(table, device.empty([2 ** 26], "i32")),
  ],
  "FAPE of the side chains of 20,000 residues": (device, x) => [
    { frames: x(1, 160_000, 3, 4), points: x(1, 280_000, 3) },
    ({ frames, points }) => fape(device, frames, points),
  ],
  "layer norm of a row of 2^28": (_, x) => [
    { x: x(1, 2 ** 28), gamma: x(2 ** 28) },
    ({ x, gamma }) => ops.layerNorm(x, { gamma }),
  ],
  "layer norm of odd rows": (_, x) => [{ x: x(2 ** 12, 65_535) }, ({ x }) => ops.layerNorm(x)],
  "layer norm of 2^28 rows": (_, x) => [
    { x: x(2 ** 28, 4), gamma: x(4), beta: x(4) },
    ({ x, gamma, beta }) => ops.layerNorm(x, { gamma, beta }),
  ],
  "lDDT of 100,000 residues": (device, x) => [
    { x: x(1, 100_000, 3) },
    ({ x }) => lddt(device, x),
  ],
  "linear of 2^26 rows": (_, x) => [
    { x: x(2 ** 26, 4), weight: x(4, 4), bias: x(4) },
    ({ x, weight, bias }) => ops.linear(x, { weight, bias }, { activation: "relu" }),
  ],
  "linear of 2^24 channels": (_, x) => [
    { x: x(8, 2 ** 24), weight: x(5, 2 ** 24), gate: x(8, 5) },
    ({ x, weight, gate }) => ops.linear(x, { weight }, { gate }),
  ],
  "matmul of sums of 2^28": (_, x) => [{ a: x(1, 2 ** 28), b: x(2 ** 28, 1) }, ({ a, b }) => ops.matmul(a, b)],
  "matmul of sums of 2^26, turned": (_, x) => [
    { a: x(2, 2 ** 26, 2), b: x(2, 2, 2 ** 26) },
    ({ a, b }) => ops.matmul(a, b, { transposeA: true, transposeB: true }),
  ],
  "mean squared error of 2^29": (_, x) => [{ x: x(2 ** 29) }, ({ x }) => ops.meanSquaredError(x, x)],
  "outer product mean of 2^18 sequences": (_, x) => [
    { a: x(1, 2 ** 18, 8, 32), weight: x(1, 1024), bias: x(1) },
    ({ a, weight, bias }) => ops.outerProductMean({ a, b: a, weight, bias }),
  ],
  "reductions along every axis": (_, x) => [
    { x: x(3, 2 ** 24, 5) },
    ({ x }) => ops.add(ops.sum(x), ops.add(ops.sum(ops.max(x, { axes: [1] })), ops.sum(ops.min(x, { axes: [0, 2] })))),
  ],
  "renaming of 20,000 residues": (device, x) => [{ x: x(1, 20_000, 14, 3) }, ({ x }) => renaming(device, x)],
  "softmax of a row of 2^28": (_, x) => [{ x: x(1, 2 ** 28) }, ({ x }) => ops.softmax(x)],
  "softmax of odd rows": (_, x) => [{ x: x(2 ** 13, 32_769) }, ({ x }) => ops.softmax(x)],
  "softmax along the first axis": (_, x) => [{ x: x(2 ** 24, 12) }, ({ x }) => ops.softmax(x, { axis: 0 })],
  "triangle product of 16,320 residues": (_, x) => [
    { a: x(1, 16_320, 16_320, 1) },
    ({ a }) => ops.triangleProduct({ a, b: a }, { direction: "incoming" }),
  ],
};

Deno.test("no op takes too many turns at any size that bindings of 4 GiB take", () => {
  for (const family of FAMILIES) {
    for (const subgroupSize of family === "subgroup" ? [4, 16] : [0]) {
      const device = Device.dry({
        ...traits,
        kernelFamilies: [family],
        subgroupSize,
        maxBindingBytes: 2 ** 32,
        maxBufferBytes: 2 ** 40,
      });
      for (const [name, op] of Object.entries(LARGE)) {
        try {
          runOp(device, op);
        } catch (error) {
          throw new Error(`${name}, family ${family}`, { cause: error });
        }
      }
      globalNorm(device, device.empty([2 ** 30]));
    }
  }
});

Deno.test("attention over more keys or queries than an invocation goes over is refused, with the limit", () => {
  for (const [family, most] of [["subgroup", 262_128], ["plain", 262_128], ["workgroup", 161_280]] as const) {
    const device = Device.dry({ ...traits, kernelFamilies: [family], subgroupSize: 8, maxBufferBytes: 2 ** 40 });
    const run = (queries: number, keys: number) => {
      const q = device.empty([1, 1, queries, 16]), k = device.empty([1, 1, keys, 16]);
      return pullback(device, (q: Tensor) => ops.attention({ q, k, v: k }, { heads: 1, axis: 2 }), q);
    };
    run(64, most).pull([device.empty([1, 1, 64, 16])]);
    run(most, 64).pull([device.empty([1, 1, most, 16])]);
    const told = (what: string) => new RegExp(`over ${most + 1} ${what} .* 16 channels .* go over at most ${most}`);
    assert.throws(() => run(64, most + 1), told("keys"));
    assert.throws(() => run(most + 1, 64), told("queries"));
  }
});

Deno.test("a kernel whose loops would end early is refused, with the limit", () => {
  const device = Device.dry(traits);
  const loop = kernel({
    name: "loop",
    bindings: { out: "write f32" },
    uniforms: { n: "u32" },
    turns: ({ n }) => n,
    body: "",
  });
  const run = (n: number) =>
    device.run(loop, { bindings: { out: device.empty([1]) }, uniforms: { n }, grid: [1, 1, 1] });
  run(MOST_TURNS);
  assert.throws(() => run(MOST_TURNS + 1), /RangeError: Kernel loop: .* 65536 turns; lavapipe .* after 65535/);
});
