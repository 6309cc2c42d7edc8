/**
 * Single-use keys for counter-based random numbers: the same key gives the same numbers on every adapter.
 *
 * Source: Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3", Threefry-2x32 with 20 rounds.
 */

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24];
const PARITY = 0x1bd11bda;

/** One Threefry-2x32-20 block: two counter words under two key words give two random words. */
export function threefry2x32(k0: number, k1: number, c0: number, c1: number): [number, number] {
  const keys = [k0 >>> 0, k1 >>> 0, (PARITY ^ k0 ^ k1) >>> 0];
  let x0 = (c0 + keys[0]) >>> 0;
  let x1 = (c1 + keys[1]) >>> 0;
  for (let round = 0; round < 20; round++) {
    const r = ROTATIONS[round % 8];
    x0 = (x0 + x1) >>> 0;
    x1 = (((x1 << r) | (x1 >>> (32 - r))) ^ x0) >>> 0;
    if (round % 4 === 3) {
      const s = (round + 1) / 4;
      x0 = (x0 + keys[s % 3]) >>> 0;
      x1 = (x1 + keys[(s + 1) % 3] + s) >>> 0;
    }
  }
  return [x0, x1];
}

/** WGSL of the same function: `threefry(key: vec2u, counter: vec2u) -> vec2u`. */
export const THREEFRY_WGSL: string = `
fn threefry(key: vec2u, counter: vec2u) -> vec2u {
  let k = vec3u(key, 0x1bd11bdau ^ key.x ^ key.y);
  var x = counter + key;
${
  Array.from({ length: 20 }, (_, round) => {
    const r = ROTATIONS[round % 8];
    const s = (round + 1) / 4;
    const names = "xyz";
    return `  x.x += x.y; x.y = ((x.y << ${r}u) | (x.y >> ${32 - r}u)) ^ x.x;` +
      (round % 4 === 3 ? ` x.x += k.${names[s % 3]}; x.y += k.${names[(s + 1) % 3]} + ${s}u;` : "");
  }).join("\n")
}
  return x;
}`;

/**
 * A random key. It can be used once: to draw, to split, or to derive; a second use throws, so that no two draws are
 * alike by mistake.
 *
 * @example
 * ```ts
 * import { Key } from "@denofold/denofold";
 * import assert from "node:assert/strict";
 *
 * const [a, b] = Key.fromSeed(42).split(2);
 * assert.notEqual(a.uniform(1)[0], b.uniform(1)[0]);
 * assert.throws(() => a.uniform(1), RangeError);
 * ```
 */
export class Key {
  #words: readonly [number, number];
  #used = false;

  /** A key from its two 32-bit words. */
  constructor(k0: number, k1: number) {
    this.#words = [k0 >>> 0, k1 >>> 0];
  }

  /** A key from an integer seed between 0 and 2^53 - 1. */
  static fromSeed(seed: number): Key {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(`A seed must be an integer between 0 and 2^53 - 1, got ${seed}`);
    }
    return new Key(Math.floor(seed / 2 ** 32), seed % 2 ** 32);
  }

  /**
   * The key's words, for a kernel that draws with them. Uses the key up.
   *
   * @throws {RangeError} If the key was used before.
   */
  consume(): readonly [number, number] {
    if (this.#used) throw new RangeError("This random key was used before: split it to draw again");
    this.#used = true;
    return this.#words;
  }

  /** Turns the key into `n` independent keys. Uses the key up. */
  split(n: number): Key[] {
    const [k0, k1] = this.consume();
    return Array.from({ length: n }, (_, i) => new Key(...threefry2x32(k0, k1, i, 0xffffffff)));
  }

  /** Derives the key of a numbered thing (a step, a block) without using this key up. */
  at(index: number): Key {
    const [k0, k1] = this.#words;
    return new Key(...threefry2x32(k0, k1, index >>> 0, 0xfffffffe));
  }

  /** `n` numbers uniform in [0, 1), with 24 random bits each. Uses the key up. */
  uniform(n: number): Float32Array {
    const words = this.#draw(n);
    return Float32Array.from(words, (word) => (word >>> 8) * 2 ** -24);
  }

  /** `n` numbers from the standard normal distribution (Box-Muller). Uses the key up. */
  normal(n: number): Float32Array {
    const words = this.#draw(2 * n);
    return Float32Array.from({ length: n }, (_, i) => {
      const radius = Math.sqrt(-2 * Math.log((words[2 * i] + 0.5) * 2 ** -32));
      return radius * Math.cos(2 * Math.PI * words[2 * i + 1] * 2 ** -32);
    });
  }

  /** A random order of 0 … n - 1 (Fisher-Yates). Uses the key up. */
  permutation(n: number): number[] {
    const words = this.#draw(n);
    const order = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(words[i] * 2 ** -32 * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  #draw(n: number): Uint32Array {
    const [k0, k1] = this.consume();
    const words = new Uint32Array(n);
    for (let i = 0; i < n; i += 2) {
      const [a, b] = threefry2x32(k0, k1, i / 2, 0);
      words[i] = a;
      if (i + 1 < n) words[i + 1] = b;
    }
    return words;
  }
}
