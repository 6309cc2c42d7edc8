/** The resolved choices of a run under the names of the flags, as they stand in its folder. */
import { TRAINABLE } from "../networks/mod.ts";
import { flagOf } from "./options.ts";
import type { TrainSettings } from "./settings.ts";

/** Name of the file. */
export const RECIPE_FILE = "recipe.json";

/** Every choice by its flag without dashes; what is not set, or says nothing to the network, is left out. */
export function recipeOf(
  { model: { network, ...model }, training, data, own = {} }: TrainSettings,
): Record<string, unknown> {
  const [name = network, trainable] = Object.entries(TRAINABLE).find(([, { model }]) => model.network === network) ??
    [];
  const unused: ReadonlySet<string> = new Set(trainable?.unused?.flags);
  const { kind, ...chosen } = data;
  const of: Readonly<Record<string, unknown>> = kind === "features" ? renamed(chosen, "folder", "features") : chosen;
  const source = kind === "synthetic" ? { synthetic: true } : withoutFalse(of);
  const all: Record<string, unknown> = { ...source, ...own, ...model, ...training };
  const known = Object.entries(all).filter(([name, value]) =>
    value !== null && value !== undefined && !unused.has(name) &&
    !(Array.isArray(value) && value.length === 0)
  );
  return { model: name, ...Object.fromEntries(known.map(([name, value]) => [flagOf(name).slice(2), value])) };
}

/** Without switches that are off. */
function withoutFalse(record: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== false));
}

function renamed(record: object, from: string, to: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name === from ? to : name, value]));
}
