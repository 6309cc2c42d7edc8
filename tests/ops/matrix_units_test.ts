/**
 * Products on matrix units, which no software adapter has: here they are spelled out in plain WGSL, so that strides, edges,
 * barriers and epilogues of the very kernels run. What Tint says of the real texts: tests/kernels/tint_check.ts.
 */
import assert from "node:assert/strict";
import { matrixUnitsOf, requestTraits } from "../../core/adapter.ts";
import { checkpoint, Device, type Kernel, pullback, type Tensor } from "../../core/mod.ts";
import { batteryOf } from "../../ops/_battery/mod.ts";
import { runMatmul } from "../../ops/_matmul.ts";
import type { Epilogue } from "../../ops/_product/epilogue.ts";
import type { MatmulStructure } from "../../ops/_product/tile.ts";
import { matmulKernel } from "../../ops/matmul.wgsl.ts";
import { matmulTiles, unitLayout } from "../../ops/matmul_tiles.ts";
import { linear, tuningOf } from "../../ops/mod.ts";
import { ensureAdapter } from "../../tools/platform/driver.ts";
import { assertClose, gpuTest, randomArray, testDevice } from "../_gpu.ts";
import { preferring, UNITS, type UnitsName, type UnitTile, unitTiles, withUnits } from "../_matrix_units.ts";

const NAMES = Object.keys(UNITS) as UnitsName[];
const [WIDE] = NAMES;

/** C = A B in float64, operands lying as they are told. */
function product(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  m: number,
  n: number,
  k: number,
  turned: [boolean, boolean],
) {
  return Float64Array.from({ length: m * n }, (_, at) => {
    const i = Math.floor(at / n), j = at % n;
    let sum = 0;
    for (let t = 0; t < k; t++) sum += a[turned[0] ? t * m + i : i * k + t] * b[turned[1] ? j * k + t : t * n + j];
    return sum;
  });
}

const NOTHING: Epilogue = {
  ...{ bias: true, activation: "switched", gate: false, residual: false },
  ...{ keepPre: false, carry: false },
};

/** A kernel on units. */
function kernelOf({ traits }: Device, tile: UnitTile, layout: string, more: Partial<MatmulStructure> = {}): Kernel {
  return matmulKernel({
    ...{ tile, units: traits.matrixUnits, subgroupSize: 0, epilogue: NOTHING },
    ...{ aTransposed: layout[0] === "T", bTransposed: layout[1] === "T", ragged: false, oddRows: false, ...more },
  });
}

for (const [at, name] of NAMES.entries()) {
  gpuTest(`products on units (${name}) agree with float64 up to the rounding of operands`, async (shared) => {
    const device = withUnits(shared, name), half = UNITS[name].operands === "f16";
    const tiles = unitTiles(device);
    assert.ok(tiles.length >= 2, `${tiles.length} tiles`);
    preferring(device, tiles.at(-1)!);
    const turned: [boolean, boolean] = at % 2 ? [true, false] : [false, true];
    for (const [m, n, k] of [[36, 68, 44], [4, 4, 4], [8, 12, 256]]) {
      using scope = device.scope("product");
      void scope;
      const a = randomArray(m * k, m), b = randomArray(n * k, n);
      const operands = { a: device.tensor(a, [m * k]), b: device.tensor(b, [n * k]) };
      const { out } = runMatmul(device, { ...operands, m, n, k, aTransposed: turned[0], bTransposed: turned[1] });
      // Rounding errors of 2⁻¹¹ at most each add up as in a random walk.
      const atol = half ? 2 ** -11 * Math.sqrt(k) : 1e-4;
      assertClose(await out.read(), product(a, b, m, n, k, turned), { rtol: 0, atol }, `${turned} ${[m, n, k]}`);
    }
    assert.deepEqual(device.kernels.findings, []);
  });
}

