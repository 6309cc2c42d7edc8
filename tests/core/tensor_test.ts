import assert from "node:assert/strict";
import { gpuTest } from "../_gpu.ts";

gpuTest("a tensor is one line on the console, alone and in a tree", (device) => {
  using x = device.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
  assert.equal(Deno.inspect(x), "Tensor f32 [2, 3]");
  assert.equal(Deno.inspect({ weight: x }), "{ weight: Tensor f32 [2, 3] }");
  const gone = device.tensor([1], [1], "i32");
  gone.dispose();
  assert.equal(Deno.inspect(gone), "Tensor i32 [1], disposed of");
});
