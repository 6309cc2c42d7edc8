import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import {
  encodeSafetensors,
  float32Array,
  type NamedArray,
  parseSafetensors,
  toFloat32,
} from "../../../model/weights/safetensors.ts";

const sample = (): Map<string, NamedArray> =>
  new Map<string, NamedArray>([
    ["z.bytes", { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 255) }],
    ["a.weight", { dtype: "F32", shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, 1e-20, -0) }],
    ["steps", { dtype: "I64", shape: [], data: BigInt64Array.of(-9007199254740993n) }],
    ["empty", { dtype: "F32", shape: [0, 4], data: new Float32Array(0) }],
    ["half", { dtype: "F16", shape: [5], data: Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x7bff) }],
    ["bf", { dtype: "BF16", shape: [2], data: Uint16Array.of(0x3f80, 0xc120) }],
    ["double", { dtype: "F64", shape: [1], data: Float64Array.of(0.1) }],
    ["mask", { dtype: "BOOL", shape: [2], data: Uint8Array.of(0, 1) }],
    ["ints", { dtype: "I32", shape: [1, 1, 2], data: Int32Array.of(-5, 7) }],
    ["u32", { dtype: "U32", shape: [1], data: Uint32Array.of(4294967295) }],
  ]);

/** A file of a header written by hand and `size` bytes of data. */
function file(header: unknown, size: number): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + size);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

Deno.test("encodeSafetensors() and parseSafetensors() give back every type, in order, with metadata", () => {
  const metadata = { format: "pt", note: 'a "quoted" text', __proto__x: "1" };
  const bytes = encodeSafetensors(sample(), metadata);
  const { tensors, metadata: found } = parseSafetensors(bytes, "x.safetensors");
  assert.deepEqual([...tensors], [...sample()]);
  assert.deepEqual({ ...found }, metadata);
});

Deno.test("encodeSafetensors() aligns every array to its width and data to 8 bytes", () => {
  const bytes = encodeSafetensors(sample());
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  assert.equal(length % 8, 0);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  assert.deepEqual(Object.keys(header), [...sample().keys()]);
  for (const [name, { data }] of sample()) {
    assert.equal(header[name].data_offsets[0] % data.BYTES_PER_ELEMENT, 0, name);
  }
});

Deno.test("parseSafetensors() reads arrays at any alignment and returns copies", () => {
  const header = {
    odd: { dtype: "U8", shape: [1], data_offsets: [0, 1] },
    value: { dtype: "F32", shape: [1], data_offsets: [1, 5] },
  };
  const bytes = file(header, 5);
  new DataView(bytes.buffer).setFloat32(bytes.length - 4, 2.5, true);
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  const array = parseSafetensors(shifted.subarray(3), "x").tensors.get("value");
  shifted.fill(0);
  assert.deepEqual(array?.data, Float32Array.of(2.5));
});

Deno.test("toFloat32() converts every type", () => {
  const tensors = sample();
  const converted = (name: string): number[] => [...toFloat32(tensors.get(name) ?? assert.fail(name))];
  assert.deepEqual(converted("half"), [1, -2, 2 ** -24, Infinity, 65504]);
  assert.deepEqual(converted("bf"), [1, -10]);
  assert.deepEqual(converted("double"), [Math.fround(0.1)]);
  assert.deepEqual(converted("steps"), [Math.fround(-9007199254740993)]);
  assert.deepEqual(converted("mask"), [0, 1]);
  assert.deepEqual(converted("ints"), [-5, 7]);
  assert.deepEqual(converted("u32"), [4294967296]);
  assert.ok(Number.isNaN(toFloat32({ dtype: "F16", shape: [1], data: Uint16Array.of(0x7c01) })[0]));
  assert.throws(() => float32Array([2, 2], new Float32Array(3)), /needs 4 numbers in Float32Array, given 3/);
});

