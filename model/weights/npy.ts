/**
 * NumPy's `.npy` files in and out.
 *
 * Source: "The .npy format", NumPy Enhancement Proposal 1, versions 1.0 and 2.0.
 */
import { bytesPerNumber, makeArray, type NamedArray, type NamedDtype } from "./safetensors.ts";
import { countOf } from "./weight_file.ts";

const MAGIC = "\x93NUMPY";

const DESCRIPTIONS: Record<string, NamedDtype> = {
  "<f4": "F32",
  "<f8": "F64",
  "<f2": "F16",
  "<i4": "I32",
  "<i8": "I64",
  "<i2": "I16",
  "|i1": "I8",
  "|u1": "U8",
  "<u2": "U16",
  "<u4": "U32",
  "|b1": "BOOL",
};

/** What the head of a `.npy` file says. */
export interface NpyHeader {
  /** Number type. */
  readonly dtype: NamedDtype;
  /** Sizes of the axes. */
  readonly shape: readonly number[];
  /** Whether the numbers stand in Fortran order. */
  readonly fortranOrder: boolean;
  /** Where the numbers begin. */
  readonly begin: number;
}

/** The most bytes that the head of a file of version 1.0 can take. */
export const NPY_HEADER_BYTES: number = 10 + 2 ** 16;

/**
 * Reads the head of a `.npy` file.
 *
 * @param bytes The whole file, or its begin.
 * @param source Name of the file, for messages.
 * @throws {SyntaxError} As {@linkcode parseNpy} does.
 */
export function parseNpyHeader(bytes: Uint8Array, source: string): NpyHeader {
  const fail = (found: string): never => {
    throw new SyntaxError(`Cannot read ${source} as .npy: ${found}`);
  };
  if (bytes.length < 10 || String.fromCharCode(...bytes.subarray(0, 6)) !== MAGIC) {
    fail("it does not begin with the mark \\x93NUMPY");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const major = bytes[6];
  if (major < 1 || major > 3) fail(`version ${major}, expected 1, 2 or 3`);
  const start = major === 1 ? 10 : 12;
  if (bytes.length < start) fail("its header is cut short");
  const headerLength = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (start + headerLength > bytes.length) {
    fail(`its header is cut short: ${headerLength} bytes announced, ${bytes.length - start} there`);
  }
  const header = new TextDecoder().decode(bytes.subarray(start, start + headerLength));
  const description = /'descr'\s*:\s*'([^'\s]*)'/.exec(header)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const shapeText = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(header)?.[1];
  if (description === undefined || order === undefined || shapeText === undefined) {
    return fail(`its header lacks descr, fortran_order or shape: ${header.trim().replace(/\s+/g, " ").slice(0, 80)}`);
  }
  const dtype = DESCRIPTIONS[description.replace(/^=/, "<").replace(/^[<>=](?=[iub]1$)/, "|")];
  if (dtype === undefined) {
    return fail(`its type is ${description}, expected one of ${Object.keys(DESCRIPTIONS).join(" ")}`);
  }
  const shape = shapeText.split(",").map((part) => part.trim()).filter((part) => part !== "").map(Number);
  return { dtype, shape, fortranOrder: order === "True", begin: start + headerLength };
}

/**
 * Reads one array from the bytes of a `.npy` file; Fortran order is turned into C order.
 *
 * @param bytes The whole file.
 * @param source Name of the file, for messages.
 * @returns A new array, independent of `bytes`.
 * @throws {SyntaxError} If the bytes are not such a file, are cut short, or hold a type other than little-endian
 * float16/32/64, signed or unsigned integers up to 32 bits, int64 or bool.
 */
export function parseNpy(bytes: Uint8Array, source: string): NamedArray {
  const { dtype, shape, fortranOrder, begin } = parseNpyHeader(bytes, source);
  const body = bytes.subarray(begin);
  const expected = countOf(shape) * bytesPerNumber(dtype);
  if (body.length !== expected) {
    const short = body.length < expected ? ": cut short" : "";
    throw new SyntaxError(
      `Cannot read ${source} as .npy: [${shape}] of ${dtype} takes ${expected} bytes, found ${body.length}${short}`,
    );
  }
  const array = makeArray(dtype, shape, body);
  return fortranOrder && shape.length > 1 ? { ...array, data: toRowMajor(array) } : array;
}

/**
 * The head of a version 1.0 `.npy` file; the numbers follow it in C order.
 *
 * @throws {TypeError} If the format has no such number type.
 */
export function encodeNpyHeader({ dtype, shape }: Pick<NamedArray, "dtype" | "shape">): Uint8Array<ArrayBuffer> {
  const description = Object.entries(DESCRIPTIONS).find(([, known]) => known === dtype)?.[0];
  if (description === undefined) throw new TypeError(`Cannot write ${dtype} as .npy: the format has no such type`);
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${description}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const headerLength = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const out = new Uint8Array(10 + headerLength);
  out.set(Array.from(MAGIC, (character) => character.charCodeAt(0)));
  out[6] = 1;
  new DataView(out.buffer).setUint16(8, headerLength, true);
  out.set(new TextEncoder().encode(text.padEnd(headerLength - 1) + "\n"), 10);
  return out;
}

/** Writes one array as a version 1.0 `.npy` file in C order. */
export function encodeNpy(array: NamedArray): Uint8Array<ArrayBuffer> {
  const head = encodeNpyHeader(array);
  const body = new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength);
  const out = new Uint8Array(head.length + body.length);
  out.set(head);
  out.set(body, head.length);
  return out;
}

function toRowMajor(array: NamedArray): NamedArray["data"] {
  const { shape, data } = array;
  const out = data.slice();
  const index = new Array<number>(shape.length).fill(0);
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, size) => product * size, 1));
  for (let i = 0; i < out.length; i++) {
    out[i] = data[index.reduce((sum, at, axis) => sum + at * strides[axis], 0)];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
  return out;
}
