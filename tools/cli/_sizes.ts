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

/** An option that is known by two names, and stands in the flags by a third. */
class NamedOption extends Option {
  readonly #key: string;

  constructor(flags: string, description: string, key: string) {
    super(flags, description);
    this.#key = key;
  }

  override attributeName(): string {
    return this.#key;
  }
}

/**
 * The option of a network's size: `--n-seq` and the like everywhere, and the name that the reference's documentation has for
 * it.
 *
 * @param name Of residues `n-res`, of sequences `n-seq`, of blocks `blocks`.
 * @param alias The documentation's name, `num-seqs`.
 * @param key Name among the flags.
 */
export function networkSizeOption(name: string, alias: string, key: string, description: string): Option {
  return new NamedOption(`--${alias}, --${name} <n>`, description, key).argParser(positiveInteger);
}
