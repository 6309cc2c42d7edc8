import assert from "node:assert/strict";
import { join } from "node:path";
import { driverFiles, useDriverFiles, vulkanDevices } from "../../../tools/platform/vulkan.ts";
import { ROOT, runDeno } from "../cli/_run.ts";
import { mounts, need, needing, registry } from "../../_needs.ts";

const WITH_DRIVER = ["run", "-A", join(ROOT, "tools/platform/with_driver.ts")];
const linux = Deno.build.os === "linux";
const DRIVERS = need("system", linux && driverFiles().length > 0, "no Vulkan driver is installed in Linux's way");

Deno.test("with_driver.ts names the adapter and runs a command that finds it", async () => {
  const code = "console.log((await navigator.gpu.requestAdapter()) !== null, Deno.args.join())";
  const { code: exit, stdout, stderr } = await runDeno([
    ...WITH_DRIVER,
    "deno",
    "eval",
    "--unstable-webgpu",
    code,
    "a",
    "b",
  ]);
  assert.equal(exit, 0, stderr);
  assert.match(stderr, /^Adapter: \S/m);
  assert.equal(stdout, "true a,b\n");
});

Deno.test("with_driver.ts passes on the command's exit code", async () => {
  assert.equal((await runDeno([...WITH_DRIVER, "deno", "eval", "Deno.exit(7)"])).code, 7);
});

Deno.test('device "software" is a software driver; "cpu" is the same', async () => {
  for (const device of ["software", "cpu"]) {
    const { code, stderr } = await runDeno(WITH_DRIVER, { env: { DENOFOLD_DEVICE: device } });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^Adapter: .*(llvmpipe|SwiftShader|Basic Render)/m);
  }
});

Deno.test('device "gpu" is a GPU or an error that says what to install', async () => {
  const { code, stderr } = await runDeno(WITH_DRIVER, { env: { DENOFOLD_DEVICE: "gpu", DENOFOLD_NO_INSTALL: "1" } });
  if (code === 0) assert.doesNotMatch(stderr, /llvmpipe|SwiftShader/);
  else {assert.match(
      stderr,
      /^denofold: A GPU is asked for \(device "gpu"\), but the only adapter is [^\n]*nstall[^\n]*\n$/,
    );}
});

Deno.test("a device is chosen by a part of its name, and a wrong name is an error that lists the right ones", async () => {
  const adapter = (text: string) => /^Adapter: (.*)$/m.exec(text)?.[1] ?? "";
  const name = adapter((await runDeno(WITH_DRIVER)).stderr);
  const part = name.split(" ")[0].toUpperCase();
  const chosen = await runDeno(WITH_DRIVER, { env: { DENOFOLD_DEVICE: part } });
  assert.equal(chosen.code, 0, chosen.stderr);
  assert.ok(adapter(chosen.stderr).toUpperCase().includes(part));
  const wrong = await runDeno(WITH_DRIVER, { env: { DENOFOLD_DEVICE: "abacus" } });
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /^denofold: No adapter's name contains "abacus"; [^\n]*\n$/);
  if (linux) assert.ok(wrong.stderr.includes(name.split(" ")[0]));
});

Deno.test(needing(DRIVERS, {
  name: "a driver named by the environment that is not there is passed over, with a note",
  async fn() {
    const env = { VK_DRIVER_FILES: "/nonexistent", DENOFOLD_NO_INSTALL: "1" };
    const { code, stderr } = await runDeno(WITH_DRIVER, { env });
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /^The environment names the Vulkan driver \/nonexistent, which offers no fitting device; it is passed over\.$/m,
    );
  },
}));

Deno.test(needing(DRIVERS, {
  name: "vulkanDevices() lists the devices of the drivers in use",
  fn() {
    const before = Deno.env.get("VK_DRIVER_FILES");
    const devices = vulkanDevices();
    assert.ok(devices, "there is a driver, but no loader");
    for (const { name, type, driver, apiVersion } of devices) {
      assert.ok(name.length > 0);
      assert.equal(type === "cpu", /llvmpipe|SwiftShader/.test(name));
      if (name.startsWith("llvmpipe")) assert.match(driver, /^llvmpipe Mesa \d/);
      assert.match(apiVersion, /^1\.\d+\.\d+$/);
    }
    try {
      useDriverFiles(["/nonexistent"]);
      assert.deepEqual(driverFiles(), ["/nonexistent"]);
      assert.deepEqual(vulkanDevices(), []);
    } finally {
      useDriverFiles(before?.split(":"));
    }
    assert.deepEqual(vulkanDevices(), devices);
  },
}));

