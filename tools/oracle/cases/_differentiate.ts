import { type Device, entries, pullback, type Shape, type Tensor, type Tree } from "../../../core/mod.ts";
import { camelCase, snakeCase } from "../../../model/weights/names.ts";
import type { Results } from "../family.ts";
import type { Golden } from "../golden.ts";

/** What a case is differentiated with respect to. */
export interface Primals<P> {
  /** Parameter tree; its paths are the golden names in camelCase. */
  readonly params: P;
  /** Inputs by golden name. */
  readonly inputs: Readonly<Record<string, Tensor>>;
}

/**
 * Runs a function and its way back, and reads everything: outputs as `out/`, gradients as `grad_param/` and `grad_in/`.
 *
 * @param f Outputs by golden name.
 * @param scalar The output whose gradient is taken. Without it gradients are those of Σ out · cot over the cotangents
 * that the case has.
 */
export async function differentiate<P extends Tree<Tensor>>(
  device: Device,
  golden: Golden,
  primals: Primals<P>,
  f: (primals: Primals<P>) => Record<string, Tensor>,
  scalar?: string,
): Promise<Results> {
  const back = pullback<Primals<P>, Record<string, Tensor>>(device, f, primals);
  const results: Results = new Map();
  for (const [name, out] of Object.entries(back.output)) results.set(`out/${name}`, await out.read());
  const cotangents = Object.entries(back.output).map(([name, { shape }]) => {
    if (scalar) return name === scalar ? device.tensor([1], shape) : device.zeros(shape);
    return golden.has(`cot/${name}`) ? device.tensor(golden.data(`cot/${name}`), shape) : device.zeros(shape);
  });
  const grads = back.pullLeaves(cotangents);
  const paths = entries<Tensor>({ params: primals.params, inputs: primals.inputs });
  for (const [i, [path]] of paths.entries()) {
    const [kind, ...rest] = path.split(".");
    const name = kind === "params" ? `grad_param/${snakeCase(rest.join("."))}` : `grad_in/${rest.join(".")}`;
    const grad = grads[i];
    if (grad) results.set(name, await grad.read());
  }
  return results;
}

/** An input of a case on the device. */
export function input(device: Device, golden: Golden, name: string, dtype: "f32" | "i32" = "f32"): Tensor {
  return device.tensor(golden.data(`in/${name}`), golden.shape(`in/${name}`), dtype);
}

/**
 * Numbers of a parameter by its path in a tree.
 *
 * @throws {TypeError} If the case has no such parameter or one of another shape.
 */
export function parameter(golden: Golden, path: string, shape: Shape): Float32Array {
  const name = `param/${snakeCase(path)}`;
  if (golden.shape(name).join() !== shape.join()) {
    throw new TypeError(`${name} is [${golden.shape(name)}], the model with this config has [${shape}]`);
  }
  return golden.data(name);
}

/**
 * A tree of all parameters of a case, each checked against the shape it should have.
 *
 * @throws {TypeError} If names or shapes differ.
 */
export function parameterTree(device: Device, golden: Golden, shapes: ReadonlyMap<string, Shape>): Tree<Tensor> {
  checkParameterNames(golden, shapes);
  const tree: Record<string, unknown> = {};
  for (const [path, shape] of shapes) {
    const keys = path.split(".");
    const last = keys.pop()!;
    const branch = keys.reduce((node, key) => (node[key] ??= {}) as Record<string, unknown>, tree);
    branch[last] = device.tensor(parameter(golden, path, shape), shape);
  }
  return tree as Tree<Tensor>;
}

/** @throws {TypeError} If the case has a parameter that the model lacks. */
export function checkParameterNames(golden: Golden, shapes: ReadonlyMap<string, Shape>): void {
  const extra = golden.names("param/").find((name) => !shapes.has(camelCase(name)));
  if (extra) throw new TypeError(`the golden case has a parameter ${extra} that the model lacks`);
}
