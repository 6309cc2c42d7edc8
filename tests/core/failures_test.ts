import assert from "node:assert/strict";
import { Device, DeviceLostError, elementGrid, kernel, OutOfMemoryError, type Tensor } from "../../core/mod.ts";
import { Readback } from "../../core/_readback.ts";
import { matmul } from "../../ops/matmul.ts";
import { ensureAdapter } from "../../tools/platform/driver.ts";
import { gpuTest, testDevice } from "../_gpu.ts";
import { need, needing } from "../_needs.ts";
import { faultyGpu } from "./_faulty_gpu.ts";

const ADD_ONE = kernel({
  name: "addOne",
  bindings: { x: "read f32", out: "write f32" },
  uniforms: { n: "u32" },
  body: "if (index < u.n) { out[index] = x[index] + 1.0; }",
});

const broken = (name: string) => kernel({ name, bindings: { out: "write f32" }, body: "out[0] = not_a_name;" });

function addOne(x: Tensor): Tensor {
  const out = x.device.empty(x.shape);
  x.device.run(ADD_ONE, { bindings: { x, out }, uniforms: { n: x.size }, grid: elementGrid(x.size, 64) });
  return out;
}

/** A test on a device of its own whose faults are at hand. */
function faultyTest(
  name: string,
  run: (device: Device, faults: ReturnType<typeof faultyGpu>["faults"]) => Promise<void>,
): void {
  Deno.test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const { traits } = await testDevice();
      const { adapter } = await ensureAdapter();
      const maxBufferSize = Math.min(adapter.limits.maxBufferSize, 2 ** 30);
      const { gpu, faults } = faultyGpu(await adapter.requestDevice({ requiredLimits: { maxBufferSize } }));
      const bare = { kernelFamilies: ["plain"], loadPaths: ["buffers"], subgroupSize: 0, timestamps: false } as const;
      using device = new Device(gpu, { ...traits, ...bare, maxBufferBytes: maxBufferSize, maxBindingBytes: 2 ** 27 });
      await run(device, faults);
    },
  });
}

const MIB = 2 ** 20;

faultyTest("out of memory is told as such, and the device lives on", async (device, faults) => {
  using weights = device.tensor([1, 2, 3], [3]);
  faults.memoryBytes = 8 * MIB;
  const before = device.memory;
  const attempt = async (n: number) => {
    using _ = device.scope("attempt");
    const x = device.zeros([n, MIB / 4]);
    return (await addOne(x).read())[n - 1];
  };
  for (let again = 0; again < 3; again++) {
    await assert.rejects(attempt(6), (error: OutOfMemoryError) => {
      assert.ok(error instanceof OutOfMemoryError, `${error}`);
      assert.match(
        error.message,
        /^The GPU ran out of memory: there was none for 6\.0 MiB more\. 3 tensors take 12\.0 MiB .* smaller batch/,
      );
      assert.equal(error.memory.liveTensors, before.liveTensors + 2);
      return true;
    });
    assert.equal(device.memory.liveBytes, before.liveBytes);
    assert.equal(await attempt(3), 1, "the caller retries with less");
    assert.deepEqual([...await weights.read()], [1, 2, 3], "what was made before is there");
  }
  device.trim();
  assert.equal(device.memory.allocatedBytes, before.liveBytes);
  assert.equal(faults.alive.tensors, 2, "the weights' buffer and that of the uniforms");
});

faultyTest("a buffer that got no memory is never handed out again, freed or not", async (device, faults) => {
  faults.memoryBytes = 4 * MIB;
  {
    using _ = device.scope("freed before anybody knew");
    device.zeros([2 * MIB]);
  }
  await assert.rejects(device.finish(), OutOfMemoryError);
  using kept = device.zeros([2, 1024, 1024]);
  await assert.rejects(device.check(), OutOfMemoryError);
  faults.memoryBytes = Infinity;
  assert.throws(() => matmul(kept, kept), OutOfMemoryError, "a tensor without memory says so when it is used");
  await assert.rejects(kept.read(), OutOfMemoryError);
  using fine = device.zeros([2 * MIB]);
  assert.equal((await fine.read())[MIB], 0);
});

