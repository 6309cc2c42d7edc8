/** Choices of runs beside each other. */
import type { FinetuneRun } from "./run_files.ts";

/** Choices that say where a run lies, not what it is. */
const PLACES = new Set(["output"]);

/** The choices that differ between runs, with the values in the runs' order. */
export function choiceDifferences(runs: readonly FinetuneRun[]): { choice: string; values: string[] }[] {
  const all = runs.map(({ config: { options, base, strategy } }) =>
    new Map(flat({ ...options, strategy, preset: base.preset, weights: base.weights }))
  );
  const names = new Set(all.flatMap((choices) => [...choices.keys()]));
  return [...names].filter((name) => !PLACES.has(name)).flatMap((choice) => {
    const values = all.map((choices) => choices.get(choice) ?? "–");
    return new Set(values).size > 1 ? [{ choice, values }] : [];
  });
}

/** Choices by their names, those of parts behind dots. */
function flat(value: object, prefix = ""): [string, string][] {
  return Object.entries(value).flatMap(([key, inner]): [string, string][] => {
    if (inner === undefined) return [];
    if (typeof inner === "object" && inner !== null && !Array.isArray(inner)) return flat(inner, `${prefix}${key}.`);
    return [[`${prefix}${key}`, Array.isArray(inner) ? inner.join(", ") : String(inner)]];
  });
}
