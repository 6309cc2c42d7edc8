import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import { coveragePlot, paePlot, plddtPlot } from "../../../tools/predict/plots/colabfold_plots.ts";
import { glyphOf } from "../../../tools/pictures/hershey_simplex.ts";
import { Picture, ticks } from "../../../tools/pictures/picture.ts";

/** Size and pixels of a PNG as `encodePng` writes them. */
function decoded(png: Uint8Array) {
  const view = new DataView(png.buffer, png.byteOffset);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const lines = inflateSync(png.subarray(41, 41 + view.getUint32(33)));
  const at = (x: number, y: number) => [...lines.subarray(y * (1 + 4 * width) + 1 + 4 * x).subarray(0, 3)];
  return { width, height, at };
}

Deno.test("paePlot() has a panel a prediction, rows aligned on, from blue over white to red at 30 Å", () => {
  const n = 3;
  const pae = Float32Array.of(0, 15, 60, 7.5, 0, 22.5, 30, 30, 0);
  const plddt = new Float32Array(n);
  const { width, height, at } = decoded(paePlot([{ plddt, pae }, { plddt }, { plddt, pae: pae.map((x) => 30 - x) }])!);
  assert.deepEqual([width, height], [760, 350]);
  const colour = (panel: number, i: number, j: number) =>
    at(Math.floor(60 + 330 * panel + (j + 0.5) / n * 260), Math.floor(40 + (i + 0.5) / n * 260));
  assert.deepEqual(colour(0, 0, 0), [0, 0, 255]);
  assert.deepEqual(colour(0, 0, 1), [255, 255, 255]);
  assert.deepEqual(colour(0, 0, 2), [255, 0, 0]);
  assert.deepEqual(colour(0, 1, 0), [128, 128, 255]);
  assert.deepEqual(colour(0, 1, 2), [255, 128, 128]);
  assert.deepEqual(colour(0, 2, 0), [255, 0, 0]);
  assert.deepEqual(colour(1, 0, 0), [255, 0, 0]); // the next prediction that has one
  assert.equal(paePlot([{ plddt }]), undefined);
});

Deno.test("plddtPlot() has a line a prediction", () => {
  const { at } = decoded(plddtPlot([{ plddt: Float32Array.of(50, 50, 50) }, { plddt: Float32Array.of(20, 20, 20) }]));
  const y = (plddt: number) => Math.floor(40 + (1 - plddt / 100) * 330);
  const darkest = (plddt: number) => [-1, 0, 1].map((d) => at(400, y(plddt) + d)).sort((a, b) => a[2] - b[2]);
  assert.deepEqual(darkest(20)[0], [255, 159, 74]); // a line of 1.5 pixels covers 3/4 of the pixels beside its middle
  assert.deepEqual(darkest(50)[0], [87, 153, 199]);
  assert.deepEqual(at(400, y(80)), [255, 255, 255]);
});

Deno.test("coveragePlot() has rows by identity, the query on top, gaps white, and a line of depth", () => {
  const { at } = decoded(coveragePlot(["ACDE", "----", "AC--", "AAAA"]));
  const colour = (row: number, column: number) =>
    at(Math.floor(80 + (column + 0.3) / 4 * 660), Math.floor(40 + (row + 0.6) / 4 * 370));
  assert.deepEqual(colour(0, 0), [128, 0, 255]); // 1
  assert.deepEqual(colour(1, 3), [255, 255, 255]); // of AC--, 0.5
  assert.deepEqual(colour(1, 0), [128, 255, 180]);
  assert.deepEqual(colour(2, 0), colour(2, 1)); // of AAAA, 0.25
  for (const column of [0, 1, 2, 3]) assert.deepEqual(colour(3, column), [255, 255, 255]);
  const lineAt = (column: number, rows: number) =>
    [-1, 0].map((d) => at(Math.floor(80 + (column + 0.5) / 4 * 660), Math.floor(40 + (1 - rows / 4) * 370) + d)[0]);
  assert.ok(lineAt(0, 3).some((red) => red < 70) && lineAt(3, 2).some((red) => red < 70));
  assert.ok(lineAt(3, 3).every((red) => red > 70), "a line where no depth is");
});

Deno.test("a picture's lines are smooth and lie where they are told, its letters within their box", () => {
  const picture = new Picture(60, 40);
  picture.line([[10, 5], [10, 20]], [0, 0, 0], 2);
  picture.text("I_j", [40, 20], { size: 12 });
  const { at } = decoded(picture.png());
  assert.deepEqual([at(9, 10), at(10, 10), at(7, 10)], [[0, 0, 0], [0, 0, 0], [255, 255, 255]]);
  const dark: number[] = [];
  for (let y = 0; y < 40; y++) for (let x = 22; x < 60; x++) if (at(x, y)[0] < 128) dark.push(x, y);
  assert.ok(dark.length > 20);
  const ys = dark.filter((_, k) => k % 2), xs = dark.filter((_, k) => k % 2 === 0);
  assert.ok(Math.min(...ys) >= 13 && Math.max(...ys) <= 32 && Math.min(...xs) >= 25 && Math.max(...xs) <= 56);
  assert.deepEqual(glyphOf(" ").strokes, []);
  assert.deepEqual(glyphOf("I").strokes, [[[4, 1], [4, 22]]]);
  assert.deepEqual(ticks(0, 73), [0, 20, 40, 60]);
  assert.deepEqual(ticks(0, 30, 5), [0, 10, 20, 30]);
});