faultyTest("memory that only others hold back is taken from the pool", async (device, faults) => {
  faults.memoryBytes = 9 * MIB;
  const use = async (elements: number) => {
    using _ = device.scope("use");
    await addOne(device.zeros([elements])).read();
  };
  await use(MIB); // two buffers of 4 MiB wait for reuse now
  await assert.rejects(use(3 * MIB / 2), OutOfMemoryError);
  await use(MIB / 2); // of another size: there is room again
});

gpuTest("two reads in flight each get their own failure", async (device) => {
  const x = device.tensor([1, 2], [2]);
  const fail = (name: string) => {
    const out = device.zeros([4]);
    device.run(broken(name), { bindings: { out }, grid: [1, 1, 1] });
    return out.read();
  };
  const good = addOne(x).read(), bad = fail("second"), worse = fail("third");
  const outcomes = await Promise.allSettled([worse, bad, good]);
  assert.deepEqual(outcomes.map(({ status }) => status), ["rejected", "rejected", "fulfilled"]);
  const [third, second, first] = outcomes as [
    PromiseRejectedResult,
    PromiseRejectedResult,
    PromiseFulfilledResult<ArrayLike<number>>,
  ];
  assert.deepEqual(Array.from(first.value), [2, 3]);
  assert.match(`${second.reason}`, /second/);
  assert.match(`${third.reason}`, /third/);
  assert.deepEqual([...await addOne(x).read()], [2, 3], "what is asked for later is not affected");
});

gpuTest("a read of what was submitted after a failure is told of it, if that is not known yet", async (device) => {
  const out = device.zeros([4]);
  device.run(broken("early"), { bindings: { out }, grid: [1, 1, 1] });
  device.flush();
  const late = addOne(out).read(), finished = device.finish();
  await assert.rejects(late, /early/);
  await assert.rejects(finished, /early/);
  await device.finish();
});

faultyTest("staging buffers are kept or destroyed, whatever becomes of a read", async (device, faults) => {
  using x = device.tensor([1, 2, 3], [3]);
  const gone = device.tensor([4], [1]);
  gone.dispose();
  await x.read();
  const { staging } = faults.alive, created = faults.created;
  for (let i = 0; i < 5; i++) {
    using out = device.zeros([4]);
    device.run(broken(`broken${i}`), { bindings: { out }, grid: [1, 1, 1] });
    await assert.rejects(out.read(), /A GPU command failed/);
    await assert.rejects(gone.read(), /used after it was disposed of/);
    assert.deepEqual([...await x.read()], [1, 2, 3]);
  }
  assert.ok(faults.alive.staging <= staging + 1, `${faults.alive.staging} staging buffers, there were ${staging}`);
  assert.ok(faults.created - created <= 7, "small ones serve again");
  using large = device.zeros([2 ** 19]);
  await large.read();
  assert.ok(faults.alive.staging <= staging + 1, "large ones are not kept");
});

/** A WebGPU that hands over one number, in its own way, and finishes work when it is told to. */
function numberGpu(way: "at once" | "at once, and aborts" | "when awaited" | "wrongly") {
  let written = 0, copied = 0;
  const work = Promise.withResolvers<undefined>();
  const createBuffer = () => {
    let mapped = false;
    let mapping: PromiseWithResolvers<undefined> | undefined;
    const end = () => {
      mapped = false;
      if (way === "at once, and aborts") mapping?.reject(new DOMException("unmapped", "AbortError"));
    };
    return {
      size: 256,
      destroy: end,
      mapAsync: () => {
        mapped = way !== "when awaited";
        const { promise, resolve } = mapping = Promise.withResolvers<undefined>();
        setTimeout(() => resolve((mapped = true, undefined)));
        return promise;
      },
      getMappedRange: () => {
        if (!mapped) throw new DOMException("not mapped", "OperationError");
        return Uint32Array.of(way === "wrongly" ? 0 : copied).buffer;
      },
      unmap: end,
    };
  };
  const gpu = {
    lost: new Promise(() => {}),
    addEventListener: () => {},
    pushErrorScope: () => {},
    popErrorScope: () => Promise.resolve(null),
    createBuffer,
    createCommandEncoder: () => ({ copyBufferToBuffer: () => (copied = written), finish: () => ({}) }),
    queue: {
      submit: () => {},
      writeBuffer: (
        _: GPUBuffer,
        __: number,
        data: ArrayBuffer | Uint32Array,
        first = 0,
      ) => ([written] = new Uint32Array(data instanceof ArrayBuffer ? data.slice(first, first + 4) : data)),
      onSubmittedWorkDone: () => work.promise,
    },
    destroy: () => {},
  };
  return { gpu: gpu as unknown as GPUDevice, finishWork: () => work.resolve(undefined) };
}