/** Texts take up to a second to compile: each layout and part of an epilogue is in one of them. */
gpuTest("tiles on units are right in all layouts, with all parts of epilogues", async (shared) => {
  const device = withUnits(shared, WIDE);
  const [widest, ...tiles] = unitTiles(device), smallest = tiles.at(-1)!;
  const odd = { ragged: true, oddRows: true }, parts = { keepPre: true, carry: true };
  const placed = { gate: true, residual: true, factor: true, placed: true, onTop: true };
  for (
    const [kernel, halves] of [
      [kernelOf(device, widest, "TN", odd), ["a"]],
      [kernelOf(device, smallest, "NN", { ragged: true, epilogue: { ...NOTHING, ...parts, activation: "gelu" } })],
      [kernelOf(device, smallest, "TT", { epilogue: { ...NOTHING, ...placed, activation: "none" } }), ["c"]],
    ] as [Kernel, string[]?][]
  ) {
    const outcome = await device.kernels.probe(kernel, { loads: "buffers", halves });
    assert.equal(outcome?.reason, "", kernel.structure);
    assert.ok(outcome.largestError > 1e-5 && outcome.largestError < 1e-3, `${outcome.largestError}`);
  }
});

Deno.test("the battery of an adapter with units has every tile, layout and part of epilogues on them", async () => {
  const { traits } = withUnits(await testDevice(), WIDE);
  const rows = batteryOf(traits).filter(({ family }) => family === "matrix");
  assert.deepEqual(rows.map(({ op, pass }) => `${op} ${pass}`), [
    "matmul forward",
    "matmul gradient",
    "linear forward",
  ]);
  const structures = rows.flatMap(({ kernels }) => kernels.map(([{ structure }]) => JSON.parse(structure)));
  const kinds = new Set(
    structures.map(({ tile, aTransposed, bTransposed }) =>
      `${tile.height} × ${tile.width} ${aTransposed} ${bTransposed}`
    ),
  );
  assert.ok(kinds.size >= 10, [...kinds].join(", "));
  for (const part of ["gate", "residual", "keepPre", "carry", "factor", "placed", "onTop"]) {
    assert.ok(structures.some(({ epilogue }) => epilogue[part]), part);
  }
});

gpuTest("linear maps run on f16 units, and their gradients are not rounded", async (shared) => {
  const device = withUnits(shared, WIDE);
  preferring(device, unitTiles(device).at(-1)!);
  const [rows, k, n] = [37, 20, 24];
  const x = randomArray(rows * k, 1), w = randomArray(n * k, 2), d = randomArray(rows * n, 3);
  const inputs = { x: device.tensor(x, [rows, k]), weight: device.tensor(w, [n, k]) };
  const { output, pullLeaves } = pullback(device, (p: typeof inputs) => linear(p.x, { weight: p.weight }), inputs);
  const [dx, dw] = pullLeaves([device.tensor(d, [rows, n])]) as Tensor[];
  const expected = product(x, w, rows, n, k, [false, true]), got = await output.read();
  assertClose(got, expected, { rtol: 0, atol: 4e-3 });
  assert.ok(got.some((v, i) => Math.abs(v - expected[i]) > 1e-5), "the output is not computed on units");
  assertClose(await dx.read(), product(d, w, rows, k, n, [false, false]), { rtol: 0, atol: 1e-5 }, "dx");
  assertClose(await dw.read(), product(d, x, n, k, rows, [true, false]), { rtol: 0, atol: 1e-5 }, "dw");
  const again = pullback(
    device,
    (p: typeof inputs) => checkpoint(device, "part", (p) => linear(p.x, { weight: p.weight }), p),
    inputs,
  );
  assert.deepEqual(await again.output.read(), got);
  assert.equal(device.goingBack, false);
  device.trim();
});

/** A device on emulated units whose texts are changed before they are compiled. */
async function mutated(mutate: (code: string) => string): Promise<Device> {
  const { device: gpu, traits } = await requestTraits((await ensureAdapter()).adapter);
  const create = gpu.createShaderModule;
  Object.defineProperty(gpu, "createShaderModule", {
    value: (source: GPUShaderModuleDescriptor) => create.call(gpu, { ...source, code: mutate(source.code) }),
  });
  return withUnits(new Device(gpu, traits), WIDE);
}

const barriersIn = (code: string) => code.split("workgroupBarrier();").length - 1;

