import assert from "node:assert/strict";
import { decodeCheckpoint, encodeCheckpoint, findParameter } from "../../finetune/mod.ts";
import { gpuTest, randomArray } from "../_gpu.ts";
import { encodeSafetensors } from "../../model/weights/safetensors.ts";

const FACTS = { model: "toy", seed: 7, history: [[0, 1.25], [1, 0.1]], words: "Å" };

gpuTest("a checkpoint gives back parameters, facts and the trainer's memory to the bit", async (device) => {
  const data = randomArray(15, 1);
  const params = { someBlocks: [{ qProj: { weight: device.tensor(data, [3, 5]) } }], bias: device.tensor([1.5], [1]) };
  const [m, v, ema] = [2, 3, 4].map((seed) => randomArray(20, seed));
  const trainer = { step: 12, skippedInARow: 2, optimizer: { step: 11, m, v }, ema };
  const bytes = await encodeCheckpoint(params, FACTS, trainer);
  const back = decodeCheckpoint(bytes, "toy.safetensors");
  assert.deepEqual(back.facts, FACTS);
  assert.deepEqual(back.trainer, trainer);
  assert.deepEqual([...back.params.keys()], ["some_blocks.0.q_proj.weight", "bias"]);
  assert.deepEqual(findParameter(back, "someBlocks.0.qProj.weight", [3, 5], "toy"), data);
  assert.throws(
    () => findParameter(back, "someBlocks.0.qProj.weight", [5, 3], "toy.safetensors"),
    /^TypeError: toy.safetensors: the parameter some_blocks.0.q_proj.weight is \[3,5\], this model needs \[5,3\]$/,
  );
  assert.throws(
    () => findParameter(back, "other", [1], "toy.safetensors"),
    /^TypeError: toy.safetensors has no parameter other, expected one of shape \[1\]$/,
  );
});

gpuTest("a checkpoint without trainer has parameters alone", async (device) => {
  const back = decodeCheckpoint(await encodeCheckpoint({ a: device.tensor([1, 2], [2]) }, {}), "x");
  assert.equal(back.trainer, undefined);
  assert.deepEqual(back.facts, {});
  assert.deepEqual([...back.params.keys()], ["a"]);
});

gpuTest("a checkpoint with any byte changed, or cut anywhere, is refused with its name", async (device) => {
  const m = randomArray(4, 2);
  const bytes = await encodeCheckpoint({ a: device.tensor([1, 2, 3], [3]) }, FACTS, {
    step: 1,
    optimizer: { step: 1, m, v: m },
  });
  const headerEnd = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const refused = (damaged: Uint8Array, what: string) =>
    assert.throws(() => decodeCheckpoint(damaged, "run/checkpoint.safetensors"), (error) => {
      assert.ok(error instanceof SyntaxError, `${what}: ${error}`);
      assert.match(error.message, /run\/checkpoint\.safetensors/, what);
      return true;
    }, what);
  for (let at = 0; at < bytes.length; at++) {
    if (at < headerEnd && bytes[at] === 0x20) continue; // padding may change into other white space
    const damaged = Uint8Array.from(bytes);
    damaged[at] ^= 1 << (at % 7);
    refused(damaged, `byte ${at} (${String.fromCharCode(bytes[at])})`);
  }
  for (let length = 0; length < bytes.length; length += 13) refused(bytes.slice(0, length), `${length} bytes`);
});

Deno.test("a safetensors file of another program is refused", () => {
  const bytes = encodeSafetensors(new Map([["a", { dtype: "F32", shape: [1], data: new Float32Array(1) }]]));
  assert.throws(
    () => decodeCheckpoint(bytes, "a.safetensors"),
    /^SyntaxError: a.safetensors is no checkpoint of denofold: /,
  );
});
