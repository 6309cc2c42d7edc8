/**
 * Decodes MessagePack. Lengths are checked against the bytes that are there before anything is made, so that a damaged one of
 * some billions costs nothing.
 *
 * Source: MessagePack specification, "Formats".
 */

/** A decoded value; maps are plain objects without prototype, extension types are refused. */
export type Packed =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Packed[]
  | { readonly [key: string]: Packed };

const MAX_DEPTH = 64;

const TEXT = new TextDecoder();

/**
 * Decodes the value that the bytes begin with.
 *
 * @throws {SyntaxError} If it is cut short, nested too deeply or of a type that is not known.
 */
export function unpack(bytes: Uint8Array): Packed {
  return new Unpacker(bytes).value(0);
}

class Unpacker {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(depth: number): Packed {
    if (depth > MAX_DEPTH) throw new SyntaxError(`values are nested more than ${MAX_DEPTH} deep`);
    const type = this.#number(1);
    if (type < 0x80) return type;
    if (type < 0x90) return this.#map(type & 0x0f, depth);
    if (type < 0xa0) return this.#list(type & 0x0f, depth);
    if (type < 0xc0) return this.#text(type & 0x1f);
    if (type >= 0xe0) return type - 0x100;
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return type === 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#number(1 << (type - 0xc4)));
      case 0xca:
        return this.#view.getFloat32(this.#skip(4));
      case 0xcb:
        return this.#view.getFloat64(this.#skip(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#number(1 << (type - 0xcc));
      case 0xcf:
        return Number(this.#view.getBigUint64(this.#skip(8)));
      case 0xd0:
        return this.#view.getInt8(this.#skip(1));
      case 0xd1:
        return this.#view.getInt16(this.#skip(2));
      case 0xd2:
        return this.#view.getInt32(this.#skip(4));
      case 0xd3:
        return Number(this.#view.getBigInt64(this.#skip(8)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#number(1 << (type - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#list(this.#number(type === 0xdc ? 2 : 4), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#number(type === 0xde ? 2 : 4), depth);
    }
    throw new SyntaxError(`a value has the type 0x${type.toString(16)}`);
  }

  #list(count: number, depth: number): Packed[] {
    this.#checkLength(count); // every value takes a byte or more
    const list: Packed[] = [];
    for (let i = 0; i < count; i++) list.push(this.value(depth + 1));
    return list;
  }

  #map(count: number, depth: number): { [key: string]: Packed } {
    this.#checkLength(2 * count);
    const map: { [key: string]: Packed } = Object.create(null);
    for (let i = 0; i < count; i++) {
      const key = this.value(depth + 1);
      if (typeof key !== "string" && typeof key !== "number") throw new SyntaxError("a map has a key that is no text");
      map[key] = this.value(depth + 1);
    }
    return map;
  }

  #text(length: number): string {
    return TEXT.decode(this.#take(length));
  }

  #number(width: number): number {
    const at = this.#skip(width);
    return width === 1 ? this.#view.getUint8(at) : width === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #take(length: number): Uint8Array {
    const at = this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Goes on by so many bytes; comes back with where they begin. */
  #skip(length: number): number {
    this.#checkLength(length);
    this.#at += length;
    return this.#at - length;
  }

  #checkLength(length: number): void {
    if (this.#at + length > this.#bytes.length) throw new SyntaxError("it is cut short");
  }
}
