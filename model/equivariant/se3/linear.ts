import { add, matmul } from "../../../ops/mod.ts";
import type { Se3Features, Se3LinearParams } from "./params.ts";

/**
 * Mixes the channels of every degree on its own; degrees that the map or the features lack are left out.
 *
 * @param x `[…, 2 degree + 1, cIn]` by degree.
 * @returns `[…, 2 degree + 1, cOut]` by degree.
 */
export function se3Linear({ weights }: Se3LinearParams, x: Se3Features): Se3Features {
  const degrees = Object.keys(weights).filter((degree) => degree in x);
  return Object.fromEntries(degrees.map((degree) => [degree, matmul(x[degree], weights[degree])]));
}

/** Adds features degree by degree; what one of them lacks is taken from the other. */
export function addFeatures(x: Se3Features, y: Se3Features): Se3Features {
  const both = Object.keys(x).filter((degree) => degree in y);
  return { ...x, ...y, ...Object.fromEntries(both.map((degree) => [degree, add(x[degree], y[degree])])) };
}