for (
  const [way, atOnce] of [
    ["at once", true],
    ["at once, and aborts", true],
    ["when awaited", false],
    ["wrongly", false],
  ] as const
) {
  Deno.test(`a device that maps ${way} is ${atOnce ? "not " : ""}waited for`, async () => {
    const { gpu, finishWork } = numberGpu(way);
    await Readback.probe(gpu);
    using device = new Device(gpu, { ...(await testDevice()).traits, loadPaths: ["buffers"] });
    using x = device.tensor([7], [1], "u32");
    for (let i = 0; i < 3; i++) assert.equal(await x.item(), way === "wrongly" ? 0 : 7);
    let finished = false;
    const finish = device.finish().then(() => finished = true);
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setTimeout(resolve));
    assert.equal(finished, atOnce);
    finishWork();
    await finish;
  });
}

Deno.test("a mapping that the device refuses is a lost device, one that was aborted is not", async () => {
  const { traits } = await testDevice();
  for (const [name, type] of [["OperationError", DeviceLostError], ["AbortError", Error]] as const) {
    const { gpu } = numberGpu("when awaited");
    const create = gpu.createBuffer.bind(gpu);
    gpu.createBuffer = (descriptor) =>
      Object.assign(create(descriptor), { mapAsync: () => Promise.reject(new DOMException("no", name)) });
    using device = new Device(gpu, { ...traits, loadPaths: ["buffers"] });
    using x = device.tensor([7], [1], "u32");
    await assert.rejects(x.read(), (error: Error) => error instanceof type && error.name === type.name);
  }
});

faultyTest("what is written is submitted in pieces of 2 MiB", async (device, faults) => {
  const numbers = new Float32Array(25 * MIB);
  for (const i of [0, 1, 2, 3]) numbers.set([1, 2, 3, 4, 5, 6], i * 8 * MIB - (i && 3)); // across borders
  {
    using large = device.tensor(numbers, [numbers.length]); // 100 MiB at once
    assert.ok(faults.mostWritten <= 2 * MIB, `${faults.mostWritten} bytes`);
    const read = await large.read() as Float32Array;
    assert.ok(read.every((value, i) => value === numbers[i]));
  }
  using scope = device.scope("many");
  for (let i = 0; i < 20; i++) device.tensor(numbers.subarray(0, 5 * MIB / 4), [5 * MIB / 4]); // 5 MiB each
  assert.ok(scope.name && faults.mostWritten <= 4 * MIB, `${faults.mostWritten} bytes`);
});

Deno.test("a device goes back at the end of its scope", async () => {
  const { adapter } = await ensureAdapter();
  let lost: Promise<GPUDeviceLostInfo>;
  {
    using device = await Device.open(adapter);
    lost = device.gpu.lost;
    assert.equal(await device.tensor([3], [1]).item(), 3);
  }
  assert.equal((await lost).reason, "destroyed");
});

/** What a process with little memory says of running out of it, if that can be tried on this machine. */
async function sayingOfLittleMemory(): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("./_out_of_memory.ts", import.meta.url).pathname],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, text);
  return text;
}

const isLinux = Deno.build.os === "linux", isSoftware = (await testDevice()).traits.software;
const saying = isLinux && isSoftware ? await sayingOfLittleMemory() : "";
const LITTLE_MEMORY = [
  need("system", isLinux, "only on Linux a process's memory is limited"),
  need("adapter", isSoftware, "a GPU has memory of its own"),
  need("adapter", !saying.includes("overcommitted"), "the driver promises memory that it does not have"),
];

Deno.test(needing(LITTLE_MEMORY, {
  name: "out of memory on this machine: a process with little of it goes on",
  fn() {
    assert.match(saying, /OutOfMemoryError: The GPU ran out of memory: there was none for 64\.0 MiB more/);
    assert.match(saying, /\nthen 2, 3, 4, and 4096 of 4096 sums are right\n/);
  },
}));
