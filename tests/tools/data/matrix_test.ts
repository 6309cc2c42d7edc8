import assert from "node:assert/strict";
import { encodeNpy } from "../../../model/weights/npy.ts";
import { encodeSafetensors, float32Array } from "../../../model/weights/safetensors.ts";
import { checkDistances, formatCsv, parseDistanceCsv, readDistanceMatrix } from "../../../tools/data/matrix.ts";
import { InputError } from "../../../tools/errors.ts";

const VALUES = Float32Array.of(0, 1.5, 2, 1.5, 0, 3.25, 2, 3.25, 0);

Deno.test("readDistanceMatrix() reads .npy, .csv and .safetensors alike", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const csv = "0,1.5,2\n1.5,0,3.25\n2,3.25,0\n";
    const square = float32Array([3, 3], VALUES);
    const files: [string, Uint8Array | string][] = [
      ["a.npy", encodeNpy({ dtype: "F64", shape: [3, 3], data: Float64Array.from(VALUES) })],
      ["b.npy", encodeNpy(float32Array([1, 3, 3, 1], VALUES))],
      ["c.csv", csv],
      ["d.csv", ",x,y,z\nx,0,1.5,2\ny,1.5,0,3.25\nz,2,3.25,0\n"],
      ["e.csv", "\uFEFFx,y,z\r\n" + csv.replaceAll("\n", "\r\n")],
      ["f.safetensors", encodeSafetensors(new Map([["anything", square]]))],
      [
        "g.safetensors",
        encodeSafetensors(new Map([["other", float32Array([1], Float32Array.of(1))], ["distances", square]])),
      ],
    ];
    for (const [name, content] of files) {
      const path = `${folder}/${name}`;
      await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
      assert.deepEqual(await readDistanceMatrix(path), { n: 3, values: VALUES }, name);
    }
    await assert.rejects(
      readDistanceMatrix(`${folder}/g.safetensors`, "none"),
      /no tensor "none": it has other, distances/,
    );
    const refused: [string, Uint8Array, RegExp][] = [
      ["a.npy", encodeNpy(float32Array([9], VALUES)), /has shape \[9\], expected a square matrix/],
      ["b.npy", encodeNpy(float32Array([3, 3], VALUES)).slice(0, -4), /cut short/],
      ["c.csv", new Uint8Array(0), /c\.csv is empty/],
      ["d.safetensors", new Uint8Array(20).fill(200), /as safetensors/],
    ];
    for (const [name, content, message] of refused) {
      await Deno.writeFile(`${folder}/${name}`, content);
      await assert.rejects(readDistanceMatrix(`${folder}/${name}`), (error: Error) => {
        assert.match(error.message, message);
        return error instanceof InputError;
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("checkDistances() averages small asymmetry and names what is wrong", () => {
  assert.deepEqual([...checkDistances([1e-9, 2, 2.001, 0], 2, "x").values], [0, 2.0005, 2.0005, 0].map(Math.fround));
  const cases: [number[], RegExp][] = [
    [[0, 1, 1.1, 0], /x row 1, column 2 is 1 but row 2, column 1 is 1\.1: expected them equal/],
    [[0, -1, -1, 0], /x row 1, column 2 is -1, expected a distance of at least 0/],
    [[0, 1, NaN, 0], /x row 2, column 1 is NaN, expected a finite distance/],
    [[0, Infinity, 1, 0], /x row 1, column 2 is Infinity/],
    [[0, 1, 1, 0.5], /x row 2, column 2 is 0\.5, expected 0/],
  ];
  for (const [values, message] of cases) assert.throws(() => checkDistances(values, 2, "x"), message);
});

Deno.test("parseDistanceCsv() names the row and column of what is wrong", () => {
  const cases: [string, RegExp][] = [
    ["0,1\n1,0,5\n", /x row 2 has 3 numbers, expected 2/],
    ["0,1\n1,oops\n", /x row 2, column 2 is "oops", expected a number/],
    ["0,1,2\n1,0,2\n", /x row 1 has 3 numbers, expected 2|x row 1, column/],
    ["0,nan\n1,0\n", /row 1, column 2 is NaN/],
    ['0,"1\n', /Cannot read x as CSV/],
    ["\n\n", /x is empty/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseDistanceCsv(text, "x"), (error: Error) => {
      assert.match(error.message, message);
      return error instanceof InputError;
    });
  }
});

Deno.test("formatCsv() quotes what needs it", () => {
  const rows = [{ step: 1, note: 'a "b", c' }, { step: 2, note: undefined }];
  assert.equal(formatCsv(["step", "note"], rows), 'step,note\n1,"a ""b"", c"\n2,\n');
});
