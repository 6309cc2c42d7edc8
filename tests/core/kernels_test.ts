import assert from "node:assert/strict";
import { requestTraits } from "../../core/adapter.ts";
import {
  type AdapterTraits,
  Device,
  elementGrid,
  type Kernel,
  kernel,
  type KernelFinding,
  type KernelOptions,
  type KernelStore,
  noise,
  type Tensor,
  type Verdict,
  WrongKernelError,
} from "../../core/mod.ts";
import { textHash } from "../../core/_text_hash.ts";
import { ensureAdapter } from "../../tools/platform/driver.ts";
import { testDevice } from "../_gpu.ts";
import { type Need, need, needing } from "../_needs.ts";

const N = 4 * 37;

/** y = 2 x, as `text` computes it. */
function double(name: string, text: string): Kernel {
  return kernel({
    name,
    bindings: { x: "load vec4f", y: "store vec4f" },
    uniforms: { n: "u32" },
    body: `if (index < u.n) { y_put(index, ${text}); }`,
  }, () => [{
    before: { x: noise(N, 1) },
    uniforms: { n: N / 4 },
    grid: [1, 1, 1],
    after: ({ x }) => ({ y: x.map((value) => 2 * value) }),
  }]);
}

const RIGHT = double("right", "2.0 * x_at(index)");
const WRONG = double("wrong", "select(2.0 * x_at(index), vec4f(), index == 36u)"); // the last element
const INVALID = double("invalid", "no_such_function(x_at(index))");

function run(device: Device, kernel: Kernel, x: Tensor): Tensor {
  const y = device.empty(x.shape, x.dtype);
  device.run(kernel, { bindings: { x, y }, uniforms: { n: x.size / 4 }, grid: elementGrid(x.size / 4, 64) });
  return y;
}

/** What a test changes of the adapter: its traits, the texts it is given, and whether results can be had at once. */
interface Changes extends KernelOptions {
  readonly traits?: Partial<AdapterTraits>;
  readonly mutate?: (code: string) => string;
  readonly waits?: boolean;
}

async function open({ traits, mutate, waits, ...options }: Changes = {}): Promise<Device> {
  const { adapter } = await ensureAdapter();
  const { device: gpu, traits: own } = await requestTraits(adapter);
  if (mutate) {
    const create = gpu.createShaderModule;
    Object.defineProperty(gpu, "createShaderModule", {
      value: (source: GPUShaderModuleDescriptor) => create.call(gpu, { ...source, code: mutate(source.code) }),
    });
  }
  if (waits) { // as in a browser: a range can be had only after the mapping was awaited
    const create = gpu.createBuffer;
    Object.defineProperty(gpu, "createBuffer", {
      value(description: GPUBufferDescriptor) {
        const buffer = create.call(gpu, description);
        const { mapAsync, getMappedRange, unmap } = buffer;
        let mapped = false;
        Object.defineProperties(buffer, {
          mapAsync: {
            value: async (...args: Parameters<typeof mapAsync>) => {
              await mapAsync.apply(buffer, args);
              await new Promise((resolve) => setTimeout(resolve, 5));
              mapped = true;
            },
          },
          getMappedRange: {
            value(...args: Parameters<typeof getMappedRange>) {
              if (!mapped) throw new DOMException("not mapped", "OperationError");
              return getMappedRange.apply(buffer, args);
            },
          },
          unmap: {
            value() {
              mapped = false;
              unmap.call(buffer);
            },
          },
        });
        return buffer;
      },
    });
  }
  const device = new Device(gpu, { ...own, ...traits }, options);
  await device.kernels.start();
  return device;
}

/** A test that opens devices of its own. */
function deviceTest(name: string, fn: () => Promise<void>, needs: readonly Need[] = []): void {
  Deno.test(needing(needs, { name, sanitizeOps: false, sanitizeResources: false, fn }));
}

const AT_ONCE = need("adapter", (await testDevice()).blocking, "this WebGPU hands results out later");

