import assert from "node:assert/strict";
import { requestTraits } from "../../core/adapter.ts";
import {
  type AdapterTraits,
  Device,
  type Kernel,
  type KernelFamily,
  kernelText,
  type LoadPath,
  pullback,
  type Tensor,
  WrongKernelError,
} from "../../core/mod.ts";
import { formula } from "../../ops/_battery/formula.ts";
import { normalCdf } from "../../ops/_battery/functions.ts";
import { batteryOf } from "../../ops/_battery/mod.ts";
import { betweenResidueClashes, lddtCa } from "../../model/alphafold/losses/mod.ts";
import { applyFrames, attention, gatedTriangleProduct, layerNorm, matmul, softmax } from "../../ops/mod.ts";
import { setTuning, tuningOf } from "../../ops/tuning.ts";
import { ensureAdapter } from "../../tools/platform/driver.ts";
import { allRows } from "../../tools/platform/kernel_check.ts";
import { assertClose, randomArray, testDevice } from "../_gpu.ts";
import { type Need, need, needing } from "../_needs.ts";

const FAMILIES = (await testDevice()).traits.kernelFamilies;

/** A device whose texts are changed before they are compiled. */
async function mutated(mutate: (code: string) => string, traits: Partial<AdapterTraits> = {}): Promise<Device> {
  const { adapter } = await ensureAdapter();
  const { device: gpu, traits: own } = await requestTraits(adapter);
  const create = gpu.createShaderModule;
  Object.defineProperty(gpu, "createShaderModule", {
    value: (source: GPUShaderModuleDescriptor) => create.call(gpu, { ...source, code: mutate(source.code) }),
  });
  return new Device(gpu, { ...own, ...traits });
}

/** A test that opens devices of its own. */
function deviceTest(name: string, fn: () => Promise<void>, needs: readonly Need[] = []): void {
  Deno.test(needing(needs, { name, sanitizeOps: false, sanitizeResources: false, fn }));
}

const QUICK = need(
  "adapter",
  (await testDevice()).blocking,
  "this WebGPU hands results out later: minutes for hundreds",
);

type Op = (device: Device) => Promise<ArrayLike<number>>;

/** Small computations, the way back included; gradients follow the output. */
function withGradients(shapes: Record<string, number[]>, op: (inputs: Record<string, Tensor>) => Tensor): Op {
  return async (device) => {
    using scope = device.scope("op");
    void scope;
    const inputs = Object.fromEntries(
      Object.entries(shapes).map(([name, shape], i) => {
        const size = shape.reduce((product, n) => product * n, 1);
        return [name, device.tensor(randomArray(size, i + 1), shape)];
      }),
    );
    const { output, pullLeaves } = pullback(device, op, inputs);
    const gradients = pullLeaves([output]);
    const numbers: number[] = [];
    for (const tensor of [output, ...gradients]) if (tensor) numbers.push(...await tensor.read());
    return numbers;
  };
}

const OPS: Record<string, Op> = {
  matmul: withGradients({ a: [35, 23], b: [23, 20] }, ({ a, b }) => matmul(a, b)),
  attention: withGradients(
    { qkv: [1, 3, 37, 4 * 2 * 8], bias: [1, 2, 37, 37] },
    ({ qkv, bias }) => attention({ qkv, bias }, { heads: 2, axis: 2, gated: true }),
  ),
  triangle: withGradients(
    { packed: [1, 11, 11, 4 * 8] },
    ({ packed }) => gatedTriangleProduct({ packed }, { direction: "incoming" }),
  ),
  rows: withGradients({ x: [13, 20] }, ({ x }) => softmax(layerNorm(x))),
};

/**
 * Computes again as long as kernels turn out to be wrong where that is known only after the fact, with every way to
 * compute that is left.
 */
async function settled(op: Op, device: Device): Promise<ArrayLike<number>> {
  for (let found = -1;;) {
    try {
      return await op(device);
    } catch (error) {
      const now = device.kernels.findings.length;
      if (device.blocking || now === found || !(error instanceof WrongKernelError)) throw error;
      found = now;
    }
  }
}

