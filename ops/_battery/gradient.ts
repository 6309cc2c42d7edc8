/** Gradients in float64 of what is computed forward in float64. */

/**
 * Gradient of a function of a few numbers, by central differences: good to nine digits of the largest element where the
 * function is smooth.
 *
 * @param f Called twice for each of the numbers; it must not keep what it is given.
 */
export function gradientOf(f: (x: Float64Array) => number, x: ArrayLike<number>): Float64Array {
  const at = Float64Array.from(x);
  return at.map((value, i) => {
    const step = 1e-5 * Math.max(1, Math.abs(value));
    at[i] = value + step;
    const above = f(at);
    at[i] = value - step;
    const below = f(at);
    at[i] = value;
    return (above - below) / (2 * step);
  });
}