class Memory implements KernelStore {
  readonly known = new Map<string, Verdict>();
  verdict(hash: string): Verdict | undefined {
    return this.known.get(hash);
  }
  keep(hash: string, verdict: Verdict): void {
    this.known.set(hash, verdict);
  }
  clear(): void {
    this.known.clear();
  }
}

deviceTest("a kernel is used when it is right, and refused by name when it is not", async () => {
  const device = await open();
  const x = device.tensor(noise(N, 2), [N]);
  assert.deepEqual(await run(device, RIGHT, x).read(), noise(N, 2).map((value) => 2 * value));
  assert.throws(
    () => run(device, WRONG, x),
    (error: Error) =>
      error instanceof WrongKernelError && error.message.includes(device.traits.description) &&
      /^Kernel wrong \(loads from \w+\) is wrong on .*: y\[144\] is 0, expected/.test(error.message),
  );
  assert.deepEqual([...new Set(device.kernels.findings.map(({ kernel }) => kernel))], ["wrong"]);
  assert.equal(device.kernels.findings.length, device.traits.loadPaths.length); // each way to load was tried
  await device.finish();
  device.close();
}, [AT_ONCE]);

deviceTest(
  "a kernel that does not compile is passed over like one that is wrong, and its findings say why",
  async () => {
    const told: KernelFinding[] = [];
    const device = await open({ onFinding: (finding) => told.push(finding) });
    const x = device.tensor(noise(N, 2), [N]);
    const chosen = device.kernels.choose([INVALID, WRONG, RIGHT], (candidate) => [[candidate]]);
    assert.equal(chosen, RIGHT);
    assert.deepEqual(device.kernels.avoided, ["invalid", "wrong"]);
    await run(device, chosen, x).read();
    assert.match(told.find(({ kernel }) => kernel === "invalid")!.reason, /it does not compile: .*no_such_function/);
    assert.throws(() => device.kernels.choose([WRONG, INVALID], (candidate) => [[candidate]]), WrongKernelError);
    device.close();
  },
  [AT_ONCE],
);

deviceTest("what was passed over is passed over again where a run goes on", async () => {
  const device = await open();
  device.kernels.avoid([RIGHT.name]);
  const other = double("other", "x_at(index) + x_at(index)");
  assert.equal(device.kernels.choose([RIGHT, other], (candidate) => [[candidate]]), other);
  device.close();
});

deviceTest(
  "where results come later, the next read throws instead of returning numbers of a wrong kernel",
  async () => {
    const device = await open({ waits: true });
    assert.equal(device.kernels.choose([WRONG, RIGHT], (candidate) => [[candidate]]), WRONG); // not known yet
    const x = device.tensor(noise(N, 2), [N]);
    const y = run(device, WRONG, x), z = run(device, RIGHT, x);
    await assert.rejects(() => z.read(), /WrongKernelError: Kernel wrong .* void; the kernel is not used any more/);
    // From now on it is known, from wherever it loads.
    assert.throws(() => run(device, WRONG, x), WrongKernelError);
    assert.equal(device.kernels.choose([WRONG, RIGHT], (candidate) => [[candidate]]), RIGHT);
    assert.deepEqual(await run(device, RIGHT, x).read(), noise(N, 2).map((value) => 2 * value));
    assert.equal(y.disposed, false);
    device.close();
  },
);

deviceTest("where results come later, what an earlier run found wrong is passed over at once", async () => {
  const store = new Memory();
  for (const expected of [WRONG, RIGHT]) {
    const device = await open({ waits: true, store });
    const chosen = device.kernels.choose([WRONG, RIGHT], (candidate) => [[candidate]]);
    assert.equal(chosen, expected);
    const y = run(device, chosen, device.tensor(noise(N, 2), [N]));
    if (chosen === WRONG) await assert.rejects(() => y.read(), WrongKernelError);
    else assert.deepEqual(await y.read(), noise(N, 2).map((value) => 2 * value));
    device.close();
  }
});

