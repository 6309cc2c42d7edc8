/** Plain nested objects and arrays with leaves of one type. Use `type`, not `interface`, for the trees of a model. */
export type Tree<L> = L | null | undefined | readonly Tree<L>[] | { readonly [key: string]: Tree<L> };

function isBranch(node: unknown): node is Record<string, unknown> | unknown[] {
  if (node === null || typeof node !== "object") return false;
  const prototype = Object.getPrototypeOf(node);
  return Array.isArray(node) || prototype === Object.prototype || prototype === null;
}

/** Leaves of a tree with their paths (`blocks.0.linear.weight`), in the order of its keys; absent branches are passed over. */
export function entries<L>(tree: Tree<L>, path = ""): [string, L][] {
  if (tree === null || tree === undefined) return [];
  if (!isBranch(tree)) return [[path, tree as L]];
  return Object.entries(tree).flatMap(([key, node]) => entries<L>(node as Tree<L>, path ? `${path}.${key}` : key));
}

/** Leaves of a tree, in the order of its keys. */
export function leaves<L>(tree: Tree<L>): L[] {
  if (tree === null || tree === undefined) return [];
  if (!isBranch(tree)) return [tree as L];
  return Object.values(tree).flatMap((node) => leaves<L>(node as Tree<L>));
}

/** A tree of the same form, every leaf replaced by what `map` makes of it and its path; absent branches stay absent. */
export function mapTree<L, To>(tree: Tree<L>, map: (leaf: L, path: string) => To): Tree<To> {
  const walk = (node: unknown, path: string): unknown => {
    if (node === null || node === undefined) return node;
    if (!isBranch(node)) return map(node as L, path);
    const under = (key: string | number) => (path ? `${path}.${key}` : `${key}`);
    if (Array.isArray(node)) return node.map((child, i) => walk(child, under(i)));
    return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, walk(child, under(key))]));
  };
  return walk(tree, "") as Tree<To>;
}

/** {@linkcode mapTree} where the leaves keep their type, and so the tree does. */
export function mapLeaves<L, T extends Tree<L>>(tree: T, map: (leaf: L, path: string) => L): T {
  return mapTree<L, L>(tree, map) as T;
}
