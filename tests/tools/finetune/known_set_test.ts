import assert from "node:assert/strict";
import { join } from "node:path";
import { Key } from "../../../core/mod.ts";
import {
  fineTuningLoss,
  initTaskHeads,
  labelHeadConfig,
  type LabelledSample,
  type Pooling,
  strategyOf,
} from "../../../finetune/mod.ts";
import type { AlphaFoldParams } from "../../../model/mod.ts";
import { knownSet, RepresentationCache, representationCache } from "../../../tools/finetune/known_set.ts";
import { targetSet } from "../../../tools/finetune/network.ts";
import { FINETUNE_DEFAULTS, type FinetuneOptions } from "../../../tools/finetune/options.ts";
import { prepareTarget } from "../../../tools/prep/prepare_target.ts";
import { gpuTest } from "../../_gpu.ts";
import { randomParams, smallConfig } from "../../model/alphafold/_network.ts";

const NETWORK = smallConfig();
const configOf = (pooling: Pooling) => ({
  network: NETWORK,
  headInput: strategyOf("head_only", 2).headInput,
  tasks: { affinity: { head: labelHeadConfig(NETWORK.cS, { cZ: NETWORK.cZ, hidden: 6, dropout: 0, pooling }) } },
});
const CONFIG = configOf("mean");

async function targets() {
  const found = [];
  for (const [i, sequence] of ["MKVLAAG", "GHTWYSEQKR"].entries()) {
    const target = await prepareTarget({ id: `p${i}`, sequence });
    found.push({
      id: target.id,
      sequence,
      rows: [{ label: 5 + i }],
      warnings: [],
      load: () => Promise.resolve(target),
    });
  }
  return found;
}

gpuTest(
  "known representations have the network's losses to the bit, also from files, which run no network",
  async (device) => {
    const folder = await Deno.makeTempDir();
    try {
      const all = await targets(), told: string[] = [];
      const options: FinetuneOptions = { ...FINETUNE_DEFAULTS, data: "", weights: "random:1", output: folder };
      const heads = initTaskHeads(device, CONFIG.tasks, Key.fromSeed(5));
      const params = { model: randomParams(device, NETWORK), heads },
        noNetwork = { model: {} as AlphaFoldParams, heads };
      const set = targetSet(device, all, NETWORK, options, 1);
      const cache = (own: Partial<FinetuneOptions> = {}, weights = "SHA-256 " + "0".repeat(64)) =>
        representationCache(
          { weights, preset: "model_1_ptm" },
          CONFIG,
          { ...options, ...own },
          (text) => told.push(text),
        )!;
      const losses = async (load: (index: number) => LabelledSample | Promise<LabelledSample>) => {
        const found: number[] = [];
        for (let i = 0; i < all.length; i++) {
          found.push(await fineTuningLoss(params, [await load(i)], CONFIG).item());
        }
        return found;
      };
      const expected = await losses((i) => set.load(i));
      assert.notEqual(expected[0], expected[1]);
      const first = knownSet(device, params, CONFIG, set, all, cache());
      assert.deepEqual(await losses((i) => first.load(i)), expected);
      assert.deepEqual(await losses((i) => first.load(i)), expected);
      const files = [...Deno.readDirSync(join(folder, "representations"))].map(({ name }) => name).sort();
      assert.equal(files.length, 2);
      const second = knownSet(device, noNetwork, CONFIG, set, all, cache());
      assert.deepEqual(await losses((i) => second.load(i)), expected);
      assert.deepEqual(told, []);

      // A damaged file is told and made anew; one of another network, choice or protein is not taken.
      const path = join(folder, "representations", files[0]);
      const bytes = await Deno.readFile(path);
      const whole = bytes.slice();
      bytes[bytes.length - 9] ^= 4;
      await Deno.writeFile(path, bytes);
      const third = knownSet(device, params, CONFIG, set, all, cache());
      assert.deepEqual(await losses((i) => third.load(i)), expected);
      assert.match(told.join(), /representations.*checksum.*computed anew/);
      assert.deepEqual(await Deno.readFile(path), whole);
      const target = await all[0].load();
      const key = cache().keyOf(target);
      const others = [
        cache({}, "SHA-256 " + "1".repeat(64)).keyOf(target),
        cache({ recycles: 1 }).keyOf(target),
        cache({ fit: { ...options.fit, amp: "f16" } }).keyOf(target),
        cache().keyOf({ ...target, features: { ...target.features, aatype: target.features.aatype.with(0, 1) } }),
      ];
      assert.equal(new Set([key, ...others]).size, 5);
      await Deno.copyFile(
        path,
        new RepresentationCache(join(folder, "representations"), {}, () => {}).pathOf("p0", others[0]),
      );
      assert.equal(await cache().read("p0", others[0]), undefined);
      assert.match(told.join(), /is of another protein, network or version: computed anew/);
      assert.equal(cache({ cache: false }), undefined);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

gpuTest("heads that weigh residues get all of them", async (device) => {
  const all = await targets(), config = configOf("attention");
  const params = { model: randomParams(device, NETWORK), heads: initTaskHeads(device, config.tasks, Key.fromSeed(5)) };
  const set = targetSet(device, all, NETWORK, FINETUNE_DEFAULTS, 1);
  const lossOf = async (sample: LabelledSample) => await fineTuningLoss(params, [sample], config).item();
  const known = knownSet(device, params, config, set, all);
  assert.equal(await lossOf(await known.load(1)), await lossOf(await set.load(1)));
});
