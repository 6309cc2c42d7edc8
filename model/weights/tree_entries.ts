import { entries, mapBranches, type Tensor, type Tree } from "../../core/mod.ts";
import { snakeCase } from "./names.ts";
import type { NamedDtype } from "./safetensors.ts";
import type { WeightEntry } from "./weight_file.ts";

/**
 * A parameter tree as the entries that files of weights are written from, by the state dict's names; each tensor is read
 * from the device when it is asked for.
 *
 * @throws {TypeError} If a linear map has an adapter, which no such file has a place for: merge it first.
 */
export function treeEntries(params: Tree<Tensor>): Map<string, WeightEntry> {
  mapBranches<Tensor>(params, ({ adapter }, path) => {
    if (adapter) {
      throw new TypeError(`The linear map ${snakeCase(path)} has an adapter: merge it into the weight first`);
    }
    return undefined;
  });
  return new Map(
    entries<Tensor>(params).map(([path, tensor]) => {
      const name = snakeCase(path);
      const dtype: NamedDtype = tensor.dtype === "f16" ? "F16" : "F32";
      return [name, {
        name,
        dtype,
        shape: tensor.shape,
        async read(rows) {
          const whole = await tensor.read();
          const width = tensor.size / (tensor.shape[0] || 1);
          const data = rows ? whole.slice(rows.from * width, rows.to * width) : whole;
          const shape = rows ? [rows.to - rows.from, ...tensor.shape.slice(1)] : tensor.shape;
          return { dtype, shape, data: data instanceof Float32Array ? data : new Uint16Array(data.buffer) };
        },
      }];
    }),
  );
}
