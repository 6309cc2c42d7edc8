import assert from "node:assert/strict";
import { Key } from "../../../core/mod.ts";
import { alphafoldConfig, initAlphaFold } from "../../../model/alphafold/mod.ts";
import { addMultimerTemplatePairs, type MultimerTemplateEmbedderParams } from "../../../model/multimer/mod.ts";
import { gpuTest } from "../../_gpu.ts";
import { SMALL } from "../../tools/predict/_small.ts";

gpuTest("places without a template, however many, tell a complex what one of them does", async (device) => {
  const config = alphafoldConfig("model_1_multimer_v3", SMALL), n = 6;
  const { templateEmbedder } = initAlphaFold(device, config, Key.fromSeed(1));
  const z = device.tensor(Float32Array.from({ length: n * n * config.cZ }, (_, i) => Math.sin(i)), [
    1,
    n,
    n,
    config.cZ,
  ]);
  const asymId = device.tensor(Int32Array.of(1, 1, 1, 2, 2, 2), [1, n], "i32");
  const told = async (places: number) => {
    const zeros = (...shape: number[]) => {
      const all = [1, places, n, ...shape];
      return device.tensor(new Float32Array(all.reduce((a, b) => a * b)), all);
    };
    const features = {
      aatype: device.tensor(new Int32Array(places * n), [1, places, n], "i32"),
      mask: device.tensor(new Float32Array(places), [1, places]),
      allAtomPositions: zeros(37, 3),
      allAtomMask: zeros(37),
      pseudoBeta: zeros(3),
      pseudoBetaMask: zeros(),
      torsionAnglesSinCos: zeros(7, 2),
      altTorsionAnglesSinCos: zeros(7, 2),
      torsionAnglesMask: zeros(7),
    };
    return await addMultimerTemplatePairs(
      templateEmbedder as MultimerTemplateEmbedderParams,
      z,
      features,
      asymId,
      config.templates!,
    )
      .read();
  };
  const one = await told(1);
  assert.notDeepEqual(one, await z.read());
  assert.deepEqual(await told(4), one);
});
