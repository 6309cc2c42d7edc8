import assert from "node:assert/strict";
import { CIF } from "molstar/lib/mol-io/reader/cif.js";
import { encodeMsgPack } from "molstar/lib/mol-io/common/msgpack/encode.js";
import { parseBinaryCif } from "../../../tools/data/_binary_cif.ts";
import { unpack } from "../../../tools/data/_message_pack.ts";
import { parseCif } from "../../../tools/data/_cif_reader.ts";
import { toBinaryCif } from "../../../tools/data/write_binary_cif.ts";
import { FINGERS } from "../fold/_fingers.ts";

Deno.test("parseBinaryCif() reads every value of a file as Mol* and the reader of text do", async () => {
  const text = await Deno.readTextFile(`${FINGERS}1znf.cif`);
  const bytes = await toBinaryCif(text);
  const [own] = parseBinaryCif(bytes, "x.bcif"), [plain] = parseCif(text, "x.cif");
  const parsed = await CIF.parseBinary(bytes).run();
  assert.ok(!parsed.isError);
  const [theirs] = parsed.result.blocks;
  let values = 0;
  for (const name of theirs.categoryNames) {
    const table = own.table(name)!;
    assert.equal(table.rowCount, theirs.categories[name].rowCount);
    for (const item of theirs.categories[name].fieldNames) {
      const [column, field, written] = [
        table.column(item)!,
        theirs.categories[name].getField(item)!,
        plain.table(name)!.column(item)!,
      ];
      for (let row = 0; row < table.rowCount; row++) {
        assert.equal(column.has(row), field.valueKind(row) === 0, `${name}.${item} ${row}`);
        if (!column.has(row)) continue;
        if (/Cartn|B_iso|occupancy/.test(item)) {
          assert.equal(Math.fround(column.number(row)), Math.fround(written.number(row)));
        } else {assert.deepEqual(
            [column.text(row), field.str(row)],
            [written.text(row), written.text(row)],
            `${name}.${item}`,
          );}
        values++;
      }
    }
  }
  assert.ok(values > 3000);
});

/** A file of one column of three rows. */
function file(data: unknown, encoding: unknown[], mask: unknown = null): Uint8Array {
  const columns = [{ name: "x", data: { data, encoding }, mask }];
  const categories = [{ name: "_c", rowCount: 3, columns }];
  return encodeMsgPack({ encoder: "t", version: "0.3.0", dataBlocks: [{ header: "T", categories }] });
}

const bytes = (type: number) => ({ kind: "ByteArray", type });

Deno.test("parseBinaryCif() takes every encoding off", () => {
  const numbers = (data: Uint8Array, encoding: unknown[]) => {
    const column = parseBinaryCif(file(data, encoding), "x")[0].table("c")!.column("X")!;
    return [0, 1, 2].map((row) => column.number(row));
  };
  const of = (array: ArrayBufferView) => new Uint8Array(array.buffer);
  assert.deepEqual(numbers(of(Int16Array.of(1, -2, 300)), [bytes(2)]), [1, -2, 300]);
  assert.deepEqual(numbers(of(Float64Array.of(0.1, 2, -3)), [bytes(33)]), [0.1, 2, -3]);
  const fixed = { kind: "FixedPoint", factor: 1000, srcType: 33 };
  assert.deepEqual(numbers(of(Int32Array.of(1500, -250, 0)), [fixed, bytes(3)]), [1.5, -0.25, 0]);
  const steps = { kind: "IntervalQuantization", min: 1, max: 3, numSteps: 5, srcType: 33 };
  assert.deepEqual(numbers(of(Int32Array.of(0, 1, 4)), [steps, bytes(3)]), [1, 1.5, 3]);
  const runs = { kind: "RunLength", srcType: 3, srcSize: 3 };
  assert.deepEqual(numbers(of(Int32Array.of(7, 2, -1, 1)), [runs, bytes(3)]), [7, 7, -1]);
  const delta = { kind: "Delta", origin: 1000, srcType: 3 };
  assert.deepEqual(numbers(of(Int8Array.of(0, 1, -3)), [delta, bytes(1)]), [1000, 1001, 998]);
  const packed = { kind: "IntegerPacking", byteCount: 1, isUnsigned: false, srcSize: 3 };
  assert.deepEqual(numbers(of(Int8Array.of(127, 127, 1, -128, -2, 5)), [packed, bytes(1)]), [255, -130, 5]);
});

Deno.test("parseBinaryCif() refuses what lies about its sizes, and says which column", () => {
  const refused: [Uint8Array, RegExp][] = [
    [file(new Uint8Array(2), [bytes(4)]), /_c\.x is damaged: it has 2 rows, expected 3/],
    [file(new Uint8Array(3), [bytes(9)]), /there is no type of numbers 9/],
    [file(new Uint8Array(3), [bytes(2)]), /its bytes are no whole numbers/],
    [file(new Uint8Array(8), [{ kind: "RunLength", srcSize: 4e9 }, bytes(3)]), /4000000000 values, expected at most 3/],
    [file(new Uint8Array(8), [{ kind: "RunLength", srcSize: 3 }, bytes(3)]), /runs have another length/],
    [file(new Uint8Array(3), [{ kind: "Magic" }, bytes(4)]), /the encoding "Magic" is not known/],
    [file("text", [bytes(4)]), /bytes are missing/],
  ];
  for (const [data, message] of refused) {
    assert.throws(() => parseBinaryCif(data, "x.bcif")[0].table("c")!.column("x"), message);
  }
  const whole = file(new Uint8Array(3), [bytes(4)]);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => parseBinaryCif(whole.subarray(0, length), "x.bcif"), /Cannot read x\.bcif as BinaryCIF/);
  }
  assert.throws(() => unpack(Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff, 1)), /cut short/);
  assert.throws(() => unpack(new Uint8Array(100).fill(0x91)), /nested more than 64 deep/);
});