deviceTest("a way to load that gives zeros is not used by any kernel, and is named once", async () => {
  const told: KernelFinding[] = [];
  const mutate = (code: string) => code.replace(/return textureLoad\(.*\); }/g, "return vec4f(); }");
  const device = await open({
    traits: { loadPaths: ["textures", "buffers"] },
    mutate,
    onFinding: (finding) => told.push(finding),
  });
  const x = device.tensor(noise(N, 2), [N]);
  assert.deepEqual(await run(device, RIGHT, x).read(), noise(N, 2).map((value) => 2 * value));
  assert.deepEqual(device.kernels.loadPaths, ["buffers"]);
  assert.deepEqual(told.map(({ kernel, loads }) => [kernel, loads]), [["loads", "textures"]]);
  device.close();
});

deviceTest("where no way to load is right, the refusal says so", async () => {
  const mutate = (code: string) => code.replace(/(fn x_at\(i: u32\) -> vec4f \{) .*/g, "$1 return vec4f(); }");
  const device = await open({ mutate });
  const x = device.tensor(noise(N, 2), [N]);
  assert.throws(() => run(device, RIGHT, x), /WrongKernelError: Kernel loads .* there is no other version of it/);
  device.close();
}, [AT_ONCE]);

deviceTest("what an earlier process found right is not run again, but for the loads and one kernel", async () => {
  const store = new Memory();
  const spot = { ...RIGHT, name: "spot", source: { ...RIGHT.source, name: "spot", spotCheck: true } };
  const runs = async (mutate?: (code: string) => string) => {
    const device = await open({ store, mutate });
    const x = device.tensor(noise(N, 2), [N]);
    const refused = [RIGHT, spot].map((kernel) => {
      try {
        run(device, kernel, x);
        return false;
      } catch (error) {
        assert.ok(error instanceof WrongKernelError, `${error}`);
        return true;
      }
    });
    await device.finish();
    device.close();
    return refused;
  };
  assert.deepEqual(await runs(), [false, false]);
  assert.equal(store.known.size, 3); // the loads, and both kernels
  const spoilt = (code: string) => code.replace("2.0 * x_at", "3.0 * x_at");
  // The text is known, so the first is taken for right; the second is looked at, and nothing that is kept holds any more.
  assert.deepEqual(await runs(spoilt), [false, true]);
  assert.equal(store.known.size, 0);
  assert.deepEqual(await runs(spoilt), [true, true]);
  assert.deepEqual(await runs(), [false, false]);
  assert.equal(store.known.size, 3);
}, [AT_ONCE]);

deviceTest("16-bit floats are a text of their own", async () => {
  const device = await open();
  // Right in 32 bits, wrong in 16: what is stored is read as if it were the other.
  const mixed = (code: string) => code.includes("vec2u") ? "x_at(index)" : "2.0 * x_at(index)";
  device.close();
  const other = await open({ mutate: (code) => code.replace("2.0 * x_at(index)", mixed(code)) });
  const full = other.tensor(noise(N, 2), [N]), half = other.tensor(noise(N, 2), [N], "f16");
  run(other, RIGHT, full);
  assert.throws(() => run(other, RIGHT, half), WrongKernelError);
  await other.finish();
  other.close();
}, [AT_ONCE]);

deviceTest("probes take nothing of the device's memory and leave its counts alone", async () => {
  const device = await open();
  const before = device.memory;
  assert.equal(device.kernels.choose([RIGHT], (candidate) => [[candidate]]), RIGHT);
  assert.deepEqual(device.memory, before);
  assert.equal(device.dispatches, 0);
  device.close();
});

Deno.test("texts that differ in one letter differ in their hash", () => {
  const texts = ["", "a", "b", "ab", "ba", "aa", "aab", "c".repeat(1000), "c".repeat(1001), "c".repeat(999) + "d"];
  const hashes = texts.map(textHash);
  assert.equal(new Set(hashes).size, texts.length);
  for (const hash of hashes) assert.match(hash, /^[0-9a-f]{16}$/);
  assert.equal(textHash("ab"), hashes[3]);
});
