/** Weights drawn at random, for tests, plans and teaching: no structure that they predict means anything. */
import { fnv1a } from "../../core/fnv1a.ts";
import type { NamedArray } from "../../model/weights/safetensors.ts";
import { countOf, type WeightEntry } from "../../model/weights/weight_file.ts";

/** Endings of names of matrices that add to a residual: half as wide, so that activations do not grow with depth. */
const HALVED = /(linear_o|linear_2|linear_out|linear_z|bb_update\.linear)\.weight$/;

/**
 * Parameters of a network drawn by a hash of seed, name and place: matrices of variance one over the number of inputs,
 * scales around one, all else around zero. The same seed gives the same numbers everywhere.
 *
 * @param shapes By OpenFold's names.
 */
export function randomWeights(shapes: ReadonlyMap<string, readonly number[]>, seed: number): Map<string, WeightEntry> {
  const entries = new Map<string, WeightEntry>();
  for (const [name, shape] of shapes) {
    const draw = () => drawn(`${seed}/${name}`, countOf(shape), ...spreadOf(name, shape));
    entries.set(name, {
      name,
      dtype: "F32",
      shape,
      read(rows) {
        const data = draw();
        if (!rows) return Promise.resolve<NamedArray>({ dtype: "F32", shape, data });
        const width = data.length / shape[0];
        const part = data.slice(rows.from * width, rows.to * width);
        return Promise.resolve<NamedArray>({
          dtype: "F32",
          shape: [rows.to - rows.from, ...shape.slice(1)],
          data: part,
        });
      },
    });
  }
  return entries;
}

/** Standard deviation and mean of a parameter. */
function spreadOf(name: string, shape: readonly number[]): [deviation: number, mean: number] {
  if (shape.length < 2) return [0.1, name.includes("norm") && name.endsWith("weight") ? 1 : 0];
  return [(HALVED.test(name) ? 0.5 : 1) / Math.sqrt(shape[1]), 0];
}

/** Evenly distributed numbers by a 32-bit hash of their place. */
function drawn(name: string, count: number, deviation: number, mean: number): Float32Array<ArrayBuffer> {
  const seed = fnv1a(name);
  const out = new Float32Array(count);
  const scale = deviation * Math.sqrt(12);
  for (let i = 0; i < count; i++) {
    let x = Math.imul(i ^ seed, 0x9e3779b1) + seed | 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    x ^= x >>> 16;
    out[i] = ((x >>> 0) / 2 ** 32 - 0.5) * scale + mean;
  }
  return out;
}
