import assert from "node:assert/strict";
import { entries, Key, pullback, type Tensor, type Tree } from "../../../core/mod.ts";
import {
  endToEnd,
  endToEndConfig,
  endToEndLoss,
  type EndToEndParams,
  initEndToEnd,
  trunk2021Config,
} from "../../../model/trunk2021/mod.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";

const TRUNK = trunk2021Config({ dim: 8, depth: 1, heads: 2, dimHead: 4, maxSeqLen: 15, maxNumMsa: 3, numEmbedds: 2 });
const SMALL = { dim: 4, depth: 1, heads: 2, dimHead: 2, neighbors: 5 };

for (
  const [refiner, atoms] of [["egnn", "heavy"], ["se3", "backbone"], ["lie", "backbone"], ["none", "backbone"]] as const
) {
  gpuTest(
    `a structure has gradients for trunk and refiner, and padding changes nothing: ${refiner}`,
    async (device) => {
      const config = endToEndConfig(TRUNK, { refiner, atoms, ...SMALL });
      const params = initEndToEnd(device, config, Key.fromSeed(1));
      const types = [0, 7, 12, 3]; // alanine, glycine, methionine, aspartic acid
      const truth = randomArray(5 * 14 * 3, 2).map((x) => 8 * x);
      const run = (length: number) => {
        const inputs = {
          seq: device.tensor([...types, 5].slice(0, length), [1, length], "i32"),
          mask: device.tensor([1, 1, 1, 1, 0].slice(0, length), [1, length]),
        };
        const known = Float32Array.from({ length: length * 14 }, (_, k) => k < 4 * 14 ? 1 : 0);
        const true_ = {
          atoms: device.tensor(truth.subarray(0, length * 42), [1, length, 14, 3]),
          known: device.tensor(known, [1, length, 14]),
        };
        return pullback<EndToEndParams, Tensor>(
          device,
          (params) => endToEndLoss(endToEnd(params, inputs, config), true_).loss,
          params,
        );
      };
      const back = run(4);
      const loss = await back.output.item();
      assert(Number.isFinite(loss) && loss > 0, `${loss}`);
      const grads = entries<Tensor>(back.pull([device.tensor([1], back.output.shape)]) as Tree<Tensor>);
      const moved = async (path: RegExp) => {
        const own = grads.filter(([name]) => path.test(name));
        const numbers = (await Promise.all(own.map(([, grad]) => grad.read()))).flatMap((data) => [...data]);
        assert(numbers.every(Number.isFinite), `${path}`);
        return numbers.some((x) => x !== 0);
      };
      assert(await moved(/^tokenEmb/), "the trunk learns nothing");
      assert.equal(await moved(/^refiner/), refiner !== "none");
      if (refiner === "lie") return; // its orientations are drawn for all atoms, padding too
      const padded = run(5);
      assertClose([await padded.output.item()], [loss], { rtol: 1e-3 });
      padded.dispose();
    },
  );
}
