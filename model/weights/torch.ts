/**
 * State dicts as `torch.save` writes them since PyTorch 1.6: a zip archive with a pickle that describes the tensors, and
 * one file of numbers a storage.
 *
 * Source: PyTorch 2, `torch/serialization.py` (zip format); Python's `pickle` protocol 2.
 */
import type { Archive } from "./archive.ts";
import { MAX_PICKLE_BYTES, parsePickle, type Pickled, PickledTensor } from "./pickle.ts";
import { bytesPerNumber, makeArray, type NamedArray, type NamedDtype, partOf } from "./safetensors.ts";
import { countOf, type WeightEntry, type WeightFile } from "./weight_file.ts";

/**
 * Parts of a checkpoint that hold the weights, best first: the moving average that OpenFold evaluates, then what
 * trainers call the model.
 */
const SECTIONS: readonly (readonly string[])[] = [
  ["ema", "params"],
  ["model_state_dict"],
  ["state_dict"],
  ["model"],
  ["module"],
];

/** Beginnings of names that wrappers of modules add. */
const WRAPPERS = /^(?:module\.|model\.)+/;

/**
 * Reads the names and shapes of a state dict. Where a checkpoint holds several, the moving average is taken before the
 * model; `metadata.section` says which it was.
 *
 * @throws {SyntaxError} If the archive is none of PyTorch's, or its pickle asks for anything but tensors.
 */
export async function openTorch(archive: Archive): Promise<WeightFile> {
  const { source, entries: files } = archive;
  const fail = (found: string): never => {
    throw new SyntaxError(`Cannot read ${source} as a PyTorch file: ${found}`);
  };
  const pickle = [...files.keys()].find((name) => /^(?:[^/]+\/)?data\.pkl$/.test(name));
  if (pickle === undefined) return fail("the archive has no data.pkl; was it written by torch.save?");
  const root = pickle.slice(0, -"data.pkl".length);
  const { size, read } = files.get(pickle)!;
  if (size > MAX_PICKLE_BYTES) return fail(`its data.pkl has ${size} bytes, at most ${MAX_PICKLE_BYTES} are read`);
  const order = files.get(`${root}byteorder`);
  if (order) {
    const said = new TextDecoder().decode(await order.read(0, order.size));
    if (said !== "little") return fail(`its numbers are ${said}-endian, expected little-endian`);
  }
  const { tensors, section } = stateDict(parsePickle(await read(0, size), source), fail);
  const entries = new Map<string, WeightEntry>();
  for (const [name, tensor] of tensors) {
    const { storage, shape } = tensor;
    const file = files.get(`${root}data/${storage.key}`);
    if (!file) return fail(`tensor "${name}" is in data/${storage.key}, which the archive lacks`);
    const width = bytesPerNumber(storage.dtype);
    if (file.size !== storage.count * width) {
      return fail(
        `data/${storage.key} has ${file.size} bytes, ${storage.count} numbers of ${storage.dtype} take ${
          storage.count * width
        }`,
      );
    }
    entries.set(name, {
      name,
      dtype: storage.dtype,
      shape,
      fresh: true,
      async read(rows) {
        if (isRowMajor(tensor)) {
          const part = partOf(shape, width, rows);
          return makeArray(storage.dtype, part.shape, await file.read(tensor.offset * width + part.begin, part.bytes));
        }
        const whole = gathered(tensor, makeArray(storage.dtype, [storage.count], await file.read(0, file.size)));
        if (!rows) return whole;
        const { shape: some, begin, bytes } = partOf(shape, width, rows);
        const { data } = whole;
        return makeArray(storage.dtype, some, new Uint8Array(data.buffer, data.byteOffset + begin, bytes));
      },
    });
  }
  return { source, format: "torch", entries, metadata: section ? { section } : {} };
}

function stateDict(
  pickled: Pickled,
  fail: (found: string) => never,
): { tensors: Map<string, PickledTensor>; section: string } {
  if (!(pickled instanceof Map)) return fail("it holds no dictionary of tensors");
  for (const path of SECTIONS) {
    const found = path.reduce<Pickled | undefined>((at, key) => (at instanceof Map ? at.get(key) : undefined), pickled);
    if (found instanceof Map && hasTensors(found)) return { tensors: flatten(found), section: path.join(".") };
  }
  if (!hasTensors(pickled)) {
    const keys = [...pickled.keys()].slice(0, 8).map(String).join(", ");
    return fail(
      `it holds no tensors at its top, nor under ema.params, state_dict, model or module; its keys are ${keys}`,
    );
  }
  return { tensors: flatten(pickled), section: "" };
}