gpuTest("a kernel on units is right in any order of invocations, and what is wrong in it is found", async () => {
  let mutate = (code: string) => code;
  const device = await mutated((code) => mutate(code));
  const several = unitTiles(device).at(-2)!; // units a subgroup, whose results go the same way
  const kernel = kernelOf(device, several, "NN", { ragged: true });
  const outcomeOf = (change: (code: string) => string) => {
    let changed = false;
    mutate = (code) => {
      const after = change(code);
      changed ||= after !== code;
      return after;
    };
    return device.kernels.probe(kernel, { loads: "buffers" }).then((outcome) => {
      assert.ok(changed, `nothing was changed by ${change}`);
      return outcome!;
    });
  };
  const size = /@workgroup_size\((\d+)\)/;
  const reordered = (code: string) =>
    code.replace("let lane = local.x;", `let lane = (local.x * 13u + 7u) % ${size.exec(code)![1]}u;`);
  assert.equal((await outcomeOf(reordered)).reason, "");
  for (let dropped = 0; dropped < barriersIn(kernel.source.body); dropped++) {
    let seen = 0;
    const outcome = await outcomeOf((code) => {
      seen = 0;
      return reordered(code).replace(/workgroupBarrier\(\);/g, (barrier) => seen++ === dropped ? "" : barrier);
    });
    assert.equal(outcome.right, false, `barrier ${dropped + 1}`);
  }
  const faults: Record<string, (code: string) => string> = {
    "sums in half floats": (code) =>
      code.replace(/sums\[first \+ e\] = sum;/, "sums[first + e] = unpack2x16float(pack2x16float(vec2f(sum))).x;"),
    "an edge of rows": (code) => code.replace("r < u.M", "r + 1u < u.M"),
    "a store beyond the last row": (code) => code.replace("r < u.M", "r <= u.M"),
    "an operand that is read beyond its last k": (code) => code.replaceAll("< depth)", "< depth + 4u)"),
    "a stride": (code) => code.replace(/q \* (\d+)u \+ c\)/, (_, stride) => `q * ${Number(stride) - 8}u + c)`),
    "the place of a result": (code) => code.replace("columnAt / 4u + j", "columnAt / 4u + 0u * j"),
  };
  for (const [fault, change] of Object.entries(faults)) {
    assert.equal((await outcomeOf(change)).right, false, fault);
  }
  device.close();
});

gpuTest("units that compute wrong numbers give way to other kernels", async () => {
  const device = await mutated((code) => code.replace("sum += ", "sum -= "));
  const a = randomArray(12 * 20, 1), b = randomArray(12 * 20, 2);
  const operands = { a: device.tensor(a, [240]), b: device.tensor(b, [240]), m: 12, n: 12, k: 20, bTransposed: true };
  if (!device.blocking) return device.close(); // what is wrong is known only after the fact: the battery's tests
  const { out } = runMatmul(device, operands);
  assertClose(await out.read(), product(a, b, 12, 12, 20, [false, true]), { atol: 1e-5 });
  assert.ok(device.kernels.findings.length > 0 && device.kernels.avoided.every((name) => name.includes('"matrix"')));
  device.close();
});

/** An adapter that says what one with units says, and has nothing else. */
async function claiming(
  configs: readonly [type: string, result: string, m: number, n: number, k: number][],
  { lanes = [32, 32], without = [] as readonly string[] } = {},
): Promise<GPUAdapter> {
  const { traits } = await testDevice();
  const features = new Set(
    ["chromium-experimental-subgroup-matrix", "subgroups", "subgroup-size-control", "shader-f16"]
      .filter((name) => !without.includes(name)),
  );
  const [subgroupMinSize, subgroupMaxSize] = lanes;
  const subgroupMatrixConfigs = configs.map(([componentType, resultComponentType, M, N, K]) => ({
    ...{ componentType, resultComponentType, M, N, K },
  }));
  const limits = {
    maxComputeWorkgroupStorageSize: 32_768,
    maxComputeInvocationsPerWorkgroup: 1024,
    maxComputeWorkgroupSizeX: 1024,
  };
  const info = { description: traits.description, subgroupMinSize, subgroupMaxSize, subgroupMatrixConfigs };
  return { features, info, limits } as unknown as GPUAdapter; // all that is asked of it
}

