/** Mixed precision as packed storage: what is frozen and what is kept in 16 bits, all sums in 32. */
import { mapTree, type Part, type Tensor, type Tree } from "../core/mod.ts";
import { snakeCase } from "../model/weights/names.ts";
import { heldAs } from "../model/weights/load_weights.ts";
import { cast } from "../ops/mod.ts";
import type { FineTunedParams } from "./fine_tuned.ts";
import { isAdapter } from "./lora.ts";

/**
 * What a strategy freezes, the matrices of blocks as packed 16-bit floats: half of the memory of nearly all of it. Which
 * ones these are is that of weights loaded in 16 bits. Kernels load them as they are, and sum in f32.
 *
 * Measured: docs/mixed_precision.md.
 *
 * @param frozen The second part of `trainedPart`; it stays as it is.
 * @returns Matrices are new, owned by the current scope; the other tensors, and matrices in 16 bits, are those given.
 */
export function packFrozen(frozen: Part<Tensor, FineTunedParams>): Part<Tensor, FineTunedParams> {
  return mapTree<Tensor, Tensor>(frozen as Tree<Tensor>, (tensor, path) => {
    const isPacked = !isAdapter(path) && heldAs(snakeCase(path), tensor.shape, "f16") === "f16";
    return isPacked ? cast(tensor, "f16") : tensor;
  }) as Part<Tensor, FineTunedParams>;
}
