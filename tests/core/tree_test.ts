import assert from "node:assert/strict";
import { entries, leaves, mapLeaves, mapTree, type Tree } from "../../core/mod.ts";

const tree = {
  blocks: [{ weight: 1, bias: undefined }, { weight: 2, bias: 3 }],
  norm: { gamma: 4 },
  extra: null,
};

Deno.test("entries() names each leaf by its path, in the order of the keys", () => {
  assert.deepEqual(entries<number>(tree), [
    ["blocks.0.weight", 1],
    ["blocks.1.weight", 2],
    ["blocks.1.bias", 3],
    ["norm.gamma", 4],
  ]);
  assert.deepEqual(entries<number>(tree.norm, "model"), [["model.gamma", 4]]);
  assert.deepEqual(entries<number>(7), [["", 7]]);
});

Deno.test("leaves() lists them, and a leaf is its own tree", () => {
  assert.deepEqual(leaves<number>(tree), [1, 2, 3, 4]);
  assert.deepEqual(leaves<number>(7), [7]);
  assert.deepEqual(leaves<number>(0), [0]);
  assert.deepEqual(leaves<number>(null), []);
  assert.deepEqual(leaves<number>([]), []);
});

Deno.test("mapTree() keeps the form, absent branches included", () => {
  const mapped = mapTree<number, string>(tree, (leaf, path) => `${path}=${leaf}`);
  assert.deepEqual(mapped, {
    blocks: [{ weight: "blocks.0.weight=1", bias: undefined }, {
      weight: "blocks.1.weight=2",
      bias: "blocks.1.bias=3",
    }],
    norm: { gamma: "norm.gamma=4" },
    extra: null,
  });
  assert.equal(mapTree<number, number>(undefined, (x) => x), undefined);
});

Deno.test("mapLeaves() keeps the type and leaves the original alone", () => {
  const doubled = mapLeaves<number, typeof tree>(tree, (x) => 2 * x);
  assert.equal(doubled.blocks[1].weight, 4);
  assert.equal(tree.blocks[1].weight, 2);
});

Deno.test("objects of a class are leaves, objects without prototype are branches", () => {
  class Leaf {
    inner = { weight: 1 };
  }
  const leaf = new Leaf();
  const bare: Record<string, Leaf> = Object.assign(Object.create(null), { a: leaf });
  const trees: Tree<Leaf>[] = [{ x: leaf }, bare];
  for (const tree of trees) assert.deepEqual(leaves<Leaf>(tree), [leaf]);
});
