import assert from "node:assert/strict";
import { parsePickle } from "../../../model/weights/pickle.ts";
import { encodeStateDict, openTorch } from "../../../model/weights/torch.ts";
import { archiveOf, floats, latin1 } from "./_archive.ts";

/** Instructions for one tensor: name, storage 0 of `count` floats, offset, sizes, strides. */
function oneTensor(name: string, count: number, offset: number, shape: string, strides: string): string {
  const text = (s: string) => `X${String.fromCharCode(s.length, 0, 0, 0)}${s}`;
  return `${text(name)}ctorch._utils\n_rebuild_tensor_v2\n((${text("storage")}ctorch\nFloatStorage\n${text("0")}${
    text("cpu")
  }K${String.fromCharCode(count)}tQK${
    String.fromCharCode(offset)
  }${shape}${strides}\x89ccollections\nOrderedDict\n)RtR`;
}
const pair = (a: number, b: number) => `K${String.fromCharCode(a)}K${String.fromCharCode(b)}\x86`;

Deno.test("openTorch() reads what encodeStateDict() describes, of every type, scalars and empty tensors too", async () => {
  const tensors = [
    { name: "a.weight", dtype: "F32", shape: [2, 3] },
    { name: "b", dtype: "BF16", shape: [] },
    { name: "c", dtype: "I64", shape: [1] },
    { name: "d", dtype: "F16", shape: [0, 4] },
  ] as const;
  const file = await openTorch(archiveOf({
    "archive/data.pkl": encodeStateDict(tensors),
    "archive/byteorder": latin1("little"),
    "archive/data/0": floats(1, 2, 3, 4, 5, 6),
    "archive/data/1": Uint8Array.of(0x80, 0x3f),
    "archive/data/2": Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255),
    "archive/data/3": new Uint8Array(),
  }));
  assert.deepEqual(
    [...file.entries.values()].map(({ name, dtype, shape }) => ({ name, dtype, shape: [...shape] })),
    tensors,
  );
  const a = file.entries.get("a.weight")!;
  assert.deepEqual((await a.read()).data, Float32Array.of(1, 2, 3, 4, 5, 6));
  assert.deepEqual(await a.read({ from: 1, to: 2 }), { dtype: "F32", shape: [1, 3], data: Float32Array.of(4, 5, 6) });
  assert.deepEqual((await file.entries.get("b")!.read()).data, Uint16Array.of(0x3f80));
  assert.deepEqual((await file.entries.get("c")!.read()).data, BigInt64Array.of(-1n));
  assert.equal((await file.entries.get("d")!.read()).data.length, 0);
});

Deno.test("openTorch() gathers tensors that are no rows of their storage: transposed, and behind an offset", async () => {
  const pickle = `\x80\x02}(${oneTensor("t", 7, 1, pair(2, 3), pair(1, 2))}u.`;
  const file = await openTorch(archiveOf({ "x/data.pkl": latin1(pickle), "x/data/0": floats(9, 1, 2, 3, 4, 5, 6) }));
  const t = file.entries.get("t")!;
  assert.deepEqual((await t.read()).data, Float32Array.of(1, 3, 5, 2, 4, 6));
  assert.deepEqual((await t.read({ from: 1, to: 2 })).data, Float32Array.of(2, 4, 6));
});

Deno.test("openTorch() takes the moving average of a checkpoint, and drops the names of wrappers", async () => {
  const text = (s: string) => `X${String.fromCharCode(s.length, 0, 0, 0)}${s}`;
  const model = `${text("state_dict")}}(${oneTensor("model.module.w", 2, 0, pair(1, 2), pair(2, 1))}u`;
  const ema = `${text("ema")}}(${text("decay")}G?\xef\xf7\xce\xd9\x16\x87+${text("params")}}(${
    oneTensor("w", 2, 0, pair(2, 1), pair(1, 1))
  }uu`;
  const open = (body: string) =>
    openTorch(archiveOf({ "data.pkl": latin1(`\x80\x02}(${body}u.`), "data/0": floats(1, 2) }));
  const both = await open(model + ema);
  assert.deepEqual(both.metadata, { section: "ema.params" });
  assert.deepEqual([...both.entries.get("w")!.shape], [2, 1]);
  const one = await open(model);
  assert.deepEqual([one.metadata.section, ...one.entries.keys()], ["state_dict", "w"]);
});

Deno.test("a pickle that asks for anything but tensors is refused by name, and nothing runs", async () => {
  const refused = (pickle: string, message: RegExp) =>
    assert.throws(() => parsePickle(latin1(pickle), "evil.pt"), (error) => {
      assert(error instanceof SyntaxError);
      assert.match(error.message, message);
      assert.match(error.message, /evil\.pt/);
      return true;
    });
  refused("\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.", /asks for os\.system, which is no tensor: refused/);
  refused("\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.", /asks for builtins\.eval/);
  refused("\x80\x02ctorch.nn\nLinear\n)\x81.", /instruction "\x81"|instruction "\\u0081"/); // NEWOBJ
  refused("\x80\x02}cos\nsystem\nb.", /holds os\.system/); // BUILD
  refused("\x80\x02X\xff\0\0\0ab", /cut short/);
  refused("\x80\x02h\x05.", /recalls number 5/);
  refused("\x80\x09.", /protocol is 9/);
  refused("\x80\x02(.", /a part of a tensor|mark/);
  refused(`\x80\x02}(${oneTensor("t", 2, 1, pair(1, 2), pair(2, 1))}u.`, /reaches number 2 of a storage of 2/);
  await assert.rejects(
    openTorch(archiveOf({ "a/data.pkl": latin1("\x80\x02}X\x03\0\0\0lrsK\x01s.") })),
    /no tensors at its top|takes from|has no value/,
  );
  await assert.rejects(openTorch(archiveOf({ "readme.txt": latin1("hi") })), /has no data\.pkl/);
});

Deno.test("openTorch() tells of storages that are missing, cut short or of another byte order", async () => {
  const pickle = latin1(`\x80\x02}(${oneTensor("t", 2, 0, pair(1, 2), pair(2, 1))}u.`);
  await assert.rejects(
    openTorch(archiveOf({ "data.pkl": pickle })),
    /tensor "t" is in data\/0, which the archive lacks/,
  );
  await assert.rejects(openTorch(archiveOf({ "data.pkl": pickle, "data/0": floats(1) })), /has 4 bytes.*take 8/);
  await assert.rejects(openTorch(archiveOf({ "data.pkl": pickle, "byteorder": latin1("big") })), /big-endian/);
});
