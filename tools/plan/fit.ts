/** What fits an adapter, where what was asked for does not. */
import type { PlanRequest } from "./plan.ts";
import { planIfPossible } from "./plan.ts";

/** Sizes are tried in steps of this many residues. */
const STEP = 8;

/**
 * The most residues that fit and can be planned, all else as it is.
 *
 * @param flag Name of the size of residues among the workload's values.
 * @param most Residues that are known not to fit.
 * @param tried Called with each number that is tried.
 * @returns A multiple of 8; null if not even 8 residues fit.
 */
export async function mostResidues(
  request: PlanRequest,
  flag: string,
  most: number,
  tried: (nRes: number) => void = () => {},
): Promise<number | null> {
  const { planned } = request;
  const fits = async (nRes: number) => {
    tried(nRes);
    const values = { ...planned.values, [flag]: nRes };
    return (await planIfPossible({ ...request, planned: { ...planned, values } }))?.fits ?? false;
  };
  let low = 0, high = Math.ceil(most / STEP);
  while (high - low > 1) {
    const middle = low + high >> 1;
    if (await fits(middle * STEP)) low = middle;
    else high = middle;
  }
  return low === 0 ? null : low * STEP;
}
