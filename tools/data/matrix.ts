/** Reads distance matrices and writes tables. */
import { parse } from "csv-parse/sync";
import { type NamedArray, parseSafetensors, toFloat32 } from "../../model/weights/safetensors.ts";
import { parseNpy } from "../../model/weights/npy.ts";
import { asInputError, InputError } from "../errors.ts";
import { readFileMaybeGzip } from "../files.ts";

/** A symmetric matrix of distances. */
export interface DistanceMatrix {
  /** Number of points N. */
  readonly n: number;
  /** Distances in the file's unit (Å by convention), `[N, N]`. */
  readonly values: Float32Array;
}

/** Largest difference between d(i, j) and d(j, i) that is averaged away: absolute, plus a part of the larger. */
const SYMMETRY = { absolute: 1e-3, relative: 1e-3 };

/**
 * Reads a distance matrix from `.npy`, `.csv` (with or without a row and a column of names) or `.safetensors`.
 *
 * @param path The file, told apart by its content, then by its ending.
 * @param tensor Name of the tensor in a safetensors file. @default `distances`, or the only one there is
 * @throws {InputError} If the file cannot be read, or the matrix is not square, finite, non-negative and symmetric; the
 * message names row and column.
 */
export async function readDistanceMatrix(path: string, tensor?: string): Promise<DistanceMatrix> {
  const bytes = await readFileMaybeGzip(path);
  if (bytes.length === 0) throw new InputError(`${path} is empty, expected a matrix of distances`);
  const name = path.toLowerCase().replace(/\.gz$/, "");
  if (bytes[0] === 0x93 || name.endsWith(".npy")) return fromArray(asInputError(() => parseNpy(bytes, path)), path);
  if (name.endsWith(".safetensors")) {
    const { tensors } = asInputError(() => parseSafetensors(bytes, path));
    const key = tensor ?? (tensors.size === 1 ? [...tensors.keys()][0] : "distances");
    const array = tensors.get(key);
    if (array === undefined) {
      throw new InputError(`${path} has no tensor "${key}": it has ${[...tensors.keys()].join(", ")}`);
    }
    return fromArray(array, `${path} tensor "${key}"`);
  }
  return parseDistanceCsv(new TextDecoder().decode(bytes), path);
}

/** Reads a distance matrix from CSV text; see {@link readDistanceMatrix}. */
export function parseDistanceCsv(text: string, source: string): DistanceMatrix {
  let cells: string[][];
  try {
    cells = parse(text, { relaxColumnCount: true, skipEmptyLines: true, trim: true, bom: true });
  } catch (error) {
    throw new InputError(`Cannot read ${source} as CSV: ${error instanceof Error ? error.message : error}`);
  }
  if (cells.length === 0) throw new InputError(`${source} is empty, expected a matrix of distances`);
  const first = cells[0];
  const header = first.length > 1 && first.slice(1).every((cell) => cell !== "" && !isNumber(cell));
  const rows = header ? cells.slice(1) : cells;
  const named = rows.length > 0 && rows.every((row) => row.length === rows.length + 1);
  const values = rows.flatMap((row, i) => {
    const numbers = named ? row.slice(1) : row;
    if (numbers.length !== rows.length) {
      throw new InputError(`${source} row ${i + 1} has ${numbers.length} numbers, expected ${rows.length}: one a row`);
    }
    return numbers.map((cell, j) => {
      if (isNumber(cell)) return Number(cell);
      throw new InputError(
        `${source} row ${i + 1}, column ${j + 1} is ${JSON.stringify(cell.slice(0, 40))}, expected a number`,
      );
    });
  });
  return checkDistances(values, rows.length, source);
}

/**
 * Checks a matrix of distances and averages it with its transpose; the diagonal becomes 0.
 *
 * @param values `[n, n]`
 * @param source Words for messages.
 * @throws {InputError} If an entry is not finite, is negative, or differs from its mirror by more than 0.001 and 0.1 %,
 * or a diagonal entry is not 0.
 */
export function checkDistances(values: ArrayLike<number>, n: number, source: string): DistanceMatrix {
  const at = (i: number, j: number): string => `${source} row ${i + 1}, column ${j + 1}`;
  const out = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const value = values[i * n + j];
      const mirror = values[j * n + i];
      if (!Number.isFinite(value)) throw new InputError(`${at(i, j)} is ${value}, expected a finite distance`);
      if (value < 0) throw new InputError(`${at(i, j)} is ${value}, expected a distance of at least 0`);
      if (i === j && value > SYMMETRY.absolute) {
        throw new InputError(`${at(i, j)} is ${value}, expected 0: the distance of a point from itself`);
      }
      const slack = SYMMETRY.absolute + SYMMETRY.relative * Math.max(Math.abs(value), Math.abs(mirror));
      if (Number.isFinite(mirror) && !(Math.abs(value - mirror) <= slack)) {
        throw new InputError(
          `${at(i, j)} is ${value} but row ${j + 1}, column ${i + 1} is ${mirror}: expected them equal`,
        );
      }
      out[i * n + j] = i === j ? 0 : (value + mirror) / 2;
    }
  }
  return { n, values: out };
}

/**
 * A table as CSV (RFC 4180): one line of names, then one line a row.
 *
 * @param columns Keys of the rows, in order.
 */
export function formatCsv<K extends string>(
  columns: readonly K[],
  rows: readonly Readonly<Record<K, string | number | undefined>>[],
): string {
  const line = (cells: readonly (string | number | undefined)[]): string =>
    cells.map((cell) => {
      const text = cell === undefined ? "" : String(cell);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    }).join(",") + "\n";
  return line(columns) + rows.map((row) => line(columns.map((column) => row[column]))).join("");
}

function fromArray(array: NamedArray, source: string): DistanceMatrix {
  const shape = array.shape.filter((size, axis) => size !== 1 || (axis < 2 && array.shape.length === 2));
  if (shape.length !== 2 || shape[0] !== shape[1] || shape[0] === 0) {
    throw new InputError(`${source} has shape [${array.shape}], expected a square matrix [N, N]`);
  }
  const values = array.data instanceof Float64Array ? array.data : toFloat32(array);
  return checkDistances(values, shape[0], source);
}

function isNumber(cell: string): boolean {
  return cell !== "" && !Number.isNaN(Number(cell)) || /^[+-]?(?:nan|inf(?:inity)?)$/i.test(cell);
}
