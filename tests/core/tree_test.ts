import assert from "node:assert/strict";
import {
  combine,
  entries,
  leaves,
  leavesLike,
  mapBranches,
  mapLeaves,
  mapTree,
  partition,
  type Tree,
} from "../../core/mod.ts";

/** A leaf. */
class Leaf {
  constructor(readonly value: number) {}
}

const [one, two, three, four] = [1, 2, 3, 4].map((value) => new Leaf(value));

const tree = {
  blocks: [{ weight: one, bias: undefined }, { weight: two, bias: three, scale: 0.5 }],
  norm: { gamma: four, kind: "layer", last: true },
  extra: null,
};

Deno.test("entries() names each leaf by its path, in the order of the keys", () => {
  assert.deepEqual(entries<Leaf>(tree), [
    ["blocks.0.weight", one],
    ["blocks.1.weight", two],
    ["blocks.1.bias", three],
    ["norm.gamma", four],
  ]);
  assert.deepEqual(entries<Leaf>(tree.norm, "model"), [["model.gamma", four]]);
  assert.deepEqual(entries<Leaf>(one), [["", one]]);
});

Deno.test("leaves() lists them, and a leaf is its own tree; numbers, strings and booleans are none", () => {
  assert.deepEqual(leaves<Leaf>(tree), [one, two, three, four]);
  assert.deepEqual(leaves<Leaf>(one), [one]);
  for (const none of [null, undefined, 0, "a", false, []]) assert.deepEqual(leaves<Leaf>(none), []);
});

Deno.test("mapTree() keeps the form: absent branches and facts", () => {
  const mapped = mapTree<Leaf, { text: string }>(tree, ({ value }, path) => ({ text: `${path}=${value}` }));
  const text = (text: string) => ({ text });
  assert.deepEqual(mapped, {
    blocks: [{ weight: text("blocks.0.weight=1"), bias: undefined }, {
      weight: text("blocks.1.weight=2"),
      bias: text("blocks.1.bias=3"),
      scale: 0.5,
    }],
    norm: { gamma: text("norm.gamma=4"), kind: "layer", last: true },
    extra: null,
  });
  assert.equal(mapTree<Leaf, Leaf>(undefined, (x) => x), undefined);
});

Deno.test("mapLeaves() keeps the type and leaves the original alone", () => {
  const doubled = mapLeaves<Leaf, typeof tree>(tree, ({ value }) => new Leaf(2 * value));
  assert.equal(doubled.blocks[1].weight.value, 4);
  assert.equal(tree.blocks[1].weight.value, 2);
});

Deno.test("mapBranches() replaces the outermost branches and looks inside the others", () => {
  const seen: string[] = [];
  const replaced = mapBranches<Leaf>(tree, (branch, path) => {
    seen.push(path);
    return "weight" in branch ? { ...branch, more: one } : undefined;
  });
  assert.deepEqual(seen, ["", "blocks", "blocks.0", "blocks.1", "norm"]);
  assert.deepEqual(replaced, {
    ...tree,
    blocks: tree.blocks.map((block) => ({ ...block, more: one })),
  });
});

Deno.test("partition() and combine() undo each other", () => {
  const [biases, others] = partition<Leaf, typeof tree>(tree, (path) => path.endsWith("bias"));
  assert.deepEqual(entries<Leaf>(biases), [["blocks.1.bias", three]]);
  assert.deepEqual(leaves<Leaf>(others), [one, two, four]);
  assert.equal(biases.blocks[1].weight, null);
  assert.equal(biases.blocks[1].scale, 0.5);
  for (const [a, b] of [[biases, others], [others, biases]]) {
    assert.deepEqual(combine<Leaf, typeof tree>(a, b), tree);
  }
  const changed = mapLeaves<Leaf, typeof biases>(biases, () => four);
  assert.equal(combine<Leaf, typeof tree>(changed, others).blocks[1].bias, four);
  assert.equal(combine<Leaf, typeof tree>(changed, tree).blocks[1].bias, four); // the first one wins
  const other = { ...others, norm: { gamma: four } } as unknown as typeof others;
  assert.throws(() => combine<Leaf, typeof tree>(biases, other), /two trees that differ at norm/);
});

Deno.test("leavesLike() gives one item a leaf, and says where trees differ", () => {
  const grads = { a: [one, null], b: { c: null }, n: 3 };
  assert.deepEqual(leavesLike<Leaf>({ a: [two, two], b: { c: two }, n: 3 }, grads), [one, null, null]);
  assert.throws(() => leavesLike<Leaf>({ a: two }, { a: undefined }), /has no leaf at a/);
  assert.throws(() => leavesLike<Leaf>({ a: { b: two } }, { a: null }), /has no branch at a/);
});

Deno.test("objects of a class are leaves, objects without prototype are branches", () => {
  class Outer {
    inner = { weight: one };
  }
  const leaf = new Outer();
  const bare: Record<string, Outer> = Object.assign(Object.create(null), { a: leaf });
  const trees: Tree<Outer>[] = [{ x: leaf }, bare];
  for (const tree of trees) assert.deepEqual(leaves<Outer>(tree), [leaf]);
});
