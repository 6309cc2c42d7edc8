/** Numbers as bfloat16: the upper half of a float32, with its range and 8 significant bits. */

/** The 16-bit patterns of numbers rounded to the nearest bfloat16, ties to even; NaN stays NaN. */
export function toBfloat16(numbers: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(Float32Array.from(numbers).buffer);
  return Uint16Array.from(bits, (word) => {
    const isNan = (word & 0x7fffffff) > 0x7f800000;
    return isNan ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  });
}

/** The numbers of 16-bit patterns, exactly. */
export function fromBfloat16(patterns: ArrayLike<number>): Float32Array<ArrayBuffer> {
  return new Float32Array(Uint32Array.from(patterns, (pattern) => pattern << 16).buffer);
}