function hasTensors(map: Map<Pickled, Pickled>): boolean {
  return [...map.values()].some((value) =>
    value instanceof PickledTensor || (value instanceof Map && hasTensors(value))
  );
}

function flatten(map: Map<Pickled, Pickled>): Map<string, PickledTensor> {
  const found = new Map<string, PickledTensor>();
  const walk = (node: Map<Pickled, Pickled>, path: string) => {
    for (const [key, value] of node) {
      const name = path ? `${path}.${String(key)}` : String(key);
      if (value instanceof PickledTensor) found.set(name.replace(WRAPPERS, ""), value);
      else if (value instanceof Map) walk(value, name);
    }
  };
  walk(map, "");
  return found;
}

function isRowMajor({ shape, strides }: PickledTensor): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false;
    step *= shape[axis];
  }
  return true;
}

/** A tensor's numbers in C order, taken from its storage. */
function gathered({ shape, strides, offset }: PickledTensor, storage: NamedArray): NamedArray {
  const count = countOf(shape);
  const data = storage.data.slice(0, 0).constructor as new (length: number) => NamedArray["data"];
  const out = new data(count);
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0, at = offset; i < count; i++) {
    out[i] = storage.data[at];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= shape[axis] * strides[axis];
      index[axis] = 0;
    }
  }
  return { dtype: storage.dtype, shape, data: out };
}

const STORAGE_NAMES: Partial<Record<NamedDtype, string>> = {
  F64: "DoubleStorage",
  F32: "FloatStorage",
  F16: "HalfStorage",
  BF16: "BFloat16Storage",
  I64: "LongStorage",
  I32: "IntStorage",
  I16: "ShortStorage",
  I8: "CharStorage",
  U8: "ByteStorage",
  BOOL: "BoolStorage",
};

/**
 * The pickle of a state dict whose tensors stand in `data/0`, `data/1` … of the archive, in the order given.
 *
 * @throws {TypeError} If PyTorch has no such number type.
 */
export function encodeStateDict(
  tensors: Iterable<{ readonly name: string; readonly dtype: NamedDtype; readonly shape: readonly number[] }>,
): Uint8Array<ArrayBuffer> {
  const writer = new PickleWriter();
  writer.code("\x80\x02").global("collections", "OrderedDict").code(")R(");
  let index = 0;
  for (const { name, dtype, shape } of tensors) {
    const storage = STORAGE_NAMES[dtype];
    if (!storage) throw new TypeError(`Cannot write tensor "${name}" for PyTorch: it has no storage of ${dtype}`);
    const count = countOf(shape);
    const strides = shape.map((_, axis) => countOf(shape.slice(axis + 1)));
    writer.text(name).global("torch._utils", "_rebuild_tensor_v2").code("((").text("storage");
    writer.global("torch", storage).text(String(index++)).text("cpu").integer(count).code("tQ");
    writer.integer(0).tuple(shape).tuple(strides).code("\x89").global("collections", "OrderedDict").code(")RtR");
  }
  return writer.code("u.").bytes();
}

/** Writes the few instructions that a state dict needs. */
class PickleWriter {
  readonly #parts: Uint8Array[] = [];

  code(codes: string): this {
    return this.#push(Uint8Array.from(codes, (code) => code.charCodeAt(0)));
  }

  text(text: string): this {
    const bytes = new TextEncoder().encode(text);
    return this.code("X").#number(bytes.length).#push(bytes);
  }

  global(module: string, name: string): this {
    return this.code(`c${module}\n${name}\n`);
  }

  integer(value: number): this {
    if (value < 2 ** 31) return this.code("J").#number(value);
    const bytes: number[] = [];
    for (let rest = BigInt(value); rest > 0n; rest >>= 8n) bytes.push(Number(rest & 255n));
    if (bytes[bytes.length - 1] & 0x80) bytes.push(0);
    return this.code("\x8a").#push(Uint8Array.from([bytes.length, ...bytes]));
  }

  tuple(values: readonly number[]): this {
    this.code("(");
    for (const value of values) this.integer(value);
    return this.code("t");
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }

  #number(value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    return this.#push(bytes);
  }

  #push(part: Uint8Array): this {
    this.#parts.push(part);
    return this;
  }
}
