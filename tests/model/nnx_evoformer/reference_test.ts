import assert from "node:assert/strict";
import { entries, Key, mapLeaves, pullback, type Tensor } from "../../../core/mod.ts";
import {
  initNnxEvoformer,
  nnxEvoformerBlock,
  nnxEvoformerConfig,
  type NnxEvoformerParams,
} from "../../../model/nnx_evoformer/mod.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";
import { referenceBlock } from "./_reference.ts";

/** Elements of each parameter and input whose gradient is compared. */
const PICKS = 4;
const H = 1e-5;

const CASES = [
  { batch: 2, nSeq: 3, nRes: 4, cM: 7, cZ: 5, nHead: 2, headDim: 3, triangleDim: 6, outerProductDim: 3, seed: 11 },
  { batch: 1, nSeq: 1, nRes: 5, cM: 4, cZ: 9, nHead: 3, headDim: 4, triangleDim: 5, outerProductDim: 2, seed: 12 },
  { batch: 1, nSeq: 6, nRes: 1, cM: 5, cZ: 6, nHead: 1, headDim: 8, triangleDim: 3, outerProductDim: 4, seed: 13 },
];

for (const { batch, nSeq, nRes, seed, ...channels } of CASES) {
  const { cM, cZ } = channels;
  const name = `batch ${batch}, ${nSeq} sequences, ${nRes} residues, ${cM} and ${cZ} channels`;
  gpuTest(`the block and its gradients are those of a plain float64 reference: ${name}`, async (device) => {
    const config = nnxEvoformerConfig({ ...channels, transitionN: 2 });
    const numbers = new Map<string, Float64Array>();
    const shake = (tensor: Tensor, path: string): Tensor => {
      const centre = tensor.shape.length === 1 ? 0.5 : 0, spread = 1.5 / Math.sqrt(tensor.shape.at(-1)!);
      const data = randomArray(tensor.size, 1000 * seed + numbers.size).map((x) => centre + spread * x);
      numbers.set(path, Float64Array.from(data));
      device.write(tensor, data);
      return tensor;
    };
    const params = mapLeaves<Tensor, NnxEvoformerParams>(initNnxEvoformer(device, config, Key.fromSeed(seed)), shake);
    const shapes = { msa: [batch, nSeq, nRes, cM], pairs: [batch, nRes, nRes, cZ] };
    const inputs = {
      msa: shake(device.tensor(new Float32Array(batch * nSeq * nRes * cM), shapes.msa), "in.msa"),
      pairs: shake(device.tensor(new Float32Array(batch * nRes * nRes * cZ), shapes.pairs), "in.pairs"),
    };
    const expected = () => {
      const part = (x: Float64Array, b: number) => x.subarray(b * x.length / batch, (b + 1) * x.length / batch);
      const find = (path: string) => numbers.get(path)!;
      const each = Array.from(
        { length: batch },
        (_, b) => referenceBlock(find, part(find("in.msa"), b), part(find("in.pairs"), b), { nSeq, nRes, ...channels }),
      );
      const joined = (key: "msa" | "pairs") => each.flatMap((one) => [...one[key]]);
      return { msa: joined("msa"), pairs: joined("pairs") };
    };
    const primals = { params, inputs };
    const { output, pull } = pullback(
      device,
      (x: typeof primals) => nnxEvoformerBlock(x.params, x.inputs, config),
      primals,
    );
    const wanted = expected();
    assertClose(await output.msa.read(), wanted.msa, { rtol: 1e-4, atol: 1e-4 }, "msa");
    assertClose(await output.pairs.read(), wanted.pairs, { rtol: 1e-4, atol: 1e-4 }, "pairs");
    const cotangents = { msa: randomArray(wanted.msa.length, 77), pairs: randomArray(wanted.pairs.length, 78) };
    const value = () => {
      const { msa, pairs } = expected();
      const dot = (x: number[], y: Float32Array) => x.reduce((sum, v, i) => sum + v * y[i], 0);
      return dot(msa, cotangents.msa) + dot(pairs, cotangents.pairs);
    };
    const grads = pull([device.tensor(cotangents.msa, shapes.msa), device.tensor(cotangents.pairs, shapes.pairs)]);
    const found = new Map<string, Float32Array>();
    for (const [path, grad] of entries<Tensor>(grads as never)) {
      const name = path.replace(/^params\./, "").replace(/^inputs\./, "in.");
      found.set(name, Float32Array.from(await grad.read()));
    }
    assert.deepEqual([...found.keys()].sort(), [...numbers.keys()].sort());
    for (const [path, data] of numbers) {
      const grad = found.get(path)!;
      const largest = grad.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-2);
      for (let pick = 0; pick < Math.min(PICKS, data.length); pick++) {
        const i = Math.floor((pick + 0.37) * data.length / PICKS) % data.length;
        const before = data[i];
        data[i] = before + H;
        const up = value();
        data[i] = before - H;
        const slope = (up - value()) / (2 * H);
        data[i] = before;
        assertClose([grad[i]], [slope], { rtol: 1e-3, atol: 5e-4 * largest }, `gradient of ${path}[${i}]`);
      }
    }
  });
}
