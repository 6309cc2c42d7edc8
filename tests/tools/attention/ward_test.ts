import assert from "node:assert/strict";
import { hammingDistances } from "../../../tools/attention/hamming.ts";
import { leafOrder, type Merge, MOST_ITEMS, wardLinkage } from "../../../tools/attention/ward.ts";
import { assertClose, randomArray } from "../../_gpu.ts";
import fixture from "./fixtures/ward.json" with { type: "json" };

for (const { name, rows, distances, merges: expected, leaves } of fixture.cases) {
  Deno.test(`Hamming distances and Ward's tree of ${name} are those of scipy ${fixture.scipy}`, () => {
    const found = hammingDistances(rows);
    assertClose(found, distances, { atol: 1e-12, rtol: 0 }, "distance");
    const merges = wardLinkage(found);
    assertClose(merges.map(({ height }) => height), expected.map(([, , height]) => height), { atol: 1e-6, rtol: 0 });
    assert.deepEqual(
      merges.map(({ clusters: [a, b], size }) => [a, b, size]),
      expected.map(([a, b, , size]) => [a, b, size]),
    );
    assert.deepEqual(leafOrder(merges, leaves[0]), leaves); // the order of scipy keeps its own first leaf first
  });
}

/** Ward's clustering from its definition: the pair whose union adds least to the sum of squares, over all pairs. */
function plainWard(points: readonly (readonly number[])[]): { heights: number[]; last: number[][] } {
  let clusters = points.map((_, i) => [i]);
  const heights: number[] = [];
  let last: number[][] = [];
  while (clusters.length > 1) {
    let best = { cost: Infinity, a: 0, b: 0 };
    for (let a = 0; a < clusters.length; a++) {
      for (let b = a + 1; b < clusters.length; b++) {
        const [ca, cb] = [clusters[a], clusters[b]].map((c) =>
          points[0].map((_, k) => mean(c.map((i) => points[i][k])))
        );
        const [na, nb] = [clusters[a].length, clusters[b].length];
        const cost = Math.sqrt(2 * na * nb / (na + nb) * ca.reduce((sum, x, k) => sum + (x - cb[k]) ** 2, 0));
        if (cost < best.cost) best = { cost, a, b };
      }
    }
    last = [clusters[best.a], clusters[best.b]];
    clusters = [...clusters.filter((_, i) => i !== best.a && i !== best.b), last.flat()];
    heights.push(best.cost);
  }
  return { heights, last: last.map((cluster) => cluster.toSorted((a, b) => a - b)) };
}

const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;

Deno.test("wardLinkage() makes the merges of Ward's definition", () => {
  const values = randomArray(3 * 17, 4);
  const points = Array.from({ length: 17 }, (_, i) => [...values.subarray(3 * i, 3 * i + 3)]);
  const distances = points.flatMap((p, i) =>
    points.slice(i + 1).map((q) => Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]))
  );
  const merges = wardLinkage(distances);
  const { heights, last } = plainWard(points);
  assertClose(merges.map(({ height }) => height), heights, { rtol: 1e-9 });
  const leaves = (cluster: number): number[] =>
    cluster < 17 ? [cluster] : merges[cluster - 17].clusters.flatMap(leaves);
  const sides = merges.at(-1)!.clusters.map((cluster) => leaves(cluster).sort((a, b) => a - b));
  assert.deepEqual(sides.sort((a, b) => a[0] - b[0]), last.sort((a, b) => a[0] - b[0]));
});

/** The leaves below each merge, as sets in words. */
function clades(merges: readonly Merge[]): Set<number>[] {
  const n = merges.length + 1;
  const below: Set<number>[] = Array.from({ length: n }, (_, i) => new Set([i]));
  for (const { clusters: [a, b] } of merges) below.push(below[a].union(below[b]));
  return below.slice(n);
}

Deno.test("leafOrder() puts any target first and keeps every clade together", () => {
  const { distances, rows } = fixture.cases[2];
  const merges = wardLinkage(distances);
  for (let target = 0; target < rows.length; target++) {
    const order = leafOrder(merges, target);
    assert.equal(order[0], target);
    assert.deepEqual(order.toSorted((a, b) => a - b), [...rows.keys()]);
    for (const clade of clades(merges)) {
      const places = order.flatMap((leaf, place) => clade.has(leaf) ? [place] : []);
      assert.equal(places.at(-1)! - places[0] + 1, clade.size, `a clade is torn apart with ${target} first`);
    }
  }
});

Deno.test("one row, two rows, equal rows", () => {
  assert.deepEqual(wardLinkage(hammingDistances(["ACD"])), []);
  assert.deepEqual(leafOrder([]), [0]);
  const merges = wardLinkage(hammingDistances(["AC-", "AG-"]));
  assert.deepEqual(merges, [{ clusters: [0, 1], height: 1 / 3, size: 2 }]);
  assert.deepEqual(leafOrder(merges, 1), [1, 0]);
  assert.deepEqual(wardLinkage(hammingDistances(["AA", "AA", "AA"])).map(({ height }) => height), [0, 0]);
});

Deno.test("hammingDistances() counts every column, whatever the width", () => {
  for (const columns of [1, 2, 3, 4, 5, 7, 8, 131]) {
    const letters = randomArray(3 * columns, columns).map((x) => Math.floor((x + 1) * 1.5));
    const rows = [0, 1, 2].map((r) =>
      Array.from(letters.subarray(r * columns, (r + 1) * columns), (x) => "A-\xff"[x]).join("")
    );
    const plain = ([i, j]: number[]) => [...rows[i]].filter((letter, c) => letter !== rows[j][c]).length / columns;
    assert.deepEqual([...hammingDistances(rows)], [[0, 1], [0, 2], [1, 2]].map(plain));
  }
});

Deno.test("what cannot be clustered is refused", () => {
  assert.throws(() => wardLinkage([1, 2]), /2 distances: that is not a number of pairs/);
  assert.throws(() => wardLinkage([1, NaN, 2]), /a distance of NaN/);
  assert.throws(() => wardLinkage({ length: MOST_ITEMS * (MOST_ITEMS + 1) / 2 }), /10001 items: at most 10000/);
  assert.throws(() => hammingDistances(["ACD", "AC"]), /row 1 has 3 columns, row 2 2/);
  assert.throws(() => hammingDistances([]), /without columns/);
  assert.throws(() => hammingDistances(["A", "Ω"]), /"Ω", column 1 of row 2/);
});
