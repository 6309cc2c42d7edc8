/**
 * Every kernel of every family goes through Tint, the compiler of Dawn and Chromium: its text, where control flow must be
 * uniform, its pipeline. Nothing runs, so that neither a GPU nor a driver is needed.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { MOST_TEXTURES } from "../../core/adapter.ts";
import { kernel, type KernelSource } from "../../core/mod.ts";
import { batteryOf } from "../../ops/_battery/mod.ts";
import * as ops from "../../ops/mod.ts";
import { InputError } from "../../tools/errors.ts";
import { loadDawn } from "../../tools/platform/dawn.ts";
import { UNITS } from "../_matrix_units.ts";
import { kernelsOf } from "./all_kernels.ts";
import { CALLS } from "./calls.ts";
import { collectingDevice, type KernelText } from "./collect.ts";
import { compileKernels } from "./compile.ts";
import { HALF_UNITS, KINDS, nameOf, WITH_UNITS } from "./traits.ts";

const FEATURES = ["subgroups", "shader-f16", "chromium-experimental-subgroup-matrix", "subgroup-size-control"] as const;

/** Dawn's device that compiles and runs nothing, or why there is none. */
async function nullDevice(): Promise<GPUDevice | string> {
  try {
    const dawn = await loadDawn({ install: !Deno.env.get("DENOFOLD_NO_INSTALL"), log: console.log });
    const adapter = await dawn.null();
    return await adapter.requestDevice({ requiredFeatures: FEATURES as readonly string[] as GPUFeatureName[] });
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

const tint = await nullDevice();

/** A test that needs the compiler. */
function tintTest(name: string, run: (tint: GPUDevice) => Promise<void>): void {
  const there = typeof tint !== "string";
  if (!there) console.log(`skipped [registry] ${name}\t${tint}`);
  Deno.test({ name, ignore: !there, fn: () => run(tint as GPUDevice) });
}

const all = new Map<string, KernelText>();

/** The narrowest subgroups are left out: a kernel's text differs by a number there, and CI runs them on SwiftShader. */
for (const traits of KINDS.filter(({ subgroupSize }) => subgroupSize !== 4)) {
  tintTest(`Tint accepts every kernel: ${nameOf(traits)}`, async (tint) => {
    const fresh = [...await kernelsOf(traits)].filter(([text]) => !all.has(text));
    for (const [text, found] of fresh) all.set(text, found);
    assert.deepEqual(await compileKernels(tint, fresh.map(([, found]) => found)), []);
    assert.ok(fresh.length > 100);
    for (const { name, entries } of all.values()) {
      const textures = entries.filter(({ storageTexture }) => storageTexture).length;
      assert.ok(textures <= MOST_TEXTURES, `${name} loads from ${textures} textures`);
    }
  });
}

tintTest("Tint accepts products on every kind of matrix units", async (tint) => {
  const found = new Map<string, KernelText>();
  for (const [at, shape] of Object.values(UNITS).entries()) {
    const traits = { ...WITH_UNITS, matrixUnits: { ...HALF_UNITS, ...shape, pinned: shape.lanes < 32 } };
    const device = collectingDevice(traits, found);
    if (at === 0) { for (const op of ["matmul", "linear", "attention", "gatedTriangleProduct"]) CALLS[op](device); }
    for (const { family, kernels } of batteryOf(traits)) {
      if (family !== "matrix") continue;
      for (const [kernel, halves = []] of kernels) {
        device.kernels.pipelineOf(kernel, Object.fromEntries(halves.map((name) => [name, { dtype: "f16" }])), () => {});
      }
    }
  }
  const onUnits = [...found.values()].filter(({ text }) => text.includes("subgroupMatrixLoad"));
  assert.ok(onUnits.length > 80, `${onUnits.length} texts`);
  assert.deepEqual(notTooLarge(await compileKernels(tint, found.values())), []);
  const { text, ...rest } = onUnits.find(({ text }) => text.includes("subgroup / "))!;
  for (
    const [from, to, said] of [
      ["subgroup / ", "lane / 32u / ", /must be uniform|requires argument \d to be uniform/],
      ["subgroup_matrix_left<f16, 16, 16>", "subgroup_matrix_left<f32, 16, 16>", /no matching|subgroupMatrix/],
    ] as const
  ) {
    const [wrong] = await compileKernels(tint, [{ ...rest, text: text.replaceAll(from, to) }]);
    assert.match(wrong ?? "not refused", said);
  }
});

/** Leaves out what is refused alone because the device that runs nothing has little workgroup memory: GPUs have 32 KiB. */
function notTooLarge(wrong: readonly string[]): string[] {
  return wrong.filter((text) => {
    const [, bytes] = /The total use of workgroup storage \((\d+) bytes\) is larger/.exec(text) ?? [];
    return !(Number(bytes) <= HALF_UNITS.workgroupBytes);
  });
}

tintTest("the kernels that sources name were all among them", async () => {
  const missing = new Set(await kernelNames());
  assert.ok(missing.size > 20, "kernels' names are not found in the sources");
  for (const { name } of all.values()) missing.delete(name);
  assert.deepEqual([...missing], [], "add calls that run them to tests/kernels");
});

/** What `ops/mod.ts` exports and is no op. */
const NO_OPS = [
  ...["isFused", "kernelChoiceOf", "packLinears", "setFusions", "setTuning", "tune", "tuningOf", "useKernelChoice"],
  ...["croppedLayout", "plainLinear", "isTracked", "layOutLinears", "shapeOfPart"],
];

Deno.test("every op has calls", () => {
  const functions = Object.entries(ops).filter(([, value]) => typeof value === "function").map(([name]) => name);
  assert.deepEqual(Object.keys(CALLS).sort(), functions.filter((name) => !NO_OPS.includes(name)).sort());
});

/** Names of kernels as the sources of core, ops, models and the optimizer give them. */
async function kernelNames(): Promise<string[]> {
  const names: string[] = [];
  for (const folder of ["core", "ops", "model", "finetune"]) {
    for (const file of await sourcesIn(fileURLToPath(new URL(`../../${folder}`, import.meta.url)))) {
      const text = await Deno.readTextFile(file);
      for (const [, given] of text.matchAll(/\bname: ([^\n`]+),\s*bindings\b/g)) {
        for (const [, name] of given.matchAll(/"([^"]+)"/g)) names.push(name);
      }
    }
  }
  return names;
}

async function sourcesIn(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) files.push(...await sourcesIn(`${folder}/${name}`));
    else if (name.endsWith(".ts")) files.push(`${folder}/${name}`);
  }
  return files;
}

const GOOD: KernelSource = {
  name: "shift",
  bindings: { x: "load vec4f", out: "store vec4f" },
  uniforms: { n: "u32" },
  declarations: "var<workgroup> tile: array<vec4f, 64>;",
  subgroups: true,
  body: `tile[lane] = x_at(index);
workgroupBarrier();
let sum = subgroupAdd(tile[lane].x);
if (index < u.n) { out_put(index, tile[63u - lane] + sum); }`,
};

/** Faults, and what the compiler has to say of the line with the fault. */
const FAULTS: readonly (readonly [fault: string, change: (text: string) => string, said: RegExp])[] = [
  [
    "a barrier that not all invocations reach",
    (text) => text.replace("workgroupBarrier();", "if (lane < 3u) { workgroupBarrier(); }"),
    /^shift: line \d+: .*uniform control flow.* \| if \(lane < 3u\) \{ workgroupBarrier\(\); \}$/,
  ],
  [
    "a subgroup operation that not all invocations reach",
    (text) =>
      text.replace(
        "let sum = subgroupAdd(tile[lane].x);",
        "var sum = 0.0; if (x_at(index).x > 0.0) { sum = subgroupAdd(1.0); }",
      ),
    /^shift: line \d+: .*uniform control flow/,
  ],
  [
    "a wrong type",
    (text) => text.replace("63u - lane", "63.0 - lane"),
    /^shift: line \d+: no matching overload for 'operator - [^|]* \| .*63\.0 - lane/,
  ],
  [
    "a name that is not there",
    (text) => text.replace("< u.n", "< u.m"),
    /^shift: line \d+: struct member m not found \| /,
  ],
  [
    "no directive for subgroups",
    (text) => text.replace("enable subgroups;\n", ""),
    /^shift: line \d+: .*subgroups.* \| .*subgroupAdd/,
  ],
  [
    "too much workgroup memory",
    (text) => text.replace("vec4f, 64>", "vec4f, 6400>"),
    /^shift: The total use of workgroup storage \(102400 bytes\) is larger than the maximum/,
  ],
  [
    "a binding that the pipeline has otherwise",
    (text) => text.replace("var<uniform> u", "var<storage, read> u"),
    /^shift: The buffer type in the shader .* is not compatible with the type in the layout/,
  ],
];

tintTest("a kernel without a fault passes; one with a fault is refused by its name, line and text", async (tint) => {
  for (const traits of [KINDS[0], KINDS.at(-1)!]) {
    const found = new Map<string, KernelText>();
    const device = collectingDevice(traits, found);
    const x = device.empty([256]), out = device.empty([256]);
    device.run(kernel(GOOD), { bindings: { x, out }, uniforms: { n: 64 }, grid: [1, 1, 1] });
    const [good] = found.values();
    assert.deepEqual(await compileKernels(tint, [good]), []);
    for (const [fault, change, said] of FAULTS) {
      const text = change(good.text);
      assert.notEqual(text, good.text, fault);
      const [wrong, ...more] = await compileKernels(tint, [good, { ...good, text }, good]);
      assert.match(wrong ?? "not refused", said, fault);
      assert.deepEqual(more, [], fault);
    }
  }
});

tintTest("a barrier that is moved into a branch is found in the kernel of a matrix product", async (tint) => {
  const product = [...all.values()].find(({ name, text }) =>
    name === "matmul" && text.includes("workgroupBarrier();")
  )!;
  const text = product.text.replace("workgroupBarrier();", "if (lane % 2u == 0u) { workgroupBarrier(); }");
  const [wrong] = await compileKernels(tint, [{ ...product, text }]);
  assert.match(wrong ?? "not refused", /^matmul: line \d+: .*uniform control flow/);
});
