/** Weights under OpenFold's current names, whatever file they are in. */
import { type AlphafoldArray, alphafoldArray, namingOfArrays, parameterOf, parameterShape } from "./alphafold_names.ts";
import { currentOpenfoldName } from "./openfold_names.ts";
import type { NamedArray } from "./safetensors.ts";
import { countOf, release, type WeightEntry, type WeightFile } from "./weight_file.ts";

/** How the names of a file are spelled. */
export type WeightNaming = "openfold" | "openfold-1" | "alphafold";

/** A file's parameters under OpenFold's current names. */
export interface OpenfoldWeights {
  /** The file. */
  readonly file: WeightFile;
  /** How it spells their names. */
  readonly naming: WeightNaming;
  /** The parameters by name, in an order in which the file is read from begin to end. */
  readonly entries: ReadonlyMap<string, WeightEntry>;
  /** Arrays of the file that no network has, by their names there. */
  readonly unknown: readonly string[];
}

/**
 * A file's parameters under OpenFold's current names, as `[out, in]` matrices.
 *
 * @throws {SyntaxError} If two of its arrays are the same parameter.
 */
export function openfoldWeights(file: WeightFile): OpenfoldWeights {
  const names = [...file.entries.keys()];
  const alphafold = names.some((name) => name.startsWith("alphafold/"));
  const kind = namingOfArrays(alphafold ? names : []);
  const entries = new Map<string, WeightEntry>();
  const unknown: string[] = [];
  const put = (entry: WeightEntry, name: string) => {
    if (entries.has(name)) {
      throw new SyntaxError(`${file.source} has the parameter ${name} twice, once as ${entry.name}`);
    }
    entries.set(name, entry);
  };
  let renamed = false;
  for (const entry of file.entries.values()) {
    if (!alphafold) {
      const name = currentOpenfoldName(entry.name);
      renamed ||= name !== entry.name;
      put(name === entry.name ? entry : { ...entry, name }, name);
      continue;
    }
    const array = alphafoldArray(entry.name, kind);
    if (!array || (array.stacked && entry.shape.length < 2)) {
      unknown.push(entry.name);
      continue;
    }
    const blocks = array.stacked ? entry.shape[0] : 1;
    for (let block = 0; block < blocks; block++) {
      const name = parameterOf(array, block);
      const rows = array.stacked ? { from: block, to: block + 1 } : undefined;
      put(parameterEntry(name, entry, array, rows), name);
    }
  }
  return { file, naming: alphafold ? "alphafold" : renamed ? "openfold-1" : "openfold", entries, unknown };
}

function parameterEntry(
  name: string,
  entry: WeightEntry,
  { layout, swapped }: AlphafoldArray,
  block?: { readonly from: number; readonly to: number },
): WeightEntry {
  const shape = parameterShape(layout, block ? entry.shape.slice(1) : entry.shape);
  return {
    name,
    dtype: entry.dtype,
    shape,
    fresh: entry.fresh,
    async read(rows) {
      const array = await entry.read(block);
      const straight = layout === "same" || layout === "column"
        ? { ...array, shape }
        : turned({ ...array, shape: [shape[1], shape[0]] });
      const whole = swapped ? halvesSwapped(straight) : straight;
      if (entry.fresh && whole.data !== array.data) release(array.data);
      if (!rows) return whole;
      const width = countOf(shape.slice(1));
      const data = whole.data.slice(rows.from * width, rows.to * width);
      return { dtype: whole.dtype, shape: [rows.to - rows.from, ...shape.slice(1)], data };
    },
  };
}

/** An array whose first axis has its second half first. */
export function halvesSwapped({ dtype, shape, data }: NamedArray): NamedArray {
  const out = data.slice(), half = data.length / 2;
  out.copyWithin(0, half);
  out.set(data.subarray(0, half) as never, half);
  return { dtype, shape, data: out };
}

/** A matrix with rows and columns exchanged. */
export function turned({ dtype, shape: [rows, columns], data }: NamedArray): NamedArray {
  const out = data.slice();
  const TILE = 16; // rows and columns at once, so that both stay in the cache
  for (let row0 = 0; row0 < rows; row0 += TILE) {
    for (let column0 = 0; column0 < columns; column0 += TILE) {
      const rowEnd = Math.min(rows, row0 + TILE), columnEnd = Math.min(columns, column0 + TILE);
      for (let row = row0; row < rowEnd; row++) {
        for (let column = column0; column < columnEnd; column++) {
          out[column * rows + row] = data[row * columns + column];
        }
      }
    }
  }
  return { dtype, shape: [columns, rows], data: out };
}
