/** Reads how much each distance counts. */
import { parse } from "csv-parse/sync";
import { parseNpy } from "../../model/weights/npy.ts";
import { type NamedArray, parseSafetensors, toFloat32 } from "../../model/weights/safetensors.ts";
import { asInputError, InputError } from "../errors.ts";
import { readFileMaybeGzip } from "../files.ts";

/**
 * Reads a matrix of weights from `.npy`, `.csv` (numbers only) or `.safetensors` (tensor `weights`, or the only one).
 *
 * @param n Points: rows and columns that are expected.
 * @returns `[n, n]`; the diagonal means nothing.
 * @throws {InputError} If the file cannot be read, has another shape, or an entry is negative or not finite.
 */
export async function readWeights(path: string, n: number): Promise<Float32Array> {
  const bytes = await readFileMaybeGzip(path);
  if (bytes.length === 0) throw new InputError(`${path} is empty, expected a matrix of weights`);
  const name = path.toLowerCase().replace(/\.gz$/, "");
  const { shape, values } = bytes[0] === 0x93 || name.endsWith(".npy")
    ? fromArray(asInputError(() => parseNpy(bytes, path)))
    : name.endsWith(".safetensors")
    ? fromArray(tensorOf(asInputError(() => parseSafetensors(bytes, path)).tensors, path))
    : fromCsv(new TextDecoder().decode(bytes), path);
  if (shape.length !== 2 || shape[0] !== n || shape[1] !== n) {
    throw new InputError(`${path} has shape [${shape.join(", ")}], expected [${n}, ${n}]: a weight for each distance`);
  }
  values.forEach((value, k) => {
    if (value >= 0 && value < Infinity) return;
    const [row, column] = [Math.floor(k / n) + 1, k % n + 1];
    throw new InputError(`${path} row ${row}, column ${column} is ${value}, expected a finite weight of at least 0`);
  });
  return values;
}

function fromArray(array: NamedArray): { shape: readonly number[]; values: Float32Array } {
  return { shape: array.shape, values: toFloat32(array) };
}

function tensorOf(tensors: ReadonlyMap<string, NamedArray>, path: string): NamedArray {
  const array = tensors.size === 1 ? [...tensors.values()][0] : tensors.get("weights");
  if (array === undefined) {
    throw new InputError(`${path} has no tensor "weights": it has ${[...tensors.keys()].join(", ")}`);
  }
  return array;
}

function fromCsv(text: string, path: string): { shape: readonly number[]; values: Float32Array } {
  let cells: string[][];
  try {
    cells = parse(text, { relaxColumnCount: true, skipEmptyLines: true, trim: true, bom: true });
  } catch (error) {
    throw new InputError(`Cannot read ${path} as CSV: ${error instanceof Error ? error.message : error}`);
  }
  const columns = cells[0]?.length ?? 0;
  cells.forEach((row, i) => {
    if (row.length !== columns) {
      throw new InputError(`${path} row ${i + 1} has ${row.length} numbers, expected ${columns} as in row 1`);
    }
    row.forEach((cell, j) => {
      if (cell !== "" && !Number.isNaN(Number(cell))) return;
      throw new InputError(
        `${path} row ${i + 1}, column ${j + 1} is ${JSON.stringify(cell.slice(0, 40))}, expected a number`,
      );
    });
  });
  return { shape: [cells.length, columns], values: Float32Array.from(cells.flat(), Number) };
}
