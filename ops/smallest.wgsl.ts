import { type Kernel, kernel } from "../core/mod.ts";
import { smallestProbes } from "./_battery/pairs.ts";

/**
 * For every row of x [rows, n] where its k smallest numbers stand: places [rows, k] in x, and items [rows, k] among those of
 * all blocks, of which each has n items and `perBlock` rows. The first row is that of number `first`.
 *
 * An invocation counts for one number how many of its row come before it, which are those that are smaller and those that
 * are equal and stand before it: its slot. Bits of floats are compared as integers that have the same order, so that all
 * numbers have one, NaN too: it is the largest.
 */
export const smallestKernel: Kernel = kernel({
  name: "smallest",
  bindings: { x: "read f32", places: "write i32", items: "write i32" },
  uniforms: { count: "u32", n: "u32", k: "u32", first: "u32", perBlock: "u32" },
  turns: ({ n }) => n + 1,
  declarations: `
fn ordered(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0xffffffffu; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}`,
  body: `
if (index < u.count) {
  let row = index / u.n;
  let column = index % u.n;
  let own = ordered(x[index]);
  var slot = 0u;
  for (var j = 0u; j < u.n; j++) {
    let other = ordered(x[row * u.n + j]);
    slot += select(0u, 1u, other < own || (other == own && j < column));
  }
  if (slot < u.k) {
    let all = u.first + row;
    places[row * u.k + slot] = i32(all * u.n + column);
    items[row * u.k + slot] = i32(all / u.perBlock * u.n + column);
  }
}`,
}, smallestProbes);
