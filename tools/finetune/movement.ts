/** How far training moved each module. */
import { entries, type Tensor, type Tree } from "../../core/mod.ts";
import { readTree } from "../../finetune/_flat.ts";
import { type FineTunedParams, isAdapter } from "../../finetune/mod.ts";
import { snakeCase } from "../../model/weights/names.ts";
import { type Adapter, mergedWeight } from "../../ops/mod.ts";

/** How far a module moved. */
export interface Movement {
  /** Name of the module in the state dict. */
  readonly name: string;
  /** Numbers that were trained. */
  readonly parameters: number;
  /** Length of the change over the length of what was there; of adapters that of the weights that they change. */
  readonly relative: number;
}

/** The trained numbers as they are now, to be compared with later ones. */
export type TrainedNumbers = ReadonlyMap<string, Float32Array>;

/** Reads what is trained. */
export async function trainedNumbers(trained: Tree<Tensor>): Promise<TrainedNumbers> {
  const numbers = await readTree(trained);
  return new Map([...numbers].map(([path, values]) => [path, values.slice()]));
}

/**
 * Compares trained parameters with what they were, what moved most first.
 *
 * @param start What they were.
 * @param params All parameters as they are now.
 */
export async function movements(start: TrainedNumbers, params: FineTunedParams): Promise<Movement[]> {
  const tensors = new Map(entries<Tensor>(params));
  const modules = Map.groupBy(start.keys(), moduleOf);
  const found: Movement[] = [];
  for (const [module, paths] of modules) {
    let change = 0, before = 0, parameters = 0;
    for (const path of paths) {
      parameters += start.get(path)!.length;
      if (isAdapter(path)) continue;
      const now = await tensors.get(path)!.read() as Float32Array;
      [change, before] = [change + squaredDistance(now, start.get(path)!), before + squaredDistance(start.get(path)!)];
    }
    const weight = tensors.get(`${module}.weight`);
    if (weight && paths.some(isAdapter)) {
      using _ = weight.device.scope("movement");
      const numbers = (await weight.read() as Float32Array).slice();
      const merged = await mergedWeight({ weight, adapter: adapterOf(params, module) }).read() as Float32Array;
      [change, before] = [change + squaredDistance(merged, numbers), before + squaredDistance(numbers)];
    }
    found.push({ name: snakeCase(module), parameters, relative: Math.sqrt(change / before) });
  }
  return found.sort((a, b) => b.relative - a.relative);
}

/** Path of the module that a parameter belongs to; an adapter belongs to its map's. */
function moduleOf(path: string): string {
  return path.replace(isAdapter(path) ? /\.adapter\.\w+$/ : /\.\w+$/, "");
}

/** The adapter of a linear map, by the map's path: a walk that the tree's type does not know. */
function adapterOf(params: FineTunedParams, module: string): Adapter {
  type Branch = { readonly [key: string]: Branch } & { readonly adapter: Adapter };
  return module.split(".").reduce((branch, part) => branch[part], params as unknown as Branch).adapter;
}

function squaredDistance(a: Float32Array, b?: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - (b ? b[i] : 0)) ** 2;
  return sum;
}