/** Changes of a family's kernels that make an edge wrong; each is the kind of mistake that one makes. */
const EDGES: Record<string, Partial<Record<KernelFamily, [from: string, to: string]>>> = {
  matmul: {
    subgroup: ["u.N4 - 1u", "u.N4 - 2u"],
    plain: ["if (r < u.M && n4 < u.N4)", "if (r + 1u < u.M && n4 < u.N4)"],
    workgroup: ["if (r < u.M && n4 < u.N4)", "if (r < u.M && n4 + 1u < u.N4)"],
  },
  attention: {
    subgroup: ["(at + my_item < u.Lk)", "(at + my_item + 1u < u.Lk)"],
    plain: ["< u.Lk))", "<= u.Lk))"],
    workgroup: ["(tile + lane < u.Lk)", "(tile + lane <= u.Lk)"],
  },
  triangle: {
    subgroup: ["u < u.columns)", "u + 1u < u.columns)"],
    plain: ["min(p + 2u, u.rows - 1u)", "min(p + 2u, u.rows - 2u)"],
    workgroup: ["min(p + 2u, u.rows - 1u)", "min(p + 2u, u.rows - 2u)"],
  },
  rows: {
    plain: ["u.rows - 1u", "u.rows - 2u"],
    subgroup: ["first < u.columns", "first + 1u < u.columns"],
    workgroup: ["first < u.columns", "first + 1u < u.columns"],
  },
};

for (const [op, edges] of Object.entries(EDGES)) {
  for (const [family, [from, to]] of Object.entries(edges) as [KernelFamily, [string, string]][]) {
    if (!FAMILIES.includes(family)) continue; // this adapter cannot run it
    deviceTest(
      `${op}: an edge that is wrong in the kernels of the family ${family} is found and not used`,
      async () => {
        const shared = await testDevice();
        const expected = await OPS[op](shared);
        let changed = 0;
        // The mark of a family: what only its kernels say.
        const others = FAMILIES.filter((other) => other !== family);
        const mutate = (code: string) => {
          if (!code.includes(from) || !isOf(family, code)) return code;
          changed++;
          return code.replaceAll(from, to);
        };
        const device = await mutated(mutate, { kernelFamilies: [family, ...others] });
        if (op === "rows") setTuning(device, { ...tuningOf(device), rows: family });
        assertClose(await settled(OPS[op], device), expected, { rtol: 1e-4, atol: 1e-4 }, `${op} without ${family}`);
        assert.ok(changed > 0, "no kernel has this text");
        assert.ok(device.kernels.findings.length > 0, "nothing was found");
        device.close();
        const alone = await mutated(mutate, { kernelFamilies: [family] });
        await assert.rejects(() => settled(OPS[op], alone), WrongKernelError);
        alone.close();
      },
    );
  }
}

/** Whether a kernel's text is one of a family's. */
function isOf(family: KernelFamily, code: string): boolean {
  if (code.includes("// triangleProductTile")) return family === (code.includes("p + 7u") ? "plain" : "workgroup");
  if (/subgroup(Broadcast|ShuffleXor)/.test(code)) return family === "subgroup";
  return family === (code.includes("var<workgroup>") ? "workgroup" : "plain");
}

/** Kernels of the battery with barriers, one of each name and number of them. */
function withBarriers(traits: AdapterTraits): Kernel[] {
  const kernels = batteryOf(traits).flatMap(({ kernels }) => kernels.map(([kernel]) => kernel));
  const found = kernels.filter((kernel) => barriersOf(kernel) > 0);
  return [...new Map(found.map((kernel) => [`${kernel.name} ${barriersOf(kernel)}`, kernel])).values()];
}

function barriersOf({ source }: Kernel): number {
  return `${source.declarations ?? ""}${source.body}`.split("workgroupBarrier();").length - 1;
}

/**
 * Invocations in another order: the driver runs neighbours side by side or one after the other, and a missing barrier
 * between those may not show. Which numbers an invocation works on is decided by `lane` alone.
 */
function reordered(code: string): string {
  const [, size] = /@workgroup_size\((\d+)\)/.exec(code) ?? [];
  return code.replace("let lane = local.x;", `let lane = (local.x * 13u + 7u) % ${size}u;`);
}

deviceTest("kernels with barriers are right in any order of invocations, and every barrier is needed", async () => {
  let mutate = (code: string) => code;
  const device = await mutated((code) => mutate(code));
  const kernels = withBarriers(device.traits);
  const names = kernels.map(({ name }) => name);
  for (const name of ["matmul", "attention", "attention.vjp.bias", "attention.vjp.keys", "layerNorm", "softmax"]) {
    assert.ok(names.includes(name), name);
  }
  const spare: string[] = [];
  for (const kernel of kernels) {
    mutate = reordered;
    assert.equal((await device.kernels.probe(kernel, { loads: "buffers" }))?.reason, "", `${kernel.name}, reordered`);
    for (let dropped = 0; dropped < barriersOf(kernel); dropped++) {
      mutate = (code) => {
        let seen = 0;
        return reordered(code).replace(/workgroupBarrier\(\);/g, (barrier) => seen++ === dropped ? "" : barrier);
      };
      const outcome = await device.kernels.probe(kernel, { loads: "buffers" });
      if (outcome?.right) spare.push(`${kernel.name}, barrier ${dropped + 1}`);
    }
  }
  // Where invocations run one after the other, as on SwiftShader, one or the other may not be missed.
  const unexpected = spare.filter((barrier) => !SPARE.includes(barrier));
  assert.ok(
    unexpected.length <= (/llvmpipe/.test(device.traits.description) ? 0 : 2),
    `not missed: ${unexpected.join("; ")}`,
  );
  device.close();
});

