import { type Shape, sizeOf } from "../../../core/mod.ts";
import { loadTinyOpenFold, type TinyOpenFoldConfig, tinyOpenFoldShapes } from "../../../model/tiny_openfold/mod.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import type { Family, Results } from "../family.ts";
import type { Golden } from "../golden.ts";
import { configOf, runModel } from "./tiny_openfold.ts";

/** Where a version keeps the rows of one of our matrices. */
interface Packed {
  /** Name of its matrix. */
  readonly name: string;
  /** Its row for one of ours. */
  row(own: number): number;
}

/**
 * The program's second version stacks matrices: all of q, all of k, all of v. The third stacks those of every head.
 * Parameters that stand under their own names are taken as they are.
 */
function locate(golden: Golden, config: TinyOpenFoldConfig, name: string, shape: Shape, byHead: boolean): Packed {
  if (golden.has(`param/${name}`)) return { name, row: (own) => own };
  const qkv = /^(.*)\.([qkv])_proj\.weight$/.exec(name);
  if (qkv) {
    const heads = /\.msa_/.test(name) ? config.nHeadsMsa : config.nHeadsPair;
    const size = byHead ? shape[0] / heads : shape[0];
    const part = "qkv".indexOf(qkv[2]);
    return { name: `${qkv[1]}.qkv_proj.weight`, row: (own) => stacked(own, size, part, 3) };
  }
  const side = /^(.*)\.(left|right)_(proj|gate)\.weight$/.exec(name);
  if (!side) return { name, row: (own) => own };
  const part = side[2] === "left" ? 0 : 1;
  return { name: `${side[1]}.left_right_${side[3]}.weight`, row: (own) => stacked(own, shape[0], part, 2) };
}

/** Row of a stack in which every `size` rows of each of several matrices alternate. */
function stacked(own: number, size: number, part: number, parts: number): number {
  return (Math.floor(own / size) * parts + part) * size + own % size;
}

/** Layer normalizations without shift, and without one that is never used anyway. */
function isLeftOut(name: string): boolean {
  return /\.bias$/.test(name) || /\.pair_norm_outer\./.test(name);
}

function variant(prefix: string, source: RegExp, byHead: boolean): Family {
  return {
    prefix,
    matches: (golden) => source.test(golden.source),
    async run(device, golden) {
      const config = configOf(golden);
      const params = loadTinyOpenFold(device, config, (path, shape) => {
        const name = snakeCase(path);
        const packed = locate(golden, config, name, shape, byHead);
        if (!golden.has(`param/${packed.name}`) && isLeftOut(name)) return new Float32Array(sizeOf(shape));
        const data = golden.data(`param/${packed.name}`), width = sizeOf(shape) / shape[0];
        return Float32Array.from(
          { length: sizeOf(shape) },
          (_, k) => data[packed.row(Math.floor(k / width)) * width + k % width],
        );
      });
      const results = await runModel(device, golden, params, config);
      for (const [path, shape] of tinyOpenFoldShapes(config)) {
        pack(golden, results, snakeCase(path), shape, locate(golden, config, snakeCase(path), shape, byHead));
      }
      return results;
    },
  };
}

/** Puts a gradient where the version keeps it. */
function pack(golden: Golden, results: Results, name: string, shape: Shape, packed: Packed): void {
  const to = `grad_param/${packed.name}`, grad = results.get(`grad_param/${name}`);
  if (packed.name === name || !grad || !golden.has(to)) return;
  const width = sizeOf(shape) / shape[0];
  const all = Float32Array.from(results.get(to) ?? golden.data(to).map(() => NaN));
  for (let k = 0; k < grad.length; k++) all[packed.row(Math.floor(k / width)) * width + k % width] = grad[k];
  results.set(to, all);
}

/** The later versions of the same model, which keep its parameters in other forms. */
export const TINY_OPENFOLD_VARIANTS: readonly Family[] = [
  variant("tof_v2_full_model", /TinyOpenFold\/version2/, false),
  variant("tof_v3_full_model", /TinyOpenFold\/version3/, true),
];
