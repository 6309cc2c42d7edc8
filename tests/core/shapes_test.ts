import assert from "node:assert/strict";
import {
  broadcastShapes,
  elementGrid,
  flatGrid,
  MAX_WORKGROUPS,
  resolveAxis,
  sameShape,
  sizeOf,
  stridesOf,
} from "../../core/mod.ts";

Deno.test("sizeOf(), stridesOf() and sameShape()", () => {
  assert.deepEqual([sizeOf([]), sizeOf([3, 5]), sizeOf([3, 0, 5])], [1, 15, 0]);
  assert.deepEqual([stridesOf([]), stridesOf([2, 3, 5])], [[], [15, 5, 1]]);
  assert.ok(sameShape([2, 3], [2, 3]) && !sameShape([2, 3], [3, 2]) && !sameShape([2], [2, 1]) && sameShape([], []));
});

Deno.test("broadcastShapes() follows NumPy", () => {
  assert.deepEqual(broadcastShapes([], []), []);
  assert.deepEqual(broadcastShapes([3, 1, 5], [4, 1]), [3, 4, 5]);
  assert.deepEqual(broadcastShapes([1], [7, 2]), [7, 2]);
  assert.deepEqual(broadcastShapes([1, 3], [0, 3]), [0, 3]);
  assert.throws(() => broadcastShapes([2, 3], [4, 2, 2]), {
    name: "TypeError",
    message: "Cannot broadcast [2,3] with [4,2,2]: axis -1 is 3 in one and 2 in the other",
  });
  assert.throws(() => broadcastShapes([0], [3]), TypeError);
});

Deno.test("resolveAxis() counts from either end", () => {
  assert.deepEqual([0, 2, -1, -3].map((axis) => resolveAxis(axis, [5, 6, 7])), [0, 2, 2, 0]);
  for (const axis of [3, -4, 0.5, NaN]) assert.throws(() => resolveAxis(axis, [5, 6, 7]), RangeError);
  assert.throws(() => resolveAxis(0, []), RangeError);
});

Deno.test("flatGrid() and elementGrid() cover the count within the limits", () => {
  for (const count of [0, 1, 2.5, MAX_WORKGROUPS, MAX_WORKGROUPS + 1, 3 * MAX_WORKGROUPS + 17, 2 ** 31]) {
    const [x, y, z] = flatGrid(count);
    assert.ok(x * y * z >= count && x >= 1 && x <= MAX_WORKGROUPS && y <= MAX_WORKGROUPS && z === 1, `${count}`);
    assert.ok(x * y - Math.max(1, count) < y, `${count}: too many workgroups, ${x} by ${y}`);
  }
  assert.deepEqual(elementGrid(65, 64), [2, 1, 1]);
});
