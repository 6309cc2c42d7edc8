/**
 * Plain nested objects and arrays with leaves of one type. Numbers, strings and booleans in it are facts that belong to
 * its form, no leaves: what goes over the leaves passes them on as they are. Use `type`, not `interface`, for the trees
 * of a model.
 */
export type Tree<L> = L | Fact | null | undefined | readonly Tree<L>[] | { readonly [key: string]: Tree<L> };

/** What belongs to the form of a {@linkcode Tree}. */
export type Fact = number | string | boolean;

/** A tree that may lack leaves: null stands for them. */
export type Part<L, T> = T extends L ? T | null
  : T extends Fact | null | undefined ? T
  : { readonly [K in keyof T]: Part<L, T[K]> };

function isBranch(node: unknown): node is Record<string, unknown> | unknown[] {
  if (node === null || typeof node !== "object") return false;
  const prototype = Object.getPrototypeOf(node);
  return Array.isArray(node) || prototype === Object.prototype || prototype === null;
}

/** Whether something is neither leaf nor branch: a fact, or what is absent. */
function isForm(node: unknown): node is Fact | null | undefined {
  return node === null || node === undefined || ["number", "string", "boolean"].includes(typeof node);
}

function under(path: string, key: string | number): string {
  return path ? `${path}.${key}` : `${key}`;
}

/** Leaves of a tree with their paths (`blocks.0.linear.weight`), in the order of its keys; absent branches are passed over. */
export function entries<L>(tree: Tree<L>, path = ""): [string, L][] {
  if (isForm(tree)) return [];
  if (!isBranch(tree)) return [[path, tree as L]];
  return Object.entries(tree).flatMap(([key, node]) => entries<L>(node as Tree<L>, under(path, key)));
}

/** Leaves of a tree, in the order of its keys. */
export function leaves<L>(tree: Tree<L>): L[] {
  if (isForm(tree)) return [];
  if (!isBranch(tree)) return [tree as L];
  return Object.values(tree).flatMap((node) => leaves<L>(node as Tree<L>));
}

/** A tree of the same form, every leaf replaced by what `map` makes of it and its path; absent branches stay absent. */
export function mapTree<L, To>(tree: Tree<L>, map: (leaf: L, path: string) => To): Tree<To> {
  const walk = (node: unknown, path: string): unknown => {
    if (isForm(node)) return node;
    return isBranch(node) ? mapChildren(node, path, walk) : map(node as L, path);
  };
  return walk(tree, "") as Tree<To>;
}

/** {@linkcode mapTree} where the leaves keep their type, and so the tree does. */
export function mapLeaves<L, T extends Tree<L>>(tree: T, map: (leaf: L, path: string) => L): T {
  return mapTree<L, L>(tree, map) as T;
}

/**
 * A tree in which some branches are replaced, the outermost first: for a change of form, such as a part that is added.
 *
 * @param replace What stands in place of a branch (an object or array at a path), or undefined to look inside it.
 */
export function mapBranches<L>(
  tree: Tree<L>,
  replace: (branch: { readonly [key: string]: Tree<L> }, path: string) => Tree<L> | undefined,
): Tree<L> {
  const walk = (node: unknown, path: string): unknown => {
    if (!isBranch(node)) return node;
    const replaced = replace(node as { [key: string]: Tree<L> }, path);
    return replaced === undefined ? mapChildren(node, path, walk) : replaced;
  };
  return walk(tree, "") as Tree<L>;
}

function mapChildren(
  node: Record<string, unknown> | unknown[],
  path: string,
  map: (node: unknown, path: string) => unknown,
): unknown {
  if (Array.isArray(node)) return node.map((child, i) => map(child, under(path, i)));
  return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, map(child, under(path, key))]));
}

/**
 * Leaves that leave a list as {@linkcode leaves} does, where some may be null: one item a leaf, in order.
 *
 * @param like Tree that says where the leaves are.
 * @param tree A tree of the same form, with null for some leaves.
 * @throws {TypeError} If there is a leaf where the other tree has none, or a branch is missing.
 */
export function leavesLike<L>(like: Tree<unknown>, tree: Tree<L | null>): (L | null)[] {
  const found: (L | null)[] = [];
  const walk = (model: unknown, node: unknown, path: string) => {
    if (isForm(model)) {
      if (!isForm(node)) throw new TypeError(`The trees differ: one has nothing at ${path || "its root"}`);
    } else if (!isBranch(model)) {
      if (node === undefined || isBranch(node)) throw new TypeError(`The trees differ: one has no leaf at ${path}`);
      found.push(node as L | null);
    } else {
      if (!isBranch(node)) throw new TypeError(`The trees differ: one has no branch at ${path || "its root"}`);
      for (const [key, child] of Object.entries(model)) {
        walk(child, (node as Record<string, unknown>)[key], under(path, key));
      }
    }
  };
  walk(like, tree, "");
  return found;
}

/**
 * A tree in two: the leaves for which something holds, and the others. Both have the form of the whole, with null for
 * the leaves of the other; {@linkcode combine} puts them together again.
 *
 * @example
 * ```ts
 * import { combine, entries, partition } from "@denofold/denofold";
 * import assert from "node:assert/strict";
 *
 * const weight = new Float32Array(6), bias = new Float32Array(2);
 * const params = { first: { weight, bias }, second: { weight } };
 * const [trained, frozen] = partition<Float32Array, typeof params>(params, (path) => path.startsWith("first"));
 * assert.deepEqual(entries(trained).map(([path]) => path), ["first.weight", "first.bias"]);
 * assert.deepEqual(combine<Float32Array, typeof params>(trained, frozen), params);
 * ```
 */
export function partition<L, T extends Tree<L>>(
  tree: T,
  holds: (path: string, leaf: L) => boolean,
): [matching: Part<L, T>, rest: Part<L, T>] {
  const part = (wanted: boolean) =>
    mapTree<L, L | null>(tree, (leaf, path) => (holds(path, leaf) === wanted ? leaf : null)) as Part<L, T>;
  return [part(true), part(false)];
}

/**
 * The tree of which two are parts: each leaf from the one that has it, from the first where both do.
 *
 * @throws {TypeError} If the trees are not of one form.
 */
export function combine<L, T extends Tree<L>>(first: Part<L, T>, second: Part<L, T>): T {
  const walk = (a: unknown, b: unknown, path: string): unknown => {
    if (a === null || a === undefined) return b;
    if (isForm(b)) return a;
    if (!isBranch(a) && !isBranch(b)) return a;
    if (!isBranch(a) || !isBranch(b) || Object.keys(a).length !== Object.keys(b).length) {
      throw new TypeError(`Cannot combine two trees that differ at ${path || "their root"}`);
    }
    return mapChildren(a, path, (child, at) => walk(child, (b as Record<string, unknown>)[lastOf(at)], at));
  };
  return walk(first, second, "") as T;
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}
