/**
 * The Mersenne Twister behind NumPy's legacy `numpy.random.seed` functions, number for number.
 *
 * Source: Matsumoto & Nishimura (1998), "Mersenne Twister"; NumPy's `RandomState` (randint with masked rejection, the
 * polar Gaussian of Marsaglia, Fisher-Yates permutation).
 */

const N = 624;
const M = 397;
const SAVED_BYTES = N * 4 + 16;

/** Bounds on the squared radius inside which 27 of the 53 bits of each coordinate decide a polar draw beyond doubt. */
const SURE_ZERO = 1e-10;
const SURE_INSIDE = 1 - 1e-6;
const SURE_OUTSIDE = 1 + 1e-6;

/** NumPy's legacy generator: `new Mt19937(42)` gives the numbers of `numpy.random.seed(42)`. */
export class Mt19937 {
  readonly #words = new Int32Array(N);
  #position = N;
  /** The second number of the last polar draw, which the next normal hands out. */
  #gauss: number | null = null;

  /**
   * Starts the generator.
   *
   * @param seed Integer in [0, 2³²).
   * @throws {RangeError} If the seed is not such an integer.
   */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
      throw new RangeError(`Cannot seed the generator with ${seed}: expected an integer from 0 to 4294967295`);
    }
    let word = seed | 0;
    for (let i = 0; i < N; i++) {
      this.#words[i] = word;
      word = (Math.imul(1812433253, word ^ (word >>> 30)) + i + 1) | 0;
    }
  }

  /** The next 32 bits as an unsigned integer. */
  uint32(): number {
    return this.#next() >>> 0;
  }

  /** A double in [0, 1) with 53 random bits (`numpy.random.rand`). */
  uniform(): number {
    const high = this.#next() >>> 5;
    return (high * 67108864 + (this.#next() >>> 6)) / 9007199254740992;
  }

  /** A standard normal double (`numpy.random.randn`). */
  normal(): number {
    if (this.#gauss !== null) {
      const value = this.#gauss;
      this.#gauss = null;
      return value;
    }
    for (;;) {
      const x1 = 2 * this.uniform() - 1;
      const x2 = 2 * this.uniform() - 1;
      const squared = x1 * x1 + x2 * x2;
      if (squared < 1 && squared !== 0) {
        const factor = Math.sqrt((-2 * Math.log(squared)) / squared);
        this.#gauss = factor * x1;
        return factor * x2;
      }
    }
  }

  /**
   * An integer in [0, maximum], by drawing under the smallest covering bit mask until one fits.
   *
   * @param maximum Integer in [0, 2³²).
   */
  interval(maximum: number): number {
    if (maximum === 0) return 0;
    const mask = 0xffffffff >>> Math.clz32(maximum);
    for (;;) {
      const value = (this.#next() & mask) >>> 0;
      if (value <= maximum) return value;
    }
  }

  /** Fills `out` with integers in [low, high) (`numpy.random.randint`). */
  fillIntegers(out: Uint8Array | Int32Array, low: number, high: number): void {
    for (let i = 0; i < out.length; i++) out[i] = low + this.interval(high - 1 - low);
  }

  /** Fills `out` with standard normals, each rounded from its double. */
  fillNormals(out: Float32Array | Float64Array): void {
    for (let i = 0; i < out.length; i++) out[i] = this.normal();
  }

  /** Integers 0 … n-1 in random order (`numpy.random.permutation`). */
  permutation(n: number): Int32Array {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.interval(i);
      const kept = order[i];
      order[i] = order[j];
      order[j] = kept;
    }
    return order;
  }

  /** `size` different integers of 0 … n-1 (`numpy.random.choice(n, size, replace=False)`). */
  choice(n: number, size: number): Int32Array {
    if (size > n) throw new RangeError(`Cannot choose ${size} different items of ${n}`);
    return this.permutation(n).slice(0, size);
  }

  /** Steps over `count` uniform doubles. */
  skipUniforms(count: number): void {
    let words = count * 2;
    while (words > 0) {
      if (this.#position === N) this.#twist();
      const step = Math.min(words, N - this.#position);
      this.#position += step;
      words -= step;
    }
  }

  /**
   * Steps over `count` normals.
   *
   * The polar method rejects about a fifth of its draws, so the position after them can only be found by walking; this
   * walks without logarithms and, where the rounded radius is clear, without the low half of each double.
   */
  skipNormals(count: number): void {
    if (count > 0 && this.#gauss !== null) {
      this.#gauss = null;
      count--;
    }
    let pairs = count >>> 1;
    const words = this.#words;
    while (pairs > 0) {
      let position = this.#position;
      for (; pairs > 0 && position + 4 <= N; position += 4) {
        const x1 = (temper(words[position]) >>> 5) * 2 ** -26 - 1;
        const x2 = (temper(words[position + 2]) >>> 5) * 2 ** -26 - 1;
        const squared = x1 * x1 + x2 * x2;
        if (squared >= SURE_OUTSIDE) continue;
        if (squared < SURE_INSIDE && squared > SURE_ZERO) pairs--;
        else break; // too close to call: decided below with all 53 bits
      }
      this.#position = position;
      if (pairs > 0 && this.#walkPair()) pairs--;
    }
    if (count % 2 === 1) this.normal();
  }

  /** The whole state, to continue from later with {@link Mt19937.restore}. */
  save(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(SAVED_BYTES);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < N; i++) view.setInt32(4 * i, this.#words[i], true);
    view.setUint32(4 * N, this.#position, true);
    view.setUint32(4 * N + 4, this.#gauss === null ? 0 : 1, true);
    view.setFloat64(4 * N + 8, this.#gauss ?? 0, true);
    return bytes;
  }

  /**
   * Continues from a saved state.
   *
   * @throws {RangeError} If the bytes are not a state made by {@link Mt19937.save}.
   */
  restore(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length !== SAVED_BYTES || view.getUint32(4 * N, true) > N) {
      throw new RangeError(
        `Cannot restore the generator from ${bytes.length} bytes: expected a state of ${SAVED_BYTES}`,
      );
    }
    for (let i = 0; i < N; i++) this.#words[i] = view.getInt32(4 * i, true);
    this.#position = view.getUint32(4 * N, true);
    this.#gauss = view.getUint32(4 * N + 4, true) === 0 ? null : view.getFloat64(4 * N + 8, true);
  }

  /** Takes one polar draw and tells whether it gives a pair of normals. */
  #walkPair(): boolean {
    const x1 = 2 * this.uniform() - 1;
    const x2 = 2 * this.uniform() - 1;
    const squared = x1 * x1 + x2 * x2;
    return squared < 1 && squared !== 0;
  }

  #next(): number {
    if (this.#position === N) this.#twist();
    return temper(this.#words[this.#position++]);
  }

  #twist(): void {
    const words = this.#words;
    let i = 0;
    for (; i < N - M; i++) words[i] = words[i + M] ^ twistWord(words[i], words[i + 1]);
    for (; i < N - 1; i++) words[i] = words[i + M - N] ^ twistWord(words[i], words[i + 1]);
    words[N - 1] = words[M - 1] ^ twistWord(words[N - 1], words[0]);
    this.#position = 0;
  }
}

function twistWord(upper: number, lower: number): number {
  return (((upper & 0x80000000) | (lower & 0x7fffffff)) >>> 1) ^ (-(lower & 1) & 0x9908b0df);
}

function temper(word: number): number {
  word ^= word >>> 11;
  word ^= (word << 7) & 0x9d2c5680;
  word ^= (word << 15) & 0xefc60000;
  return word ^ (word >>> 18);
}
