import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { installedLavapipe, mesaVersion } from "../../../tools/platform/lavapipe.ts";
import { chooseVectorWidth, hasAvx512, keepWidthTimes } from "../../../tools/platform/vector_width.ts";
import { need, needing } from "../../_needs.ts";
import { testDevice } from "../../_gpu.ts";
import { runDeno } from "../cli/_run.ts";
import { withCache } from "./_cache.ts";

const FOLDER = /^lavapipe-[\w.]+-[0-9a-f]{8}-\w+$/;
const SCRIPT = ["run", "-A", "--unstable-webgpu", "tests/tools/platform/_product.ts"];
/** As if no other process had prepared the environment. */
const CLEAN = {
  LP_NATIVE_VECTOR_WIDTH: "",
  MESA_SHADER_CACHE_DIR: "",
  MESA_SHADER_CACHE_MAX_SIZE: "",
  XDG_RUNTIME_DIR: "",
  DENO_WEBGPU_BACKEND: "",
};

const { description } = (await testDevice()).traits;
const LAVAPIPE = need("adapter", /llvmpipe/.test(description), `the adapter is ${description}, not lavapipe`);
const WIDE = need("system", hasAvx512(), "the processor has no AVX-512");

interface Seen {
  worst: number;
  lanes: number;
  environment: Record<string, string | undefined>;
}

/** What the script sees in an environment. */
async function product(env: Record<string, string>): Promise<Seen> {
  const { code, stdout, stderr } = await runDeno(SCRIPT, { env: { ...CLEAN, ...env } });
  assert.deepEqual([code, stderr], [0, ""]);
  return JSON.parse(stdout);
}

Deno.test(needing(LAVAPIPE, {
  name: "a script that imports setup runs at the command line's width, in the same cache, without a word",
  fn: () =>
    withCache(async (cache) => {
      const { worst, lanes, environment } = await product({ DENOFOLD_CACHE: cache });
      assert.equal(worst, 0);
      const folder = environment.MESA_SHADER_CACHE_DIR!;
      assert.equal(dirname(folder), join(cache, "mesa"));
      assert.match(basename(folder), FOLDER);
      assert.ok(Deno.statSync(folder).isDirectory);
      assert.equal(environment.MESA_SHADER_CACHE_MAX_SIZE, "64M");
      const doctor = await runDeno(["run", "-A", "tools/cli/main.ts", "doctor", "--json"], {
        env: { ...CLEAN, DENOFOLD_CACHE: cache },
      });
      const findings = JSON.parse(doctor.stdout);
      assert.deepEqual(findings.adapter.subgroupSizes, [lanes, lanes]);
      assert.equal(String(findings.vectorWidth.bits), String(environment.LP_NATIVE_VECTOR_WIDTH));
      assert.ok(findings.folders.some(({ path }: { path: string }) => path === folder));
    }),
}));

Deno.test(needing([LAVAPIPE, WIDE], {
  name: "processes of different vector widths keep apart below one folder, in any order",
  fn: () =>
    withCache(async (cache) => {
      const own = join(cache, "mine");
      const folders = new Set<string>();
      let before = own; // what the user names; then what a process of ours hands on to those that it starts
      for (const bits of ["256", "512", "256", "512"]) {
        const { worst, lanes, environment } = await product({
          ...{ DENOFOLD_CACHE: cache, LP_NATIVE_VECTOR_WIDTH: bits, MESA_SHADER_CACHE_DIR: before },
        });
        assert.deepEqual([worst, lanes], [0, Number(bits) / 32], `${bits} bits`);
        before = environment.MESA_SHADER_CACHE_DIR!;
        assert.equal(dirname(before), own);
        folders.add(before);
      }
      assert.equal(folders.size, 2);
    }),
}));

