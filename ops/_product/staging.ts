/** How workgroups stage operands of a matrix product in their memory. */
import { loadA, type MatmulStructure } from "./tile.ts";

/** How an operand gets into workgroup memory: statements that fetch what lies at step `k`, and that put it there. */
export interface Staging {
  readonly load: string;
  /** From vec4 `at` on. */
  readonly store: string;
}

/** Shares items among invocations; where there are more of these, the last ones fetch the last item and put nothing. */
export function shared(invocations: number, items: number, of: (t: string, pass: number) => Staging): Staging {
  const passes = Array.from({ length: Math.ceil(items / invocations) }, (_, pass) => {
    const all = (pass + 1) * invocations <= items, item = `(lane + ${pass * invocations}u)`;
    const { load, store } = of(all ? item : `min${item.slice(0, -1)}, ${items - 1}u)`, pass);
    return { load, store: all ? store : `if (${item} < ${items}u) {\n${store}\n}` };
  });
  return { load: passes.map(({ load }) => load).join("\n"), store: passes.map(({ store }) => store).join("\n") };
}

/**
 * Loads of a vec4 of an operand for a workgroup's tile, of four rows (or columns) from `first` on at one k, or of four k of
 * one. Beyond the last row the last one stands, and beyond the last k there is 0.
 */
export function edgeLoads(s: MatmulStructure, { height, width }: { readonly height: number; readonly width: number }) {
  const zero = (load: string, k: string) => `select(vec4f(), ${load}, ${k} < depth)`;
  const guarded = { ...s, ragged: true }; // a step may be longer than what is left of the sum
  return {
    alongK: (name: "a" | "b", first: string, k: string) =>
      name === "a" ? loadA({ ...guarded, aTransposed: true }, `tileRow * ${height}u + ${first}`, k) : zero(
        `b_at(bBase + min(${k}, depth - 1u) * u.bLd + min((tileColumn * ${width}u + ${first}) / 4u, u.N4 - 1u))`,
        k,
      ),
    acrossK: (name: "a" | "b", n: string, k: string) => {
      const [ld, last, first] = name === "a"
        ? ["u.aLd", "u.M - 1u", `tileRow * ${height}u`]
        : ["u.bLd", "u.N4 * 4u - 1u", `tileColumn * ${width}u`];
      return zero(`${name}_at(${name}Base + min(${first} + ${n}, ${last}) * ${ld} + min(${k}, depth - 1u) / 4u)`, k);
    },
  };
}
