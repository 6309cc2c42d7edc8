/** What can be planned, by the names of the command line. */
import { UsageError } from "../errors.ts";
import { NETWORKS, WORKLOADS } from "../networks/mod.ts";
import { kebabCase } from "../words.ts";
import type { Workload, WorkloadFlag, WorkloadValues } from "../profile/workloads/workload.ts";

/**
 * Sizes and choices of a plan, `nRes` of residues or `recompute`, as a network's row has them; what is not given has the
 * network's own value.
 */
export type PlanSizes = Readonly<Record<string, number | string | boolean | undefined>>;

/** A workload with its values. */
export interface PlannedWorkload {
  /** Its name. */
  readonly name: string;
  /** What runs. */
  readonly workload: Workload;
  /** Its sizes and choices. */
  readonly values: WorkloadValues;
}

/**
 * The workload of a network, as `denofold profile` measures it.
 *
 * @param train A whole step of training instead of a forward pass.
 * @throws {UsageError} If the network has no such size or choice.
 */
export function plannedWorkload(model: string, sizes: PlanSizes, train: boolean): PlannedWorkload {
  const { forward, train: training, defaults, flags } = NETWORKS[model].plan;
  const name = train ? training : forward;
  const workload = WORKLOADS[name];
  const known = new Set(workload.flags.map((flag) => flag.name));
  const values: Record<string, number | string | boolean> = {
    ...Object.fromEntries(workload.flags.map((flag) => [flag.name, flag.value])),
    ...defaults,
    ...(known.has("train") && { train }),
  };
  for (const [size, value] of Object.entries(sizes)) {
    if (value === undefined) continue;
    const flag = flags[size];
    if (flag === undefined || !known.has(flag)) {
      throw new UsageError(`--${kebabCase(size)} does not go with --model ${model}${train ? " --train" : ""}`);
    }
    values[flag] = value;
  }
  return { name, workload, values };
}

/** The workload's name of a size, `n-res` of residues. */
export function flagOf(model: string, size: string): string | undefined {
  return NETWORKS[model].plan.flags[size];
}

/** The sizes and choices that hold on the way back too. */
export function withoutForwardOnly(model: string, sizes: PlanSizes): PlanSizes {
  const { forward, flags } = NETWORKS[model].plan;
  const only = WORKLOADS[forward].flags.filter(({ forwardOnly }) => forwardOnly).map(({ name }) => name);
  return Object.fromEntries(Object.entries(sizes).filter(([size]) => !only.includes(flags[size])));
}

/** Sizes and choices that some network has, each once, under the names of `denofold plan`. */
export function planFlags(): WorkloadFlag[] {
  const found = new Map<string, WorkloadFlag>();
  for (const { plan: { forward, flags } } of Object.values(NETWORKS)) {
    for (const [size, name] of Object.entries(flags)) {
      const flag = WORKLOADS[forward].flags.find((flag) => flag.name === name);
      if (flag && !found.has(size)) found.set(size, { ...flag, name: kebabCase(size) });
    }
  }
  return [...found.values()];
}
