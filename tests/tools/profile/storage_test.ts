import assert from "node:assert/strict";
import { join } from "node:path";
import { storageErrors } from "../../../tools/profile/storage_error.ts";
import { linear } from "../../../ops/mod.ts";
import { gpuTest } from "../../_gpu.ts";
import { denofold } from "../cli/_run.ts";

const SMALL = ["--n-seq", "3", "--n-res", "9", "--c-m", "32", "--c-z", "16", "--steps", "1", "--warmup", "1"];

gpuTest("the error of 16 bits is that of rounding", async (device) => {
  const x = device.tensor([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], [4, 4]);
  const weight = device.tensor(Array.from({ length: 16 }, (_, i) => 1 + i / 4096), [4, 4]);
  const identity = { weight: x };
  try {
    const { out } = await storageErrors(device, () => {
      const hidden = linear(x, { weight }, { intermediate: true });
      return { out: linear(hidden, identity) };
    });
    const errors = Array.from({ length: 16 }, (_, i) => 1 + i / 4096).map((v) => Math.abs(Math.f16round(v) - v));
    assert.equal(out.max, Math.max(...errors));
    const rms = (values: number[]) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
    assert.ok(Math.abs(out.relativeRms - rms(errors) / out.rms) < 1e-9, `${out.relativeRms}`);
  } finally {
    device.intermediates = "f32";
  }
});

Deno.test("denofold profile --storage f16 prints its error beside the time, and needs less memory", async () => {
  const profile = async (storage: string) => {
    const { code, stdout, stderr } = await denofold(
      ...["profile", "evoformer", ...SMALL, "--no-files", "--json", "--storage", storage],
    );
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  const whole = await profile("f32"), half = await profile("f16");
  assert.equal(whole.storageError, undefined);
  assert.equal(half.settings.storage, "f16");
  assert.deepEqual(Object.keys(half.storageError), ["m", "z"]);
  for (const { relativeRms, max } of Object.values<{ relativeRms: number; max: number }>(half.storageError)) {
    assert.ok(relativeRms > 1e-6 && relativeRms < 2e-3 && max > 0, `${relativeRms}, ${max}`);
  }
  assert.ok(half.memory.peakBytes < whole.memory.peakBytes);
  const text = await denofold("profile", "evoformer", ...SMALL, "--no-files", "--storage", "f16");
  assert.match(text.stdout, /\nError of f16 against f32, random weights: m differs by [\d.e-]+ of its size/);
});

Deno.test("16 bits are refused for gradients", async () => {
  using parent = {
    path: await Deno.makeTempDir(),
    [Symbol.dispose]: () => Deno.removeSync(parent.path, { recursive: true }),
  };
  const folder = join(parent.path, "profile");
  const { code, stderr } = await denofold(
    "profile",
    "evoformer",
    ...SMALL,
    "--out",
    folder,
    "--storage",
    "f16",
    "--backward",
  );
  assert.equal(code, 2);
  await assert.rejects(Deno.stat(folder), Deno.errors.NotFound, "nothing is left behind");
  assert.match(stderr, /denofold: --storage f16 is for inference alone: gradients need f32\n$/);
});
