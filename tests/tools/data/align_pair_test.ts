import assert from "node:assert/strict";
import { alignPair } from "../../../tools/data/align_pair.ts";

/** The best score of all local alignments, by plain recursion over every pair of prefixes. */
function bestScore(a: string, b: string, score: (x: string, y: string) => number): number {
  let best = 0;
  const H = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      let value = Math.max(0, H[i - 1][j - 1] + score(a[i - 1], b[j - 1]));
      for (let k = 1; k <= i; k++) value = Math.max(value, H[i - k][j] - 11 - k);
      for (let k = 1; k <= j; k++) value = Math.max(value, H[i][j - k] - 11 - k);
      H[i][j] = value;
      best = Math.max(best, value);
    }
  }
  return best;
}

Deno.test("alignPair() finds the best local alignment: the score of its pairs and gaps is that of an exhaustive search", () => {
  const letters = "ARNDCQEGHILKMFPSTWYV";
  let state = 7;
  const next = (n: number) => (state = Math.imul(state ^ (state >>> 13), 0x5bd1e995) + 12345 >>> 0) % n;
  const pairScore = (x: string, y: string) => alignPair(x, x).score && alignPair(x, y).score;
  for (let round = 0; round < 30; round++) {
    const a = Array.from({ length: 8 + next(25) }, () => letters[next(20)]).join("");
    // A relative: parts kept, some letters changed, some left out.
    const b = Array.from(a, (letter) => (next(5) === 0 ? letters[next(20)] : letter)).filter(() =>
      next(12) > 0
    ).join("") + letters.slice(0, next(9));
    const { pairs, score } = alignPair(a, b);
    const matrix = (x: string, y: string) => {
      const positive = pairScore(x, y);
      return positive > 0 ? positive : scoreOf(x, y);
    };
    assert.equal(score, bestScore(a, b, matrix), `${a} ${b}`);
    let sum = 0;
    pairs.forEach(([i, j], k) => {
      sum += matrix(a[i], b[j]);
      if (k === 0) return;
      const [pi, pj] = pairs[k - 1];
      assert(i > pi && j > pj);
      for (const gap of [i - pi - 1, j - pj - 1]) if (gap > 0) sum -= 11 + gap;
    });
    assert.equal(sum, score, `${a} ${b}`);
  }
});

/** Score of two letters, from a pair that a strong neighbour makes worth aligning: W scores 11 with itself. */
function scoreOf(x: string, y: string): number {
  return alignPair(`WW${x}WW`, `WW${y}WW`).score - 44;
}

Deno.test("alignPair() of sequences that have nothing in common is empty", () => {
  assert.deepEqual(alignPair("GGGG", "WWWW"), { pairs: [], score: 0, identical: 0 });
  assert.deepEqual(alignPair("", "WWWW").pairs, []);
});
