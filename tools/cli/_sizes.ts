import { Option } from "commander";
import type { WorkloadFlag } from "../profile/workloads/workload.ts";
import { nonNegativeInteger, positiveInteger } from "./_shared.ts";

/** The option of a workload's flag; without a value it has no default. */
export function sizeOption(
  { name, description, value, choices, least = 1 }: Omit<WorkloadFlag, "value"> & {
    readonly value: WorkloadFlag["value"] | null;
  },
): Option {
  if (value === false) return new Option(`--${name}`, description);
  const option = choices
    ? new Option(`--${name} <what>`, description).choices(choices)
    : new Option(`--${name} <n>`, description).argParser(least === 0 ? nonNegativeInteger : positiveInteger);
  return value === null ? option : option.default(value);
}
