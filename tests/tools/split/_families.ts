/** Made-up protein families. */
import { Key } from "../../../core/random.ts";

const LETTERS = "ARNDCQEGHILKMFPSTWYV";

/** A random sequence. */
export function randomSequence(key: Key, length: number): string {
  return Array.from(key.uniform(length), (value) => LETTERS[Math.floor(value * 20)]).join("");
}

/** A relative of a sequence: so much of it stays, one residue in a hundred goes, one in a hundred comes. */
export function relative(key: Key, sequence: string, kept: number): string {
  const draws = key.uniform(3 * sequence.length);
  return Array.from(sequence, (letter, i) => {
    const [what, change, other] = draws.subarray(3 * i, 3 * i + 3);
    if (what < 0.01) return "";
    const new_ = LETTERS[Math.floor(other * 20)];
    return what < 0.02 ? letter + new_ : change < kept ? letter : new_;
  }).join("");
}

/** Families of relatives of random sequences, one after the other. */
export function families(
  seed: number,
  { count, size, length, kept }: { count: number; size: number; length: number; kept: number },
): string[] {
  return Key.fromSeed(seed).split(count).flatMap((key) => {
    const keys = key.split(size);
    const first = randomSequence(keys[0], length);
    return keys.map((own, member) => member === 0 ? first : relative(own, first, kept));
  });
}
