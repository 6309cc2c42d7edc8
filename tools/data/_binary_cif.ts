/**
 * Reads BinaryCIF.
 *
 * Source: Sehnal et al. (2020), "BinaryCIF and CIFTools"; BinaryCIF specification 0.3.
 */
import { InputError } from "../errors.ts";
import type { CifBlock, CifColumn, CifTable } from "./_cif_reader.ts";
import { type Packed, unpack } from "./_message_pack.ts";

/** What an encoding makes. */
type Numbers =
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Float32Array
  | Float64Array;
type Values = Numbers | readonly string[];

/** Types of numbers, by their names in files. */
const TYPES = {
  1: Int8Array,
  2: Int16Array,
  3: Int32Array,
  4: Uint8Array,
  5: Uint16Array,
  6: Uint32Array,
  32: Float32Array,
  33: Float64Array,
} as const;

/**
 * Reads the data blocks of a BinaryCIF.
 *
 * @param source Name of the file, for messages.
 * @throws {InputError} If it is damaged. Columns are decoded when they are first looked at, and throw then.
 */
export function parseBinaryCif(data: Uint8Array, source: string): CifBlock[] {
  try {
    const file = mapOf(unpack(data));
    return listOf(file.dataBlocks).map((packed) => {
      const block = mapOf(packed);
      const tables = new Map<string, CifTable>();
      for (const entry of listOf(block.categories)) {
        const category = mapOf(entry);
        tables.set(textOf(category.name).replace(/^_/, "").toLowerCase(), tableOf(category, source));
      }
      return { header: textOf(block.header), table: (category) => tables.get(category.toLowerCase()) };
    });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new InputError(`Cannot read ${source} as BinaryCIF: it is damaged or cut short (${error.message})`);
  }
}

function tableOf(category: ReturnType<typeof mapOf>, source: string): CifTable {
  const rowCount = countOf(category.rowCount);
  const name = textOf(category.name);
  const packed = new Map(
    listOf(category.columns).map((entry) => {
      const column = mapOf(entry);
      return [textOf(column.name).toLowerCase(), column];
    }),
  );
  const decoded = new Map<string, CifColumn>();
  return {
    rowCount,
    column(item) {
      const key = item.toLowerCase();
      const column = packed.get(key);
      if (column === undefined) return undefined;
      let found = decoded.get(key);
      if (found === undefined) {
        try {
          found = columnOf(
            decode(column.data, rowCount),
            column.mask === null || column.mask === undefined ? undefined : decode(column.mask, rowCount),
            rowCount,
          );
        } catch (error) {
          if (!(error instanceof SyntaxError)) throw error;
          throw new InputError(
            `Cannot read ${source} as BinaryCIF: the column ${name}.${item} is damaged: ${error.message}`,
          );
        }
        decoded.set(key, found);
      }
      return found;
    },
  };
}

function columnOf(values: Values, mask: Values | undefined, rowCount: number): CifColumn {
  if (values.length !== rowCount) throw new SyntaxError(`it has ${values.length} rows, expected ${rowCount}`);
  if (mask !== undefined && mask.length !== rowCount) throw new SyntaxError("its mask has another number of rows");
  const has = (row: number): boolean => row >= 0 && row < rowCount && (mask === undefined || mask[row] === 0);
  const isText = Array.isArray(values);
  return {
    rowCount,
    has,
    text: (row) => has(row) ? String(values[row]) : "",
    number: (row) => {
      if (!has(row)) return NaN;
      return isText ? numberIn(String(values[row])) : values[row] as number;
    },
    isSame: (one, other) => has(one) === has(other) && (!has(one) || values[one] === values[other]),
    line: () => undefined,
  };
}

/** The number that a text says, without its uncertainty in brackets. */
function numberIn(text: string): number {
  const plain = text.replace(/\(\d+\)$/, "");
  return plain.trim() === "" ? NaN : Number(plain);
}

/** Takes the encodings of a column off, the last first. */
function decode(packed: Packed | undefined, rowCount: number): Values {
  const { data, encoding } = mapOf(packed);
  let values: Values = bytesOf(data);
  for (const step of listOf(encoding).toReversed()) values = undo(mapOf(step), values, rowCount);
  return values;
}

function undo(encoding: ReturnType<typeof mapOf>, values: Values, rowCount: number): Values {
  const kind = textOf(encoding.kind);
  if (kind === "ByteArray") return byteArray(countOf(encoding.type), bytesOf(values));
  if (kind === "StringArray") return stringArray(encoding, bytesOf(values), rowCount);
  if (Array.isArray(values)) throw new SyntaxError(`${kind} is said of texts`);
  const numbers = values as Numbers;
  switch (kind) {
    case "FixedPoint": {
      const factor = numberOf(encoding.factor);
      return fractions(encoding, numbers, (x) => x / factor);
    }
    case "IntervalQuantization": {
      const [least, most] = [numberOf(encoding.min), numberOf(encoding.max)];
      const step = (most - least) / (countOf(encoding.numSteps) - 1);
      return fractions(encoding, numbers, (x) => least + step * x);
    }
    case "RunLength":
      return runLength(numbers, sizeIn(encoding, rowCount));
    case "Delta": {
      const whole = new Int32Array(numbers.length);
      let sum = numberOf(encoding.origin);
      for (let i = 0; i < whole.length; i++) whole[i] = sum += numbers[i];
      return whole;
    }
    case "IntegerPacking":
      return integerPacking(
        numbers,
        sizeIn(encoding, rowCount),
        countOf(encoding.byteCount),
        encoding.isUnsigned === true,
      );
  }
  throw new SyntaxError(`the encoding ${JSON.stringify(kind.slice(0, 40))} is not known`);
}

