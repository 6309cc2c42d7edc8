import assert from "node:assert/strict";
import { encodeNpy, parseNpy } from "../../../model/weights/npy.ts";
import type { NamedArray } from "../../../model/weights/safetensors.ts";

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** A version 1 file with this header and body. */
function npy(header: string, body: Uint8Array, version = 1): Uint8Array {
  const length = version === 1 ? [header.length & 255, header.length >> 8] : [header.length, 0, 0, 0];
  return Uint8Array.of(...ascii("\x93NUMPY"), version, 0, ...length, ...ascii(header), ...body);
}

const float64Bytes = (...values: number[]): Uint8Array => new Uint8Array(Float64Array.from(values).buffer);

Deno.test("encodeNpy() and parseNpy() give back every type and shape", () => {
  const arrays: NamedArray[] = [
    { dtype: "F32", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    { dtype: "F64", shape: [], data: Float64Array.of(0.1) },
    { dtype: "I32", shape: [3], data: Int32Array.of(-1, 0, 1) },
    { dtype: "I64", shape: [1, 1], data: BigInt64Array.of(-5n) },
    { dtype: "U8", shape: [2], data: Uint8Array.of(0, 255) },
    { dtype: "I8", shape: [2], data: Int8Array.of(-128, 127) },
    { dtype: "BOOL", shape: [2, 0], data: new Uint8Array(0) },
    { dtype: "F16", shape: [1], data: Uint16Array.of(0x3c00) },
  ];
  for (const array of arrays) {
    const bytes = encodeNpy(array);
    assert.equal(bytes.subarray(0, bytes.indexOf(10) + 1).length % 64, 0);
    assert.deepEqual(parseNpy(bytes, "x.npy"), array);
  }
});

Deno.test("parseNpy() turns Fortran order into C order, and reads versions 2 and 3", () => {
  // numpy.asfortranarray(numpy.arange(6.).reshape(2, 3)), NumPy 1.24.2
  const fortran = npy(
    "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }\n",
    float64Bytes(0, 3, 1, 4, 2, 5),
  );
  assert.deepEqual(parseNpy(fortran, "x").data, Float64Array.of(0, 1, 2, 3, 4, 5));
  for (const version of [2, 3]) {
    const bytes = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", float64Bytes(7, 8), version);
    assert.deepEqual(parseNpy(bytes, "x").data, Float64Array.of(7, 8));
  }
});

const header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n";
const cases: [string, Uint8Array, RegExp][] = [
  ["no bytes", new Uint8Array(0), /does not begin with the mark/],
  ["another kind of file", ascii("id,x,y\n1,2,3\n4,5,6\n"), /does not begin with the mark/],
  ["an unknown version", npy(header, float64Bytes(1, 2), 9), /version 9/],
  ["a truncated header", npy(header, float64Bytes(1, 2)).subarray(0, 30), /header is cut short/],
  [
    "a truncated body",
    npy(header, float64Bytes(1, 2)).subarray(0, -1),
    /\[2\] of F64 takes 16 bytes, found 15: cut short/,
  ],
  ["bytes left over", npy(header, float64Bytes(1, 2, 3)), /takes 16 bytes, found 24/],
  ["objects", npy(header.replace("<f8", "|O"), float64Bytes(1, 2)), /its type is \|O, expected one of <f4/],
  ["big-endian numbers", npy(header.replace("<f8", ">f8"), float64Bytes(1, 2)), /its type is >f8/],
  ["a header without shape", npy("{'descr': '<f8', 'fortran_order': False}", float64Bytes(1)), /lacks descr/],
];
for (const [what, bytes, message] of cases) {
  Deno.test(`parseNpy() refuses ${what}`, () => {
    assert.throws(() => parseNpy(bytes, "dist.npy"), (error: Error) => {
      assert.equal(error.name, "SyntaxError");
      assert.match(error.message, message);
      return error.message.includes("dist.npy");
    });
  });
}