/** Runs in a mount namespace in which no Vulkan driver is installed. */
async function withoutDrivers(
  command: string[],
  env: Record<string, string>,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const hide = "for d in /usr/share/vulkan /etc/vulkan /usr/local/share/vulkan /usr/local/nvidia; do " +
    "if [ -d $d ]; then mount -t tmpfs none $d || exit 99; fi; done; ";
  const { code, stdout, stderr } = await new Deno.Command("unshare", {
    args: ["--mount", "sh", "-c", `${hide} exec "$@"`, "sh", Deno.execPath(), ...command],
    cwd: ROOT,
    env: { NO_COLOR: "1", DENOFOLD_DEVICE: "", VK_DRIVER_FILES: "", VK_ICD_FILENAMES: "", ...env },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert.notEqual(code, 99, text(stderr));
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const MOUNTS = await mounts();
const X86_LINUX = need("system", linux && Deno.build.arch === "x86_64", "this is not Linux on x86-64");

Deno.test(needing(MOUNTS, {
  name: "without a driver the error says in one line what was tried and what to install",
  async fn() {
    const cache = await Deno.makeTempDir();
    try {
      const outcome = await withoutDrivers(WITH_DRIVER, { DENOFOLD_CACHE: cache, DENOFOLD_NO_INSTALL: "1" });
      assert.equal(outcome.code, 1);
      assert.match(
        outcome.stderr,
        /^denofold: No GPU or software driver was found\. Tried: [^\n]*mesa-vulkan-drivers[^\n]*\n$/,
      );
      for (const word of ["NVIDIA", "AMD", "Intel", "Debian", "Ubuntu", "Fedora"]) {
        assert.ok(outcome.stderr.includes(word));
      }
    } finally {
      await Deno.remove(cache, { recursive: true });
    }
  },
}));

Deno.test(needing(MOUNTS, {
  name: "denofold doctor without a driver installs nothing, says what is missing and ends with code 1",
  async fn() {
    const cache = await Deno.makeTempDir();
    try {
      const doctor = ["run", "-A", "tools/cli/main.ts", "doctor"];
      const outcome = await withoutDrivers(doctor, {
        DENOFOLD_CACHE: cache,
        DENOFOLD_NO_INSTALL: "",
        XDG_RUNTIME_DIR: "",
      });
      assert.equal(outcome.code, 1);
      assert.equal(outcome.stderr, "");
      assert.match(outcome.stdout, /^self test +not run$/m);
      assert.match(
        outcome.stdout,
        /\nNot ready:\n- No GPU or software driver was found\. [^\n]*\n {2}[^\n]*`denofold doctor --fix`/,
      );
      assert.deepEqual(Array.from(Deno.readDirSync(cache), ({ name }) => name), ["run"]);
    } finally {
      await Deno.remove(cache, { recursive: true });
    }
  },
}));

Deno.test(needing([X86_LINUX, await registry()], {
  name: "SwiftShader is fetched from npm and computes",
  sanitizeResources: false,
  async fn() {
    const cache = await Deno.makeTempDir();
    try {
      const env = { DENOFOLD_CACHE: cache, DENOFOLD_DEVICE: "swiftshader", DENOFOLD_NO_INSTALL: "" };
      const first = await runDeno(WITH_DRIVER, { env });
      assert.equal(first.code, 0, first.stderr);
      assert.match(first.stderr, /Fetching the software driver SwiftShader/);
      assert.match(first.stderr, /^Adapter: SwiftShader/m);
      const left = Array.from(Deno.readDirSync(cache), ({ name }) => name.replace(/-.*/, "")).sort();
      assert.deepEqual(left.filter((name) => !["mesa", "run"].includes(name)), ["swiftshader"]);
      const doctor = await runDeno(["run", "-A", "tools/cli/main.ts", "doctor", "--json"], {
        env: { ...env, DENOFOLD_NO_INSTALL: "1" },
      });
      assert.equal(doctor.code, 0, doctor.stderr);
      assert.match(JSON.parse(doctor.stdout).adapter.name, /SwiftShader/);
    } finally {
      await Deno.remove(cache, { recursive: true });
    }
  },
}));
