/** Mean, spread and order of a few numbers on the CPU. */

/** The mean; NaN of none. */
export function meanOf(numbers: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < numbers.length; i++) sum += numbers[i];
  return sum / numbers.length;
}

/** Standard deviation of a sample, with n - 1 in the denominator; NaN of fewer than two numbers. */
export function sampleDeviation(numbers: ArrayLike<number>): number {
  const mean = meanOf(numbers);
  let squares = 0;
  for (let i = 0; i < numbers.length; i++) squares += (numbers[i] - mean) ** 2;
  return Math.sqrt(squares / (numbers.length - 1));
}

/** The quantile q, 0 … 1, of sorted numbers, on the line between the two nearest; NaN of none. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1), below = Math.floor(at);
  const lower = sorted[below] ?? NaN, upper = sorted[below + 1] ?? lower;
  return lower + (at - below) * (upper - lower);
}