gpuTest("units are told from what an adapter lists: f32 operands first, never sums in half floats", async () => {
  const half = ["f16", "f32", 16, 16, 16] as const, small = ["f16", "f32", 16, 8, 8] as const;
  const apple = ["f32", "f32", 8, 8, 8] as const, sums16 = ["f16", "f16", 16, 16, 16] as const;
  const of = async (...given: Parameters<typeof claiming>) => {
    const units = matrixUnitsOf(await claiming(...given));
    return units && [units.operands, units.m, units.n, units.k, units.lanes, units.pinned];
  };
  assert.deepEqual(await of([[...small], [...half], [...sums16]]), ["f16", 16, 16, 16, 32, false]);
  assert.deepEqual(await of([[...half], [...apple]]), ["f32", 8, 8, 8, 32, false]);
  assert.deepEqual(await of([[...half]], { lanes: [8, 64] }), ["f16", 16, 16, 16, 32, true]);
  assert.deepEqual(await of([[...half]], { lanes: [8, 16] }), ["f16", 16, 16, 16, 16, true]);
  assert.deepEqual(await of([[...half]], { lanes: [64, 64] }), ["f16", 16, 16, 16, 64, false]);
  assert.equal(await of([[...sums16]]), undefined);
  assert.equal(await of([]), undefined);
  assert.equal(await of([[...half]], { without: ["shader-f16"] }), undefined);
  assert.equal(await of([[...half]], { lanes: [8, 32], without: ["subgroup-size-control"] }), undefined);
  for (const without of ["chromium-experimental-subgroup-matrix", "subgroups"]) {
    assert.equal(await of([[...half]], { without: [without] }), undefined);
  }
});

gpuTest("f16 units are used where reduced precision is asked for alone, f32 ones always", async () => {
  const { adapter: real } = await ensureAdapter();
  for (
    const [operands, precision, used] of [
      ["f16", "f32", false],
      ["f16", "f16-products", true],
      ["f32", "f32", true],
      ["f32", "f16-products", true],
    ] as const
  ) {
    const claims = await claiming([operands === "f32" ? ["f32", "f32", 8, 8, 8] : ["f16", "f32", 16, 16, 16]]);
    let asked: readonly string[] = [];
    const adapter = {
      ...{ features: claims.features, info: { ...claims.info, description: "a GPU" } },
      limits: real.limits,
      requestDevice({ requiredFeatures = [] }: GPUDeviceDescriptor) {
        asked = [...requiredFeatures];
        return testDevice().then(({ gpu }) => gpu);
      },
    } as unknown as GPUAdapter; // all that is asked of it
    const { traits } = await requestTraits(adapter, { precision });
    const told = `${operands} ${precision}`;
    assert.equal(traits.matrixUnits?.operands, operands, told);
    assert.equal(traits.kernelFamilies[0] === "matrix", used, told);
    assert.equal(asked.includes("chromium-experimental-subgroup-matrix"), used, told);
    const plain = new Device((await testDevice()).gpu, traits, { verify: false });
    assert.equal(tuningOf(plain).matmul.large.family === "matrix", used, told);
    const { matmul, attention } = tuningOf(plain);
    assert.equal(matmul.long.family, operands === "f32" ? "matrix" : "workgroup", told); // gradients of weights
    assert.equal(attention, "workgroup", told);
  }
});

Deno.test("tiles on units are whole, fit their workgroup's memory, and reach every lane", () => {
  const units = { pinned: false, workgroupBytes: 32_768, invocations: 256 };
  for (const [name, shape] of Object.entries(UNITS)) {
    const traits = { kernelFamilies: ["matrix"], subgroupSize: 0, matrixUnits: { ...units, ...shape } } as const;
    const tiles = matmulTiles(traits) as UnitTile[];
    assert.ok(tiles.length >= 2, name);
    for (const tile of tiles) {
      const { bytes, subgroups } = unitLayout(tile, shape);
      assert.ok(bytes <= 32_768 && subgroups * shape.lanes <= 256, `${name} ${JSON.stringify(tile)}`);
      assert.deepEqual([tile.down % shape.m, tile.across % shape.n, tile.depth % shape.k], [0, 0, 0]);
    }
  }
  assert.deepEqual(matmulTiles({ kernelFamilies: ["matrix"], subgroupSize: 0 }), []);
});
