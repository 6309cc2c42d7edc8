/**
 * Reads the pickles in which PyTorch keeps the names, shapes and places of tensors. Nothing is ever executed: the few
 * callables that describe tensors are known by name, and a pickle that asks for any other is refused.
 *
 * Source: Python's `pickletools` (opcodes of protocols 2 to 5); PyTorch 2, `torch/_utils.py` (`_rebuild_tensor_v2`).
 */
import type { NamedDtype } from "./safetensors.ts";

/** A tensor as the pickle describes it. */
export class PickledTensor {
  /** Where its numbers are. */
  readonly storage: PickledStorage;
  /** Its first number in the storage. */
  readonly offset: number;
  /** Sizes of the axes. */
  readonly shape: readonly number[];
  /** Steps of the axes, in numbers. */
  readonly strides: readonly number[];

  /** A tensor in a storage. */
  constructor(storage: PickledStorage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/** Numbers that tensors share. */
export interface PickledStorage {
  /** Name of its entry in the archive, under `data/`. */
  readonly key: string;
  /** Number type. */
  readonly dtype: NamedDtype;
  /** How many numbers. */
  readonly count: number;
}

/** What a pickle may hold. */
export type Pickled =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickledTensor
  | Pickled[]
  | Map<Pickled, Pickled>;

const STORAGES: Readonly<Record<string, NamedDtype>> = {
  "torch.DoubleStorage": "F64",
  "torch.FloatStorage": "F32",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16",
  "torch.CharStorage": "I8",
  "torch.ByteStorage": "U8",
  "torch.BoolStorage": "BOOL",
};

/** A callable or type that the pickle names. */
class Global {
  constructor(readonly name: string) {}
}

const MARK = Symbol("mark");
type Item = Pickled | Global | PickledStorage | typeof MARK;

/** Longest pickle that is read: that of a state dict of 100,000 tensors has about 20 MB. */
export const MAX_PICKLE_BYTES = 2 ** 28;

/**
 * Reads a pickle.
 *
 * @param source Name of the file, for messages.
 * @throws {SyntaxError} If it is damaged, or asks for anything but tensors and plain values; the message names what.
 */
export function parsePickle(bytes: Uint8Array, source: string): Pickled {
  const reader = new Reader(bytes, source);
  const stack: Item[] = [];
  const memo: Item[] = [];
  const fail = (found: string): never => reader.fail(found);
  const pop = (): Item => (stack.length ? stack.pop()! : fail("it takes from an empty stack"));
  const sinceMark = (): Item[] => {
    const at = stack.lastIndexOf(MARK);
    if (at < 0) return fail("a mark is missing");
    const items = stack.splice(at);
    return items.slice(1);
  };
  const top = (): Item => stack.at(-1) ?? fail("its stack is empty");
  const listOf = (item: Item): Pickled[] => (Array.isArray(item) ? item : fail("it appends to what is no list"));
  const mapOf = (item: Item): Map<Pickled, Pickled> =>
    item instanceof Map ? item : fail("it sets items of what is no dictionary");
  const value = (item: Item): Pickled => {
    if (item instanceof Global) return fail(`it holds ${item.name}, which is no tensor: refused`);
    if (item === MARK || isStorage(item)) return fail("it holds a part of a tensor by itself");
    return item;
  };
  const setItems = (map: Map<Pickled, Pickled>, items: Item[]) => {
    if (items.length % 2) fail("a key has no value");
    for (let i = 0; i < items.length; i += 2) map.set(value(items[i]), value(items[i + 1]));
  };
  for (;;) {
    const at = reader.at;
    const code = String.fromCharCode(reader.byte());
    switch (code) {
      case "\x80": { // PROTO
        const protocol = reader.byte();
        if (protocol < 2 || protocol > 5) fail(`its protocol is ${protocol}, expected 2 to 5`);
        break;
      }
      case "\x95": // FRAME
        reader.skip(8);
        break;
      case ".": // STOP
        return value(pop());
      case "(":
        stack.push(MARK);
        break;
      case "0": // POP
        pop();
        break;
      case "1": // POP_MARK
        sinceMark();
        break;
      case "N":
        stack.push(null);
        break;
      case "\x88":
        stack.push(true);
        break;
      case "\x89":
        stack.push(false);
        break;
      case "J":
        stack.push(reader.int32());
        break;
      case "K":
        stack.push(reader.byte());
        break;
      case "M":
        stack.push(reader.byte() | (reader.byte() << 8));
        break;
      case "\x8a": // LONG1
        stack.push(reader.long(reader.byte()));
        break;
      case "G":
        stack.push(reader.float64());
        break;
      case "X":
        stack.push(reader.text(reader.uint32()));
        break;
      case "\x8c":
        stack.push(reader.text(reader.byte()));
        break;
      case "\x8d":
        stack.push(reader.text(reader.uint64()));
        break;
      case "U": // SHORT_BINSTRING of Python 2
        stack.push(reader.text(reader.byte()));
        break;
      case "T": // BINSTRING of Python 2
        stack.push(reader.text(reader.uint32()));
        break;
      case "C":
        stack.push(reader.bytes(reader.byte()));
        break;
      case "B":
        stack.push(reader.bytes(reader.uint32()));
        break;
      case "]":
        stack.push([]);
        break;
      case "}":
        stack.push(new Map());
        break;
      case ")":
        stack.push([]);
        break;
      case "t": // tuples are lists here
        stack.push(sinceMark().map((item) => item as Pickled));
        break;
      case "l":
        stack.push(sinceMark().map(value));
        break;
      case "\x85":
        stack.push([pop() as Pickled]);
        break;
      case "\x86":
        stack.push(stack.splice(-2) as Pickled[]);
        break;
      case "\x87":
        stack.push(stack.splice(-3) as Pickled[]);
        break;
      case "a": {
        const item = value(pop());
        listOf(top()).push(item);
        break;
      }
      case "e": {
        const items = sinceMark().map(value);
        const list = listOf(top());
        for (const item of items) list.push(item);
        break;
      }
      case "d": {
        const map = new Map<Pickled, Pickled>();
        setItems(map, sinceMark());
        stack.push(map);
        break;
      }
      case "s": {
        const items = stack.splice(-2);
        setItems(mapOf(top()), items);
        break;
      }
      case "u": {
        const items = sinceMark();
        setItems(mapOf(top()), items);
        break;
      }
      case "q":
        memo[reader.byte()] = top();
        break;
      case "r":
        memo[reader.uint32()] = top();
        break;
      case "\x94": // MEMOIZE
        memo.push(top());
        break;
      case "h":
      case "j": {
        const index = code === "h" ? reader.byte() : reader.uint32();
        if (!(index in memo)) fail(`it recalls number ${index}, which it has not kept`);
        stack.push(memo[index]);
        break;
      }
      case "c":
        stack.push(new Global(`${reader.line()}.${reader.line()}`));
        break;
      case "\x93": { // STACK_GLOBAL
        const [module, name] = stack.splice(-2);
        stack.push(new Global(`${String(module)}.${String(name)}`));
        break;
      }
      case "Q":
        stack.push(storageOf(pop(), fail));
        break;
      case "R": {
        const args = pop(), callable = pop();
        stack.push(call(callable, args, fail));
        break;
      }
      case "b": { // BUILD: only attributes of an ordered dictionary (`_metadata`), which say nothing of tensors
        value(pop());
        if (!(top() instanceof Map)) fail("it sets the state of an object that is no dictionary: refused");
        break;
      }
      default:
        fail(`byte ${at} is the instruction ${JSON.stringify(code)}, which no description of tensors needs: refused`);
    }
  }
}

function isStorage(item: Item): item is PickledStorage {
  return typeof item === "object" && item !== null && "key" in item && "dtype" in item;
}

function call(callable: Item, args: Item, fail: (found: string) => never): Item {
  if (!(callable instanceof Global)) return fail("it calls what is no function");
  const list: Item[] = Array.isArray(args) ? args : fail(`it calls ${callable.name} without arguments`);
  switch (callable.name) {
    case "collections.OrderedDict": {
      const map = new Map<Pickled, Pickled>();
      for (const pair of (list[0] as Pickled[] | undefined) ?? []) {
        if (!Array.isArray(pair) || pair.length !== 2) {
          return fail("an ordered dictionary has an entry that is no pair");
        }
        map.set(pair[0], pair[1]);
      }
      return map;
    }
    case "torch._utils._rebuild_tensor":
    case "torch._utils._rebuild_tensor_v2": {
      const [storage, offset, shape, strides] = list;
      if (!isStorage(storage) || !isCount(offset) || !isCounts(shape) || !isCounts(strides)) {
        return fail("a tensor's description is not storage, offset, sizes, strides");
      }
      if (shape.length !== strides.length) {
        return fail(`a tensor has ${shape.length} sizes but ${strides.length} strides`);
      }
      const last = shape.includes(0) ? -1 : shape.reduce((sum, n, i) => sum + (n - 1) * strides[i], offset);
      if (last >= storage.count) return fail(`a tensor reaches number ${last} of a storage of ${storage.count}`);
      return new PickledTensor(storage, offset, shape, strides);
    }
    case "torch._utils._rebuild_parameter": {
      const [tensor] = list;
      return tensor instanceof PickledTensor ? tensor : fail("a parameter is made of what is no tensor");
    }
    case "torch.Size":
      return isCounts(list[0]) ? list[0] : fail("a torch.Size is not a list of sizes");
    default:
      return fail(`it asks for ${callable.name}, which is no tensor: refused, since running it could do anything`);
  }
}

function storageOf(id: Item, fail: (found: string) => never): PickledStorage {
  const [kind, type, key, , count] = Array.isArray(id) ? id as Item[] : [];
  const dtype = type instanceof Global && Object.hasOwn(STORAGES, type.name) ? STORAGES[type.name] : undefined;
  if (kind !== "storage" || typeof key !== "string" || !isCount(count)) {
    return fail("a storage's description is damaged");
  }
  if (!dtype) {
    const found = type instanceof Global ? type.name : String(type);
    return fail(`a storage is a ${found}, expected one of ${Object.keys(STORAGES).join(" ")}`);
  }
  return { key, dtype, count };
}

function isCount(item: Item | undefined): item is number {
  return typeof item === "number" && Number.isSafeInteger(item) && item >= 0;
}

function isCounts(item: Item | undefined): item is number[] {
  return Array.isArray(item) && item.every((n) => isCount(n));
}

/** Takes a pickle's bytes one after the other. */
class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #source: string;

  constructor(bytes: Uint8Array, source: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#source = source;
  }

  fail(found: string): never {
    throw new SyntaxError(`Cannot read the description of tensors (pickle) in ${this.#source}: ${found}`);
  }

  skip(count: number): number {
    const at = this.at;
    if (!(at + count <= this.#bytes.length)) this.fail(`it ends at byte ${this.#bytes.length}: cut short`);
    this.at += count;
    return at;
  }

  byte(): number {
    return this.#bytes[this.skip(1)];
  }

  int32(): number {
    return this.#view.getInt32(this.skip(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.skip(4), true);
  }

  uint64(): number {
    return Number(this.#view.getBigUint64(this.skip(8), true));
  }

  float64(): number {
    return this.#view.getFloat64(this.skip(8), false);
  }

  bytes(count: number): Uint8Array {
    const at = this.skip(count);
    return this.#bytes.slice(at, at + count);
  }

  text(count: number): string {
    const at = this.skip(count);
    return new TextDecoder().decode(this.#bytes.subarray(at, at + count));
  }

  line(): string {
    const end = this.#bytes.indexOf(10, this.at);
    if (end < 0) this.fail("a name does not end");
    const text = this.text(end - this.at);
    this.at++;
    return text;
  }

  /** A whole number of so many bytes, two's complement; as a number where that holds it. */
  long(count: number): number | bigint {
    const bytes = this.bytes(count);
    let value = 0n;
    for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
    if (bytes.length && bytes[bytes.length - 1] & 0x80) value -= 1n << BigInt(8 * bytes.length);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
}
