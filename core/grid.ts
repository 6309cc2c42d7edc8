/** Workgroups along x, y and z of one dispatch. */
export type Grid = readonly [number, number, number];

/** WebGPU allows this many workgroups along one axis. */
export const MAX_WORKGROUPS = 65_535;

/**
 * Lays `count` workgroups out over x and y so that neither passes the limit of one axis.
 * There may be a few more than `count`: a kernel checks its flat index against its size.
 */
export function flatGrid(count: number): Grid {
  const groups = Math.max(1, Math.ceil(count));
  if (groups <= MAX_WORKGROUPS) return [groups, 1, 1];
  const y = Math.ceil(groups / MAX_WORKGROUPS);
  return [Math.ceil(groups / y), y, 1];
}

/** Grid for one invocation per element, in workgroups of `workgroupSize`. */
export function elementGrid(elements: number, workgroupSize: number): Grid {
  return flatGrid(Math.ceil(elements / workgroupSize));
}
