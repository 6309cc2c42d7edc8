import assert from "node:assert/strict";
import { defineOp, type Tensor } from "../../core/mod.ts";
import { checkOp, gpuTest, randomArray } from "../_gpu.ts";

const SHAPE = [37, 81];
const SIZE = 37 * 81;

/** The input itself, with one element of the output or of the gradient replaced. */
function identity(fault: { readonly of?: "output" | "gradient"; readonly at?: number; readonly by?: number }) {
  const copied = (x: Tensor, spoilt: boolean) => {
    const { device } = x;
    const out = device.empty(x.shape);
    device.copy(x, out);
    if (spoilt) device.copy(device.tensor([fault.by ?? 0], [1]), out, { toElement: fault.at });
    return out;
  };
  return defineOp<{ x: Tensor }, never>({
    name: "spoilt",
    needs: [],
    forward: ({ x }) => ({ out: copied(x, fault.of === "output") }),
    vjp: (_, dOut) => ({ x: copied(dOut, fault.of === "gradient") }),
  });
}

gpuTest("checkOp() finds a single wrong element wherever it is, in the output and in the gradient", async (device) => {
  const run = (fault: Parameters<typeof identity>[0]) => {
    const op = identity(fault);
    return checkOp(device, { inputs: { x: SHAPE }, gpu: ({ x }) => op({ x }), reference: ({ x }) => x });
  };
  await run({});
  const cotangent = randomArray(SIZE, 77);
  for (const at of [0, 1, 1234, 2055, SIZE - 1]) {
    await assert.rejects(run({ of: "output", at, by: 0.5 }), /output\[/);
    for (const by of [cotangent[at] + 0.02, cotangent[at] - 0.02, NaN, Infinity, -Infinity]) {
      await assert.rejects(run({ of: "gradient", at, by }), /gradient of x/, `element ${at} by ${by}`);
    }
  }
});
