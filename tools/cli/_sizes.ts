import { Option } from "commander";
import type { WorkloadFlag } from "../profile/workloads/workload.ts";
import { camelCase } from "../words.ts";
import { nonNegativeInteger, positiveInteger } from "./_shared.ts";

/** Sizes by their names on all commands, and by those that the references' documentation has for them. */
const ALIASES: Readonly<Record<string, string>> = {
  "n-seq": "num-seqs",
  "n-res": "seq-len",
  "blocks": "num-blocks",
  "batch": "batch-size",
  "c-m": "msa-dim",
  "c-z": "pair-dim",
};

/** The other name of a size, which every command takes too. */
function aliasOf(name: string): string | undefined {
  return ALIASES[name] ?? Object.keys(ALIASES).find((own) => ALIASES[own] === name);
}

/** The option of a workload's flag, under both of its names; without a value it has no default. */
export function sizeOption(
  { name, description, value, choices, least = 1 }: Omit<WorkloadFlag, "value"> & {
    readonly value: WorkloadFlag["value"] | null;
  },
): Option {
  if (value === false) return new Option(`--${name}`, description);
  const alias = aliasOf(name);
  const option = choices
    ? new Option(`--${name} <what>`, description).choices(choices)
    : (alias === undefined
      ? new Option(`--${name} <n>`, description)
      : aliasedOption(`--${alias}, --${name} <n>`, camelCase(name), description))
      .argParser(least === 0 ? nonNegativeInteger : positiveInteger);
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
 * An option of two names.
 *
 * @param flags Both, the usual one last: `--output, --out <dir>`.
 * @param key Name among the flags.
 */
export function aliasedOption(flags: string, key: string, description: string): Option {
  return new NamedOption(flags, description, key);
}

/**
 * The option of a network's size: `--n-seq` and the like everywhere, and the name that the reference's documentation has for
 * it.
 *
 * @param name As all commands have it, `n-seq`.
 * @param key Name among the flags.
 */
export function networkSizeOption(name: string, key: string, description: string): Option {
  return aliasedOption(`--${aliasOf(name)}, --${name} <n>`, key, description).argParser(positiveInteger);
}