Deno.test(needing(LAVAPIPE, {
  name: "where WebGPU was used before, its environment stays and a note says so",
  fn: () =>
    withCache(async (cache) => {
      const code = `
        import { ensureAdapter } from "./tools/platform/driver.ts";
        await navigator.gpu.requestAdapter();
        const { notes } = await ensureAdapter();
        console.log(JSON.stringify({ notes, width: Deno.env.get("LP_NATIVE_VECTOR_WIDTH"), ` +
        `folder: Deno.env.get("MESA_SHADER_CACHE_DIR") }));`;
      const file = join(cache, "late.ts");
      await Deno.writeTextFile(file, code.replaceAll("./tools", `file://${Deno.cwd()}/tools`));
      const env = { ...CLEAN, XDG_RUNTIME_DIR: cache, DENO_WEBGPU_BACKEND: "vulkan", DENOFOLD_CACHE: cache };
      const late = await runDeno(["run", "-A", "--unstable-webgpu", file], { env });
      assert.deepEqual([late.code, late.stderr], [0, ""]);
      const { notes, width, folder } = JSON.parse(late.stdout);
      assert.deepEqual([width, folder], ["", ""]);
      assert.match(notes.at(-1), /^WebGPU was used before .*@denofold\/denofold\/setup"\.$/);
    }),
}));

Deno.test("the width is the user's, else the fastest that was timed, else a rule by the version", () =>
  withCache(async (cache) => {
    const driver = async (id: string, text: string) => {
      const library = join(cache, `${id}.so`);
      await Deno.writeTextFile(library, text);
      return { id, library };
    };
    const bookworm = await driver("00000012", "\0\x7fMesa abc\0Mesa 22.3.6 (LLVM 15.0.6)\0");
    const trixie = await driver("00000013", "Mesa 25.0.7-2+deb13u1 (LLVM 19.1.7)\0Mesa 1.2.3");
    const unknown = await driver("00000000", "no version here");
    assert.deepEqual([bookworm, trixie, unknown].map(({ library }) => mesaVersion(library)), [
      "22.3.6",
      "25.0.7",
      undefined,
    ]);
    assert.deepEqual(chooseVectorWidth(bookworm, undefined, true), { bits: 512, source: "rule", mesa: "22.3.6" });
    assert.deepEqual(chooseVectorWidth(trixie, "", true), { bits: 256, source: "rule", mesa: "25.0.7" });
    assert.deepEqual(chooseVectorWidth(unknown, "wide", true), { bits: 256, source: "rule", mesa: undefined });
    assert.deepEqual(chooseVectorWidth(trixie, undefined, false), { source: "driver", mesa: "25.0.7" });
    assert.equal(chooseVectorWidth(trixie, "128", true).bits, 128);

    const choice = (times: Record<string, number>) => {
      keepWidthTimes(trixie, times);
      const { bits, source, times: kept } = chooseVectorWidth(trixie, undefined, true);
      assert.deepEqual([source, kept], ["measured", times]);
      return bits;
    };
    assert.equal(choice({ 256: 310, 512: 790 }), 256);
    assert.equal(choice({ 256: 790, 512: 310 }), 512);
    assert.equal(choice({ 256: 310, 512: 300 }), 256, "a tie goes to the rule");
    assert.equal(chooseVectorWidth(trixie, "512", true).source, "environment");
    assert.equal(chooseVectorWidth(bookworm, undefined, true).source, "rule", "another driver");

    const record = join(cache, "mesa", "lavapipe_00000013.json");
    assert.equal(JSON.parse(await Deno.readTextFile(record)).mesa, "25.0.7");
    const damaged = ["", "{", "null", "[]", '{"mesa":7}', '{"times":{"x":{"256":1}}}', '{"times":{"x":null}}'];
    for (const text of damaged) {
      await Deno.writeTextFile(record, text);
      assert.deepEqual(chooseVectorWidth(trixie, undefined, true).bits, 256, text);
    }
  }));

Deno.test(needing(need("system", Deno.build.os === "linux", "this is not Linux"), {
  name: "lavapipe is found by what the loader would load, and replaced files give it another identity",
  fn: () =>
    withCache(async (cache) => {
      const icd = join(cache, "lvp_icd.json"), library = join(cache, "libvulkan_lvp.so");
      const announce = (path: string) => Deno.writeTextFile(icd, JSON.stringify({ ICD: { library_path: path } }));
      const before = Deno.env.get("VK_DRIVER_FILES");
      Deno.env.set("VK_DRIVER_FILES", icd);
      try {
        assert.equal(installedLavapipe(), undefined, "there is no such file");
        await announce("./libvulkan_lvp.so");
        await Deno.writeTextFile(library, "Mesa 25.0.7");
        const first = installedLavapipe()!;
        assert.equal(first.library, library);
        assert.deepEqual(installedLavapipe(), first);
        await Deno.writeTextFile(library, "Mesa 25.0.10");
        assert.notEqual(installedLavapipe()!.id, first.id);
        await announce("libvulkan_radeon.so");
        assert.equal(installedLavapipe(), undefined);
        await Deno.writeTextFile(icd, "{");
        assert.equal(installedLavapipe(), undefined);
      } finally {
        if (before === undefined) Deno.env.delete("VK_DRIVER_FILES");
        else Deno.env.set("VK_DRIVER_FILES", before);
      }
    }),
}));

Deno.test(needing(LAVAPIPE, {
  name: "of the folders of drivers that are used no more, few are kept",
  fn: () =>
    withCache(async (cache) => {
      const base = join(cache, "mesa");
      for (let age = 1; age <= 9; age++) {
        const folder = join(base, `lavapipe-2${age}.0.0-0000000${age}-256`);
        await Deno.mkdir(join(folder, "mesa_shader_cache"), { recursive: true });
        const used = new Date(Date.now() - age * 86_400_000);
        await Deno.utime(folder, used, used);
      }
      await Deno.mkdir(join(base, "another"));
      const { environment } = await product({ DENOFOLD_CACHE: cache });
      const left = Array.from(Deno.readDirSync(base)).filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
      const kept = [1, 2, 3, 4, 5, 6, 7].map((age) => `lavapipe-2${age}.0.0-0000000${age}-256`);
      assert.deepEqual(left.sort(), ["another", basename(environment.MESA_SHADER_CACHE_DIR!), ...kept].sort());
    }),
}));
