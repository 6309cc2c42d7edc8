/**
 * JAX's random numbers: the same bits as `jax.random` with its default, partitionable Threefry; normal numbers agree to
 * the rounding of single precision.
 *
 * Source: Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3"; Giles (2010), "Approximating the erfinv
 * function".
 */
import { threefry2x32 } from "../../core/random.ts";

/** erf(2 / √2) in single precision: normal numbers cut at ±2 come from uniform ones between its negative and it. */
const ERF_CUT = Math.fround(0.9544997361036416);

/** Largest number in single precision below 1. */
const BELOW_ONE = 1 - 2 ** -24;

/** Coefficients in w - 2.5 where w = -log(1 - x²) is below 5, highest power first. */
const CENTRAL = [
  ...[2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087],
  ...[-0.00125372503, -0.00417768164, 0.246640727, 1.50140941],
];

/** Coefficients in √w - 3 elsewhere. */
const TAIL = [
  ...[-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773],
  ...[-0.0076224613, 0.00943887047, 1.00167406, 2.83297682],
];

/** A key of `jax.random`; it may be used again, and then gives the same numbers. */
export class JaxKey {
  readonly #words: readonly [number, number];

  private constructor(words: readonly [number, number]) {
    this.#words = words;
  }

  /**
   * `jax.random.PRNGKey(seed)` and `jax.random.key(seed)`.
   *
   * @throws {RangeError} If the seed is not an integer from 0 to 2³² - 1.
   */
  static fromSeed(seed: number): JaxKey {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
      throw new RangeError(`Cannot seed JAX's generator with ${seed}: expected an integer from 0 to 4294967295`);
    }
    return new JaxKey([0, seed]);
  }

  /** `jax.random.fold_in(key, data)`; also the element of `jax.random.split(key, n)` at this index. */
  foldIn(data: number): JaxKey {
    return new JaxKey(this.#at(data));
  }

  /** `jax.random.uniform(key, [n])`. */
  uniform(n: number): Float32Array {
    return this.#uniform(n, 0, 1);
  }

  /** `jax.random.normal(key, [n])`. */
  normal(n: number): Float32Array {
    return this.#uniform(n, -BELOW_ONE, 1).map(normalOf);
  }

  /** `jax.random.truncated_normal(key, -2, 2, [n])`. */
  truncatedNormal(n: number): Float32Array {
    return this.#uniform(n, -ERF_CUT, ERF_CUT).map(normalOf);
  }

  #uniform(n: number, low: number, high: number): Float32Array {
    const span = Math.fround(high - low);
    const numbers = new Float32Array(n);
    for (let i = 0; i < n; i++) {
      const [a, b] = this.#at(i);
      const unit = ((a ^ b) >>> 9) * 2 ** -23;
      numbers[i] = Math.max(low, Math.fround(Math.fround(unit * span) + low));
    }
    return numbers;
  }

  #at(index: number): [number, number] {
    const [k0, k1] = this.#words;
    return threefry2x32(k0, k1, 0, index);
  }
}

/** The standard normal number below which lies the same share of the distribution as below `x` of [-1, 1]. */
function normalOf(x: number): number {
  const w = -Math.log1p(-x * x);
  const [coefficients, at] = w < 5 ? [CENTRAL, w - 2.5] : [TAIL, Math.sqrt(w) - 3];
  return Math.SQRT2 * coefficients.reduce((sum, coefficient) => sum * at + coefficient, 0) * x;
}
