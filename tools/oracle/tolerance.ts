/** How far the numbers of a tensor may be from the golden ones. */
export interface Tolerance {
  /** Part of the golden number's size. */
  readonly rtol: number;
  /** Added to it. */
  readonly atol: number;
  /** Part of the largest golden number of the tensor, taken instead of `atol` where that is less. */
  readonly atolOfMax: number;
  /** Only so many numbers at the start count. @default all */
  readonly first?: number;
  /** Share of the numbers that must keep `atol` and `rtol`; the others must keep `elsewhere`. @default all */
  readonly share?: number;
  /** Largest error of the numbers outside the share. */
  readonly elsewhere?: number;
}

/** Not a single bit may differ. */
export const EXACT: Tolerance = { rtol: 0, atol: 0, atolOfMax: 0 };

/** Rounding to float32 leaves about this part of the largest number in the small ones: purely relative bounds allow it. */
const ROUNDING_OF_MAX = 1e-6;

const NUMBER = String.raw`[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?`;
const IS = String.raw`\s*(?:[=:<≤]=?\s*)?`;
const RTOL = new RegExp(String.raw`\brtol${IS}(${NUMBER})`, "i");
const ATOL = new RegExp(
  String.raw`\b(?:atol|abs(?:olute)?)(?:\s+err(?:or)?)?${IS}(${NUMBER})(\s*\*\s*max\s*(?:\|[^|]*\||\([^)]*\))?)?`,
  "i",
);
const FIRST = /\bfirst\s+(\d+)\s+values\b/i;
const SHARE = new RegExp(String.raw`>=?\s*(${NUMBER})\s*%\s*of\s+entries`, "i");
const ELSEWHERE = /<\s*([^<,;:]*?)\s+elsewhere/i;

/**
 * Reads a tolerance as golden files state it in words, such as `rtol 1e-4, atol 1e-5`, `rtol 1e-3, atol 1e-4*max|grad|`,
 * `distances abs 0.02`, `first 20 values rtol 1e-3`, `exact`, or
 * `abs err < 2e-4 for >=99% of entries, and < 20*lr*1e-1 elsewhere`.
 *
 * @param text The words.
 * @param learningRate What `lr` stands for.
 * @throws {SyntaxError} If the words state no bound: a case must not pass by not being understood.
 */
export function parseTolerance(text: string, learningRate?: number): Tolerance {
  const words = text.replace(/\([^)|]*\)/g, " ");
  const rtol = RTOL.exec(words);
  const atol = ATOL.exec(words);
  if (!rtol && !atol) {
    if (/\bexact\b/i.test(words)) return EXACT;
    throw new SyntaxError(`the tolerance "${text}" states no bound: expected rtol, atol, abs or exact with numbers`);
  }
  const [first, share, elsewhere] = [FIRST.exec(words), SHARE.exec(words), ELSEWHERE.exec(words)];
  if (share && !elsewhere) throw new SyntaxError(`the tolerance "${text}" bounds only a share of the numbers`);
  const ofMax = atol?.[2] ? Number(atol[1]) : 0;
  return {
    rtol: rtol ? Number(rtol[1]) : 0,
    atol: atol && !atol[2] ? Number(atol[1]) : 0,
    atolOfMax: atol ? ofMax : ROUNDING_OF_MAX,
    ...(first ? { first: Number(first[1]) } : {}),
    ...(share && elsewhere
      ? { share: Number(share[1]) / 100, elsewhere: product(elsewhere[1], text, learningRate) }
      : {}),
  };
}

function product(factors: string, text: string, learningRate: number | undefined): number {
  return factors.split("*").reduce((value, factor) => {
    const number = factor.trim() === "lr" ? learningRate : Number(factor.trim() || NaN);
    if (number === undefined || !Number.isFinite(number)) {
      throw new SyntaxError(`the tolerance "${text}" has the factor "${factor.trim()}", expected numbers and lr`);
    }
    return value * number;
  }, 1);
}
