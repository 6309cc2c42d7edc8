import assert from "node:assert/strict";
import { join } from "node:path";
import { InputError } from "../../../tools/errors.ts";
import { cacheFolder } from "../../../tools/platform/cache.ts";
import { readDeviceWish } from "../../../tools/platform/device_wish.ts";
import { fetchNpmFiles } from "../../../tools/platform/npm_files.ts";
import { cachedSwiftShader, fetchSwiftShader, swiftShaderRunsHere } from "../../../tools/platform/swiftshader.ts";
import { dawn, type Need, need, needing, registry } from "../../_needs.ts";
import { ROOT, runDeno } from "../cli/_run.ts";

const WITH_DRIVER = ["run", "-A", join(ROOT, "tools/platform/with_driver.ts")];
const DOCTOR = ["run", "-A", join(ROOT, "tools/cli/main.ts"), "doctor"];

/** SwiftShader, which is fetched where it is not here and may be fetched. */
async function swiftShader(): Promise<Need> {
  if (!swiftShaderRunsHere()) return { kind: "system", missing: "SwiftShader does not run here" };
  try {
    if (!cachedSwiftShader() && !Deno.env.get("DENOFOLD_NO_INSTALL")) await fetchSwiftShader();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  return need("registry", cachedSwiftShader() !== undefined, "SwiftShader is not here and cannot be fetched");
}

const NEEDS = [await dawn(), await swiftShader()];

/** A test that needs Dawn and SwiftShader. */
function dawnTest(name: string, fn: () => Promise<void>): void {
  Deno.test(needing(NEEDS, { name, sanitizeResources: false, fn }));
}

Deno.test("--device names an adapter, after dawn: one of Dawn's; DENOFOLD_WEBGPU says whose by default", () => {
  const before = Deno.env.get("DENOFOLD_WEBGPU");
  try {
    Deno.env.set("DENOFOLD_WEBGPU", "");
    assert.deepEqual(readDeviceWish("auto"), { dawn: false, wish: { kind: "auto" } });
    assert.deepEqual(readDeviceWish(" CPU"), { dawn: false, wish: { kind: "software" } });
    assert.deepEqual(readDeviceWish("Dawn"), { dawn: true, wish: { kind: "auto" } });
    assert.deepEqual(readDeviceWish("dawn:"), { dawn: true, wish: { kind: "auto" } });
    assert.deepEqual(readDeviceWish("dawn:low-power"), { dawn: true, wish: { kind: "low-power" } });
    assert.deepEqual(readDeviceWish("dawn: NVIDIA H100"), { dawn: true, wish: { kind: "name", part: "nvidia h100" } });
    assert.deepEqual(readDeviceWish("dawnlight"), { dawn: false, wish: { kind: "name", part: "dawnlight" } });
    Deno.env.set("DENOFOLD_WEBGPU", "dawn");
    assert.deepEqual(readDeviceWish("gpu"), { dawn: true, wish: { kind: "gpu" } });
    assert.deepEqual(readDeviceWish("dawn:gpu"), { dawn: true, wish: { kind: "gpu" } });
    Deno.env.set("DENOFOLD_WEBGPU", "safari");
    assert.throws(() => readDeviceWish("gpu"), {
      name: "InputError",
      message: /is "safari", expected "deno" or "dawn"$/,
    });
  } finally {
    if (before === undefined) Deno.env.delete("DENOFOLD_WEBGPU");
    else Deno.env.set("DENOFOLD_WEBGPU", before);
  }
});

Deno.test("Dawn that is not here and may not be fetched is an error of one line that says what to do", async () => {
  const cache = await Deno.makeTempDir();
  try {
    const common = { DENOFOLD_CACHE: cache, DENOFOLD_NO_INSTALL: "1" };
    const ways: Record<string, string>[] = [{ DENOFOLD_DEVICE: "dawn:gpu" }, { DENOFOLD_WEBGPU: "dawn" }];
    for (const way of ways) {
      const outcome = await runDeno(WITH_DRIVER, { env: { ...common, ...way } });
      assert.equal(outcome.code, 1);
      assert.match(
        outcome.stderr,
        /^denofold: Dawn \(npm webgpu [\d.]+\) is asked for and not here yet \([^\n]*dawn\.node\); [^\n]*`denofold doctor --device dawn --fix`\n$/,
      );
    }
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

Deno.test("a damaged addon is an error that names its file", async () => {
  const cache = await Deno.makeTempDir();
  try {
    const { code } = await runDeno([
      "eval",
      `import { loadDawn } from "${join(ROOT, "tools/platform/dawn.ts")}";
      await loadDawn({ install: false, log() {} }).catch(({ message }) => {
        const path = message.match(/not here yet \\((.*?)\\)/)[1];
        Deno.mkdirSync(path.replace(/dawn.node$/, ""), { recursive: true });
        Deno.writeTextFileSync(path, "no addon");
      });`,
    ], { env: { DENOFOLD_CACHE: cache } });
    assert.equal(code, 0);
    const outcome = await runDeno(WITH_DRIVER, { env: { DENOFOLD_DEVICE: "dawn", DENOFOLD_CACHE: cache } });
    assert.equal(outcome.code, 1);
    assert.match(
      outcome.stderr,
      /^denofold: Dawn \([^)]*\) cannot be loaded: [^\n]*; remove [^\n]*dawn-[\d.]+ to have it fetched again\n$/,
    );
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

Deno.test(needing(await registry(), {
  name: "files of npm packages are fetched whole or not at all, and only with the SHA-256 they must have",
  async fn() {
    const before = Deno.env.get("DENOFOLD_CACHE");
    const cache = await Deno.makeTempDir();
    Deno.env.set("DENOFOLD_CACHE", cache);
    const wanted = (sha256: string) => ({ name: "ms", version: "2.1.3", files: { "license.md": sha256 } });
    const folder = join(cache, "ms");
    try {
      await assert.rejects(fetchNpmFiles(wanted("00"), { folder }), {
        name: "InputError",
        message: /^Cannot fetch ms 2\.1\.3 from npm: [^\n]*license\.md has the SHA-256 [0-9a-f]{64}, expected 00/,
      });
      assert.deepEqual([...Deno.readDirSync(cache)], []);
      await fetchNpmFiles(wanted("1662fae9b5314d11cf51284e2dcd1f006a354f7343f08712a730fcff9a359801"), { folder });
      assert.deepEqual([...Deno.readDirSync(cache)].map(({ name }) => name), ["ms"]);
      assert.match(Deno.readTextFileSync(join(folder, "license.md")), /MIT/);
    } finally {
      if (before === undefined) Deno.env.delete("DENOFOLD_CACHE");
      else Deno.env.set("DENOFOLD_CACHE", before);
      await Deno.remove(cache, { recursive: true });
    }
  },
}));

dawnTest("dawn:swiftshader is SwiftShader through Dawn, and doctor says so", async () => {
  const setup = await runDeno(WITH_DRIVER, {
    env: { DENOFOLD_DEVICE: "dawn:swiftshader", DENOFOLD_CACHE: cacheFolder() },
  });
  assert.equal(setup.code, 0, setup.stderr);
  assert.match(setup.stderr, /^Adapter: SwiftShader/m);
  const doctor = await runDeno([...DOCTOR, "--device", "swiftshader", "--json"], {
    env: { DENOFOLD_WEBGPU: "dawn", DENOFOLD_CACHE: cacheFolder() },
  });
  assert.equal(doctor.code, 0, doctor.stderr);
  const { ok, adapter, selfTest } = JSON.parse(doctor.stdout);
  assert.ok(ok && selfTest.ok, doctor.stdout);
  assert.match(adapter.webgpu, /^Dawn \(npm webgpu [\d.]+\)$/);
  assert.equal(adapter.name, JSON.parse(doctor.stdout).vulkanDevices[0].name);
});

dawnTest("a name that none of Dawn's adapters has is an error that lists what there is", async () => {
  const { code, stderr } = await runDeno(WITH_DRIVER, {
    env: { DENOFOLD_DEVICE: "dawn:abacus", DENOFOLD_CACHE: cacheFolder() },
  });
  assert.equal(code, 1);
  assert.match(
    stderr.replace(/^Warning: .*\n( - .*\n *at .*\n+)?/gm, ""),
    /denofold: No adapter's name contains "abacus"; /,
  );
});

dawnTest("a process that has used Dawn ends by itself, its device closed or not", async () => {
  const code = (close: string) =>
    `import { ensureAdapter } from "${join(ROOT, "tools/platform/driver.ts")}";
    import { Device } from "${join(ROOT, "core/mod.ts")}";
    const device = await Device.open((await ensureAdapter({ device: "dawn:swiftshader" })).adapter);
    console.log(...await device.tensor([1, 2, 3], [3]).read()); ${close}`;
  for (const close of ["", "device.close();"]) {
    const outcome = await runDeno(["eval", "--unstable-webgpu", code(close)], {
      env: { DENOFOLD_CACHE: cacheFolder() },
    });
    assert.deepEqual([outcome.code, outcome.stdout], [0, "1 2 3\n"], outcome.stderr);
  }
});
