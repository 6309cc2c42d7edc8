/** What is said of the kernels that a device computes with. */
import type { KernelChoice, MeasuredWay } from "../../ops/mod.ts";

/** What a device computes with, in a few words. */
export function choiceText({ tuning, avoided }: KernelChoice): string {
  const { loads, matmul, ...families } = tuning;
  const tiles = Object.entries(matmul).map(([name, tile]) => `${name} ${wayText(tile)}`);
  const same = new Set(Object.values(matmul).map((tile) => wayText(tile))).size === 1;
  const products = `matmul ${same ? wayText(matmul.large) : `(${tiles.join("; ")})`}`;
  const others = Object.entries(families).map(([op, family]) => `${op} ${family}`);
  const but = avoided.length ? `; ${avoided.length} wrong here and passed over` : "";
  return `${[products, ...others].join(", ")}; loads from ${loads}${but}`;
}

/** A load path, a family, or a tile with its sizes. */
export function wayText(way: MeasuredWay["way"]): string {
  if (typeof way === "string") return way;
  const { family, ...sizes } = way;
  return `${family} ${Object.entries(sizes).map(([name, size]) => `${name} ${size}`).join(" ")}`;
}
