import assert from "node:assert/strict";
import { requestTraits } from "../../core/adapter.ts";
import { ensureAdapter } from "../../tools/platform/driver.ts";

/**
 * An adapter whose WGSL knows subgroups in some of these two ways, whatever its list of features says. Types that this
 * test does not touch are left out.
 */
function adapterThatKnows(ways: readonly ("built-in" | "directive")[], listed: boolean): GPUAdapter {
  let failed = false;
  const device = {
    pushErrorScope: () => {},
    popErrorScope: () => Promise.resolve(failed ? { message: "unknown" } : null),
    createShaderModule({ code }: { code: string }) {
      failed = !ways.includes(code.startsWith("enable subgroups;") ? "directive" : "built-in");
    },
  };
  return {
    info: { description: "stand-in", vendor: "", architecture: "", subgroupMinSize: 8, subgroupMaxSize: 8 },
    features: new Set(listed ? ["subgroups"] : []),
    limits: {},
    requestDevice: () => Promise.resolve(device),
  } as unknown as GPUAdapter;
}

for (const listed of [true, false]) {
  Deno.test(`how WGSL gets at subgroups is found by compiling (listed as a feature: ${listed})`, async () => {
    const traits = async (...ways: ("built-in" | "directive")[]) =>
      (await requestTraits(adapterThatKnows(ways, listed))).traits;
    const builtIn = await traits("built-in");
    assert.deepEqual([builtIn.subgroupSize, builtIn.needsEnableSubgroups], [8, false]);
    const directive = await traits("directive");
    assert.deepEqual([directive.subgroupSize, directive.needsEnableSubgroups], [8, true]);
    assert.equal((await traits()).subgroupSize, 0);
  });
}

Deno.test("this adapter compiles subgroups as its traits say", async () => {
  const { adapter } = await ensureAdapter();
  const { device, traits } = await requestTraits(adapter);
  if (!traits.subgroupSize) return device.destroy();
  device.pushErrorScope("validation");
  device.createShaderModule({
    code: `${traits.needsEnableSubgroups ? "enable subgroups;" : ""}
@compute @workgroup_size(32) fn main() { _ = subgroupAdd(1.0); }`,
  });
  assert.equal(await device.popErrorScope(), null);
  device.destroy();
});
