import assert from "node:assert/strict";
import { fromBfloat16, toBfloat16 } from "../../core/bfloat16.ts";

Deno.test("bfloat16 is the nearest number of 8 significant bits, ties to even, in the range of float32", () => {
  const ulp = 2 ** -7;
  for (
    const [x, nearest] of [
      ...[[1, 1], [1 + 0.49 * ulp, 1], [1 + ulp / 2, 1], [1 + 1.5 * ulp, 1 + 2 * ulp], [1 + 0.51 * ulp, 1 + ulp]],
      ...[[255.9, 256], [-70_000, -70_144], [1e38, Math.round(1e38 / 2 ** 119) * 2 ** 119], [2 ** -130, 2 ** -130], [
        3.4e38,
        Infinity,
      ]],
      ...[[0, 0], [-0, -0], [-Infinity, -Infinity], [NaN, NaN]],
    ]
  ) {
    const [found] = fromBfloat16(toBfloat16([x]));
    assert(Object.is(found, Math.fround(nearest)), `${x}: ${found}, expected ${nearest}`);
  }
  // Whatever the lower half of the bits of a NaN is, it stays one.
  const nan = new Float32Array(Uint32Array.of(0x7f800001, 0xffffffff).buffer);
  assert(fromBfloat16(toBfloat16(nan)).every(Number.isNaN));
});