const one = (changes: object) => ({ w: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...changes } });
const cases: [string, Uint8Array, RegExp][] = [
  ["no bytes", new Uint8Array(0), /has 0 bytes, expected at least 8/],
  ["a header longer than the file", file(one({}), 8).subarray(0, 20), /announces a header of 54 bytes but has 20/],
  ["a huge header", new Uint8Array(16).fill(0xff), /announces a header of 18446744073709551615 bytes/],
  ["text that is not JSON", file("{oops", 0), /its header is not JSON/],
  ["a list as header", file([], 0), /not a JSON object/],
  ["an unknown type", file(one({ dtype: "F33" }), 8), /tensor "w" has type "F33", expected one of F64 F32/],
  ["a negative size", file(one({ shape: [-2] }), 8), /tensor "w" has shape \[-2\], expected a list of sizes/],
  ["a shape that does not fit", file(one({ shape: [3] }), 8), /"w" of F32 \[3\] takes 12 bytes, but its range has 8/],
  ["data cut short", file(one({}), 7), /tensor "w" ends at byte 8 but the file has 7 bytes of data: cut short/],
  ["data left over", file(one({}), 9), /its tensors take 8 bytes, found 9/],
  ["offsets backwards", file(one({ data_offsets: [8, 0] }), 8), /data_offsets \[8,0\], expected \[begin, end\]/],
  ["an overlap", file({ ...one({}), v: one({ data_offsets: [4, 12] }).w }, 12), /"v" begins at byte 4 and overlaps/],
  ["a gap", file({ ...one({}), v: one({ data_offsets: [9, 17] }).w }, 17), /"v" begins at byte 9 and leaves a gap/],
  ["metadata that is not text", file({ __metadata__: { a: 1 } }, 0), /__metadata__ "a" is not a text/],
];
for (const [what, bytes, message] of cases) {
  Deno.test(`parseSafetensors() refuses ${what}`, () => {
    assert.throws(() => parseSafetensors(bytes, "model.safetensors"), (error: Error) => {
      assert.equal(error.name, "SyntaxError");
      assert.match(error.message, message);
      return error.message.includes("model.safetensors");
    });
  });
}

Deno.test("parseSafetensors() answers every truncation and every damaged header byte with a SyntaxError or an equal size", () => {
  const bytes = encodeSafetensors(sample(), { step: "3" });
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => parseSafetensors(bytes.subarray(0, length), "x"), SyntaxError, `${length} bytes`);
  }
  const headerEnd = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  for (let at = 0; at < headerEnd; at++) {
    const damaged = bytes.slice();
    damaged[at] ^= 1 << (at % 8);
    try {
      parseSafetensors(damaged, "x");
    } catch (error) {
      assert.ok(error instanceof SyntaxError, `byte ${at}: ${error}`);
    }
  }
});

Deno.test("a file with a checksum tells every flipped bit", () => {
  const bytes = encodeSafetensors(sample(), { step: "3" }, { checksum: true });
  const { tensors, metadata } = parseSafetensors(bytes, "x");
  assert.deepEqual([...tensors], [...sample()]);
  const header = new TextDecoder().decode(
    bytes.subarray(8, 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true))),
  );
  const [{ __metadata__: _, ...entries }, data] = [JSON.parse(header), bytes.subarray(8 + header.length)];
  const expected = crc32(data, crc32(JSON.stringify(entries))).toString(16).padStart(8, "0");
  assert.deepEqual({ ...metadata }, { step: "3", "denofold.crc32": expected });
  for (let at = 8 + header.length; at < bytes.length; at++) {
    const damaged = bytes.slice();
    damaged[at] ^= 1 << (at % 8);
    assert.throws(() => parseSafetensors(damaged, "x"), /x as safetensors: its checksum is [0-9a-f]{8}, expected/);
  }
  const renamed = bytes.slice();
  renamed[8 + header.indexOf("a.weight")] = 98;
  assert.throws(() => parseSafetensors(renamed, "x"), /its checksum is/);
});

Deno.test("encodeSafetensors() refuses data that do not fit their description", () => {
  const wrong = (array: NamedArray, name = "w") => () => encodeSafetensors(new Map([[name, array]]));
  assert.throws(wrong({ dtype: "F32", shape: [2], data: new Float32Array(3) }), TypeError);
  assert.throws(wrong({ dtype: "F32", shape: [2], data: new Int32Array(2) }), TypeError);
  assert.throws(wrong({ dtype: "F32", shape: [1], data: new Float32Array(1) }, "__metadata__"), TypeError);
});
