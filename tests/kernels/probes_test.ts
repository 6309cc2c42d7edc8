/** Every kernel has probes, by which a device tells whether it is right before it uses it. */
import assert from "node:assert/strict";
import { kernelsOf } from "./all_kernels.ts";
import { KINDS, nameOf } from "./traits.ts";

for (const traits of KINDS) {
  Deno.test(`every kernel has probes: ${nameOf(traits)}`, async () => {
    const kernels = new Set([...(await kernelsOf(traits)).values()].map(({ kernel }) => kernel));
    assert.ok(kernels.size > 100, `${kernels.size} kernels`);
    const unknown = [...kernels].filter(({ probes }) => !probes?.().length);
    assert.deepEqual(unknown.map(({ name, structure }) => `${name} ${structure}`), [], "give them probes");
  });
}
