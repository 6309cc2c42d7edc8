/** Functions of kernels in float64. */

/** 1 / (1 + exp(-x)). */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** The standard normal distribution function: half of erfc(-x / √2), whose tail is a continued fraction. */
export function normalCdf(x: number): number {
  const t = Math.abs(x);
  if (t < 3) { // Φ(t) = 1/2 + φ(t) (t + t³/3 + t⁵/15 + …)
    let term = t, sum = t;
    for (let n = 1; n < 60; n++) sum += term *= t * t / (2 * n + 1);
    const half = sum * Math.exp(-0.5 * t * t) / Math.sqrt(2 * Math.PI);
    return x > 0 ? 0.5 + half : 0.5 - half;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / (t + fraction);
  const tail = Math.exp(-0.5 * t * t) / Math.sqrt(2 * Math.PI) / (t + fraction);
  return x > 0 ? 1 - tail : tail;
}
