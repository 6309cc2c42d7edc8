import { type Device, elementGrid, kernelFamily, type Tensor } from "../core/mod.ts";

/** Sums the rows `chunk * length … ` of a matrix, column by column (vec4 columns where the width allows). */
const PARTIAL = kernelFamily(({ vector }: { vector: boolean }) => ({
  name: "columnSum",
  bindings: { x: vector ? "load vec4f" : "read f32", out: vector ? "write vec4f" : "write f32" },
  uniforms: { rows: "u32", columns: "u32", chunks: "u32", chunk: "u32" },
  body: `if (index < u.columns * u.chunks) {
let first = (index / u.columns) * u.chunk;
var sum = ${vector ? "vec4f()" : "0.0"};
for (var r = first; r < min(first + u.chunk, u.rows); r++) {
  sum += ${vector ? "x_at(r * u.columns + index % u.columns)" : "x[r * u.columns + index % u.columns]"};
}
out[index] = sum;
}`,
}));

/** Sums a matrix [rows, n] over its rows to [n], in chunks so that float32 stays accurate; the same bits every time. */
export function columnSum(device: Device, x: Tensor, n: number): Tensor {
  const vector = n % 4 === 0;
  const columns = vector ? n / 4 : n;
  const kernel = PARTIAL({ vector });
  let sums = x;
  for (let rows = x.size / n;;) {
    const chunk = Math.max(16, Math.ceil(Math.sqrt(rows)));
    const chunks = Math.ceil(rows / chunk);
    const out = device.empty([chunks, n]);
    device.run(kernel, {
      bindings: { x: sums, out },
      uniforms: { rows, columns, chunks, chunk },
      grid: elementGrid(columns * chunks, 64),
    });
    if (chunks === 1) return device.view(out, [n]);
    [sums, rows] = [out, chunks];
  }
}
