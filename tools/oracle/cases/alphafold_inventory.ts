import { alphafoldConfig, alphafoldParameterCount, alphafoldShapes } from "../../../model/alphafold/mod.ts";
import { shapesByPath } from "../../../model/layers/params.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { alphafoldEntries } from "../../../model/weights/to_alphafold.ts";
import type { WeightEntry } from "../../../model/weights/weight_file.ts";
import { compare, type Comparison } from "../compare.ts";
import type { Family } from "../family.ts";
import { recordOf } from "../golden.ts";
import { EXACT } from "../tolerance.ts";
import { isPreset } from "./_alphafold.ts";

/** Names and shapes of all parameters of a published network, as OpenFold and as AlphaFold's files have them. */
export const ALPHAFOLD_INVENTORY: Family = {
  prefix: "inventory",
  matches: ({ description }) => isPreset(description.preset) && "openfold" in description,
  run(_device, golden) {
    const { preset } = golden.description;
    if (!isPreset(preset)) throw new TypeError(`there is no preset ${preset}`);
    const config = alphafoldConfig(preset);
    const entries = new Map([...shapesByPath(alphafoldShapes(config))].map(([path, shape]): [string, WeightEntry] => {
      const name = snakeCase(path);
      return [name, {
        name,
        dtype: "F32",
        shape,
        read: () => Promise.reject(new Error("these weights have no numbers")),
      }];
    }));
    const results = new Map<string, ArrayLike<number>>([["total_parameters", [alphafoldParameterCount(config)]]]);
    for (const { name, shape } of entries.values()) results.set(`openfold/${name}`, shape);
    for (const { name, shape } of alphafoldEntries(entries)) results.set(`alphafold/${name}`, shape);
    return results;
  },
  special(golden, results) {
    const { total_parameters, openfold, alphafold } = golden.description;
    const expected = new Map<string, ArrayLike<number>>([["total_parameters", [Number(total_parameters)]]]);
    for (const [name, shape] of Object.entries(recordOf(openfold))) expected.set(`openfold/${name}`, shape as number[]);
    for (const array of Array.isArray(alphafold) ? alphafold : []) {
      const { npz, shape } = recordOf(array);
      expected.set(`alphafold/${npz}`, shape as number[]);
    }
    const listed: Comparison[] = [...expected].map(([name, shape]) => compare(name, results.get(name), shape, EXACT));
    const surplus = [...results.keys()].filter((name) => !expected.has(name));
    return [
      ...listed,
      ...surplus.map((tensor) => ({ tensor, worst: Infinity, detail: "the inventory has no such parameter" })),
    ];
  },
};
