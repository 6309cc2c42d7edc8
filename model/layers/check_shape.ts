import type { Tensor } from "../../core/mod.ts";

/**
 * Refuses a tensor of another shape, without elements, or of another kind of numbers.
 *
 * @param of What it is given to.
 * @param name What it is called there.
 * @param expected Sizes of the axes; a name stands for an axis of any size, the same name for the same size.
 * @param kind Whole numbers, or floats of either width. @default "f32"
 * @throws {TypeError} If the shape does not match: which tensor, which axis, given and expected.
 */
export function checkShape(
  of: string,
  name: string,
  tensor: Tensor,
  expected: readonly (number | string)[],
  kind: "f32" | "i32" = "f32",
): void {
  const { shape, dtype } = tensor;
  const sizes = new Map<string, number>();
  const wrong = expected.findIndex((size, axis) => {
    if (typeof size === "number") return shape[axis] !== size;
    if (!sizes.has(size)) sizes.set(size, shape[axis]);
    return sizes.get(size) !== shape[axis];
  });
  const empty = shape.findIndex((size) => size === 0);
  const problem = shape.length !== expected.length
    ? `it has ${shape.length} axes instead of ${expected.length}`
    : wrong >= 0
    ? `axis ${wrong} is ${shape[wrong]} instead of ${sizes.get(`${expected[wrong]}`) ?? expected[wrong]}`
    : empty >= 0
    ? `axis ${empty} is 0, expected at least 1`
    : dtype !== kind && !(kind === "f32" && dtype === "f16")
    ? `its numbers are ${dtype} instead of ${kind}`
    : undefined;
  if (!problem) return;
  throw new TypeError(
    `Cannot run ${of}: ${name} must be [${expected.join(", ")}], it is ${dtype} [${shape.join(", ")}]: ${problem}`,
  );
}

/** What most modules may be given besides the representation they read. */
interface Besides {
  readonly mask?: Tensor;
  readonly residual?: Tensor;
}

/**
 * {@linkcode checkShape} of a representation `[batch, I, J, c]`, a mask `[batch, I, J]` and a residual like it.
 *
 * @param name What the representation is called.
 * @param axes Names of the axes I and J; the same name where they are equal.
 */
export function checkRepresentation(
  of: string,
  name: string,
  x: Tensor,
  [I, J]: readonly [string, string],
  c: number,
  besides: Besides = {},
): void {
  checkShape(of, name, x, ["batch", I, J, c]);
  const [batch, rows, columns] = x.shape;
  if (besides.mask) checkShape(of, "mask", besides.mask, [batch, rows, columns]);
  if (besides.residual) checkShape(of, "residual", besides.residual, [batch, rows, columns, c]);
}