/** Barriers that are not missed: those of a function that the kernel does not call, and one before the first use of it. */
const SPARE = [
  "layerNorm, barrier 3",
  "layerNorm, barrier 4",
  "layerNormGradient, barrier 3",
  "layerNormGradient, barrier 4",
  "softmax, barrier 3",
  "softmaxGradient, barrier 1",
  "softmaxGradient, barrier 3",
  "softmaxGradient, barrier 4",
  "softmaxExpectation, barrier 3",
  "softmaxExpectation.vjp, barrier 3",
  "crossEntropy, barrier 3",
  "sparseCrossEntropy, barrier 3",
];

/** A text with the edge of its invocations moved by one, either way. */
function* edgesMoved(code: string): Generator<string> {
  const [edge] = /if \(index < u\.\w+\) \{/.exec(code) ?? [];
  if (!edge) return;
  yield code.replace(edge, edge.replace("index", "index + 1"));
  yield code.replace(edge, edge.replace("<", "<="));
}

/** A text with each of its loops ended a turn early. */
function* loopsEnded(code: string): Generator<string> {
  for (const { 0: loop, index } of code.matchAll(/for \(var \w+ = [^;]+; \w+ < [^;]+;/g)) {
    yield code.slice(0, index) + loop.replace(/; (\w+) </, "; $1 + 1 <") + code.slice(index + loop.length);
  }
}

/** Rows whose loops do something in every turn, whatever the numbers. */
const PLAIN_LOOPS = ["frames", "point attention", "angles to atoms", "structure losses"];

deviceTest("an edge moved by one is found in every kernel that has one version", async () => {
  let mutate = (code: string) => code;
  const device = await mutated((code) => mutate(code));
  const kernels = new Map<string, { kernel: Kernel; loops: boolean }>();
  for (const { op, family, kernels: all } of allRows(device.traits)) {
    if (family !== "all" || op === "elementwise") continue; // all formulas share one text, and there are many
    for (const [kernel] of all) kernels.set(kernel.name, { kernel, loops: PLAIN_LOOPS.includes(op) });
  }
  let edges = 0;
  for (const { kernel, loops } of kernels.values()) {
    const text = kernelText(kernel, { textures: false, enableSubgroups: false });
    for (const code of [...edgesMoved(text), ...(loops ? loopsEnded(text) : [])]) {
      edges++;
      mutate = () => code;
      const outcome = await device.kernels.probe(kernel, { loads: "buffers" });
      const changed = code.split("\n").find((line) => !text.includes(`${line}\n`));
      const told = `${kernel.name} ${kernel.structure}: ${changed}`;
      assert.equal(outcome?.right, false, told);
      assert.match(outcome.reason, /expected|was written/, told); // it did run
    }
  }
  assert.ok(edges > 150, `${edges} edges of ${kernels.size} kernels`);
  device.close();
}, [QUICK]);

deviceTest("a kernel of frames or losses that is wrong is refused, on the way there and back", async () => {
  for (const name of ["applyFrames", "applyFrames.vjp.points", "lddtCounts", "clashes.vjp"]) {
    const device = await mutated((code) =>
      code.startsWith(`// ${name}\n`) ? code.replace("index < u.n", "index + 1u < u.n") : code
    );
    const run = async () => {
      using scope = device.scope("op");
      void scope;
      const points = device.zeros([1, 3, 3]), atoms = device.zeros([1, 3, 14]);
      const there = [() => lddtCa(points, points, device.zeros([1, 3]))];
      const back = [
        () => pullback(device, (points: Tensor) => applyFrames(device.zeros([3, 4]), points), points),
        () =>
          pullback(
            device,
            (positions: Tensor) =>
              betweenResidueClashes(positions, atoms, { exists: atoms, residueIndex: device.zeros([1, 3], "i32") })
                .perAtomLoss,
            device.zeros([1, 3, 14, 3]),
          ),
      ];
      there.forEach((run) => run());
      for (const run of back) {
        const { output, pull } = run();
        pull([output]);
      }
      await device.finish();
    };
    await assert.rejects(run, (error) => error instanceof WrongKernelError && error.message.includes(name), name);
    device.close();
  }
});

for (const loads of ["textures", "buffers"] as LoadPath[]) {
  deviceTest(
    `one kernel whose loads from ${loads} give zeros loads from elsewhere, and the others go on as before`,
    async () => {
      const shared = await testDevice();
      const paths: LoadPath[] = loads === "textures" ? ["textures", "buffers"] : ["buffers", "textures"];
      const body = loads === "textures" ? /return textureLoad\(.*\); }/g : /let v = \w+\[i\]; return v; }/g;
      const mutate = (code: string) =>
        code.startsWith("// layerNorm\n") ? code.replace(body, "return vec4f(); }") : code;
      const device = await mutated(mutate, { loadPaths: paths });
      assertClose(await settled(OPS.rows, device), await OPS.rows(shared), { rtol: 1e-4, atol: 1e-4 });
      assert.deepEqual([...new Set(device.kernels.findings.map(({ kernel, loads }) => `${kernel} ${loads}`))], [
        `layerNorm ${loads}`,
      ]);
      assert.deepEqual(device.kernels.loadPaths, paths);
      device.close();
    },
  );
}

