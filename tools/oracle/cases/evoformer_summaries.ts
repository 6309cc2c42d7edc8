import { compare, type Comparison } from "../compare.ts";
import { recordOf } from "../golden.ts";
import type { Results } from "../family.ts";

/** Parts of a gradient's norm within which its sum and its norm must lie: the description states no tolerance. */
const OF_NORM = 1e-4;

/**
 * Compares gradients with what a description has instead of them: sum, Euclidean norm and first eight numbers, by
 * parameter name.
 */
export function compareSummaries(
  summaries: Readonly<Record<string, unknown>>,
  results: Results,
  largestGradient: number,
): Comparison[] {
  return Object.entries(summaries).flatMap(([name, summary]) => {
    const { sum, l2, first8 } = recordOf(summary);
    if (typeof sum !== "number" || typeof l2 !== "number" || !Array.isArray(first8)) {
      throw new SyntaxError(`the summary of the gradient of ${name} must have the numbers sum, l2 and first8`);
    }
    const tensor = `grad_param/${name}`;
    const grad = results.get(tensor);
    let total = 0, squares = 0;
    for (const x of Array.from(grad ?? [NaN])) [total, squares] = [total + x, squares + x * x];
    const bound = { rtol: 0, atol: OF_NORM * l2, atolOfMax: 0 };
    const each = { rtol: 1e-3, atol: 0, atolOfMax: 1e-4 };
    return [
      compare(`${tensor} (sum, norm)`, [total, Math.sqrt(squares)], [sum, l2], bound),
      compare(tensor, grad && Array.from(grad).slice(0, first8.length), first8.map(Number), each, {
        floor: 1e-6 * largestGradient,
      }),
    ];
  });
}