function fractions(
  { srcType }: ReturnType<typeof mapOf>,
  numbers: Numbers,
  valueOf: (x: number) => number,
): Float32Array | Float64Array {
  const values = numberOf(srcType) === 32 ? new Float32Array(numbers.length) : new Float64Array(numbers.length);
  for (let i = 0; i < values.length; i++) values[i] = valueOf(numbers[i]);
  return values;
}

/** Numbers as files have them, little-endian. */
function byteArray(type: number, bytes: Uint8Array): Numbers {
  const array = TYPES[type as keyof typeof TYPES];
  if (array === undefined) throw new SyntaxError(`there is no type of numbers ${type}`);
  if (bytes.length % array.BYTES_PER_ELEMENT !== 0) throw new SyntaxError("its bytes are no whole numbers");
  const copy = bytes.slice();
  return new array(copy.buffer, 0, copy.length / array.BYTES_PER_ELEMENT);
}

function runLength(numbers: Numbers, size: number): Int32Array {
  const values = new Int32Array(size);
  let at = 0;
  for (let i = 0; i + 1 < numbers.length; i += 2) {
    const [value, count] = [numbers[i], numbers[i + 1]];
    if (!(count >= 0) || at + count > size) throw new SyntaxError("its runs have another length than it says");
    values.fill(value, at, at += count);
  }
  if (at !== size) throw new SyntaxError("its runs have another length than it says");
  return values;
}

/** Numbers beyond the range of their type are sums that begin with its ends. */
function integerPacking(numbers: Numbers, size: number, byteCount: number, isUnsigned: boolean): Int32Array {
  const bits = 8 * byteCount;
  const most = isUnsigned ? 2 ** bits - 1 : 2 ** (bits - 1) - 1, least = isUnsigned ? -1 : -(2 ** (bits - 1));
  const values = new Int32Array(size);
  let at = 0;
  for (let i = 0; i < numbers.length;) {
    let sum = 0;
    while (i < numbers.length && (numbers[i] === most || numbers[i] === least)) sum += numbers[i++];
    if (i === numbers.length || at === size) throw new SyntaxError("its numbers are packed otherwise than it says");
    values[at++] = sum + numbers[i++];
  }
  if (at !== size) throw new SyntaxError("its numbers are packed otherwise than it says");
  return values;
}

function stringArray(encoding: ReturnType<typeof mapOf>, bytes: Uint8Array, rowCount: number): string[] {
  const all = textOf(encoding.stringData);
  const nested = (data: Uint8Array, steps: Packed | undefined, size: number): Numbers => {
    const values = decode({ data, encoding: listOf(steps) }, size);
    if (Array.isArray(values)) throw new SyntaxError("its texts have no places");
    return values as Numbers;
  };
  const offsets = nested(bytesOf(encoding.offsets), encoding.offsetEncoding, all.length + 2);
  const indices = nested(bytes, encoding.dataEncoding, rowCount);
  const texts = Array.from(
    { length: Math.max(0, offsets.length - 1) },
    (_, k) => all.slice(offsets[k], offsets[k + 1]),
  );
  return Array.from(indices, (index) => {
    if (index >= 0 && index >= texts.length) throw new SyntaxError("a row has a text that is not there");
    return index < 0 ? "" : texts[index];
  });
}

/** How many numbers an encoding says there were; never more than there can be. */
function sizeIn(encoding: ReturnType<typeof mapOf>, most: number): number {
  const size = countOf(encoding.srcSize);
  if (size > Math.max(most, 1)) throw new SyntaxError(`it says that it has ${size} values, expected at most ${most}`);
  return size;
}

function mapOf(value: Packed | undefined): { readonly [key: string]: Packed | undefined } {
  if (typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)) {
    return value as { readonly [key: string]: Packed };
  }
  throw new SyntaxError("a map is missing");
}

function listOf(value: Packed | undefined): readonly Packed[] {
  if (Array.isArray(value)) return value;
  throw new SyntaxError("a list is missing");
}

function textOf(value: Packed | undefined): string {
  if (typeof value === "string") return value;
  throw new SyntaxError("a text is missing");
}

function bytesOf(value: Packed | Values | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new SyntaxError("bytes are missing");
}

function numberOf(value: Packed | undefined): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new SyntaxError("a number is missing");
}

function countOf(value: Packed | undefined): number {
  const count = numberOf(value);
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new SyntaxError(`found ${count}, expected a whole number of 0 or more`);
}