deviceTest("a preferred tile that is wrong gives way to another family's, a right one stays", async () => {
  const device = await mutated((code) =>
    code.includes("subgroupBroadcast") ? code.replaceAll("fma(x, b0_0", "fma(x, b1_0") : code
  );
  if (!device.traits.kernelFamilies.includes("subgroup")) return device.close();
  const before = tuningOf(device);
  const expected = await OPS.matmul(await testDevice());
  assertClose(await settled(OPS.matmul, device), expected, { rtol: 1e-4, atol: 1e-4 });
  assert.deepEqual(tuningOf(device), before); // what is preferred is not what was found
  assert.ok(device.kernels.avoided.every((name) => name.startsWith('matmul {"tile":{"family":"subgroup"')));
  const avoided = device.kernels.avoided.length;
  const [, family] = device.traits.kernelFamilies;
  const tile = { ...before.matmul.large, ...{ family, rows: 8, vectors: 2 } };
  if (family === "plain") {
    setTuning(device, { ...before, matmul: { large: tile, small: tile, long: tile } as typeof before.matmul });
    await OPS.matmul(device);
    assert.equal(device.kernels.avoided.length, avoided);
  }
  device.close();
});

Deno.test("formulas are computed as WGSL says", () => {
  const cases: [text: string, names: Record<string, number>, value: number][] = [
    ["x + y * V(2.0)", { x: 1, y: 3 }, 7],
    ["-x * -y - 1.0", { x: 2, y: 3 }, 5],
    ["x - y - V(1.0)", { x: 7, y: 2 }, 4],
    ["x / y / V(2.0)", { x: 12, y: 3 }, 2],
    ["select(x, y, x > y)", { x: 2, y: 1 }, 1],
    ["select(V(0.0), d, (x >= V(u.low)) & (x <= V(u.high)))", { d: 5, x: 1, "u.low": 0, "u.high": 1 }, 5],
    ["select(V(0.0), d, (x >= V(u.low)) & (x < V(u.high)))", { d: 5, x: 1, "u.low": 0, "u.high": 1 }, 0],
    ["select(x, y, mask != V(0.0))", { x: 1, y: 2, mask: 0 }, 1],
    ["clamp(e, vec4f(-u.delta), vec4f(u.delta))", { e: -3, "u.delta": 2 }, -2],
    ["fma(x, y, 1e-3)", { x: 2, y: 4 }, 8.001],
    ["exp2(log2(x)) + inverseSqrt(y)", { x: 8, y: 4 }, 8.5],
  ];
  for (const [text, names, value] of cases) assert.ok(Math.abs(formula(text)(names) - value) < 1e-12, text);
  const twice = `
fn twice(x: V, n: V) -> V {
  let y = x * V(2.0);
  var z = y;
  z = z + n;
  return z;
}`;
  assert.equal(formula("twice(x, V(1.0)) * twice(x, x)", twice)({ x: 3 }), 7 * 9);
  for (const text of ["x +", "x)", "unknown(x)", "x y", "(x", "1.0 ? x : y", "z"]) {
    assert.throws(() => formula(text)({ x: 1, y: 1 }), SyntaxError, text);
  }
});

Deno.test("normalCdf() has the values of tables", () => {
  const table = [[0, 0.5], [1, 0.8413447460685429], [-2, 0.02275013194817921], [3, 0.9986501019683699], [
    -6,
    9.865876450376946e-10,
  ]];
  for (const [x, value] of table) assert.ok(Math.abs(normalCdf(x) / value - 1) < 1e-12, `${x}: ${normalCdf(x)}`);
});
