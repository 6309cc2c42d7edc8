import assert from "node:assert/strict";
import { networkSample, targetSet } from "../../../tools/finetune/network.ts";
import { FINETUNE_DEFAULTS } from "../../../tools/finetune/options.ts";
import { prepareTarget } from "../../../tools/prep/prepare_target.ts";
import { gpuTest } from "../../_gpu.ts";
import { smallConfig } from "../../model/alphafold/_network.ts";

const NETWORK = smallConfig();
const CROP = 9;
const OPTIONS = { ...FINETUNE_DEFAULTS, tasks: ["structure", "residue-regression"] as const, crop: CROP, recycles: 1 };

gpuTest("training sees a part of a long protein and what is true of it, another in each epoch", async (device) => {
  const target = await prepareTarget({ id: "1znf", structure: "examples/zinc_fingers/1znf.cif" });
  const { sequence: { length }, supervised, features } = target;
  assert(length > CROP);
  const buried = Array.from({ length }, (_, i) => i);
  const set = targetSet(
    device,
    [{ ...target, rows: [{ labels: { buried, affinity: [5] } }], load: () => Promise.resolve(target) }],
    NETWORK,
    OPTIONS,
    1,
  );
  assert.equal(set.residues!(0), CROP);
  const starts = new Set<number>();
  for (const draw of [0, 1, 2, 3]) {
    using _ = device.scope("draw");
    const { input, labels, residues } = await set.load(0, draw) as {
      input: ReturnType<typeof networkSample>;
      labels: readonly Record<string, readonly number[]>[];
      residues: number;
    };
    const start = (await input.features.residueIndex.read())[0];
    starts.add(start);
    assert.equal(residues, CROP);
    assert.deepEqual(labels, [{ buried: buried.slice(start, start + CROP), affinity: [5] }]);
    const part = features.aatype.slice(start, start + CROP);
    assert.deepEqual([...(await input.features.aatype.read()).slice(0, CROP)], [...part]);
    const [earlier] = input.before as unknown as (typeof input.features)[];
    assert.deepEqual([...(await earlier.aatype.read()).slice(0, CROP)], [...part]);
    const { truth, hidden } = input;
    assert.deepEqual(
      [...(await truth!.allAtomPositions.read()).slice(0, CROP * 37 * 3)],
      [...supervised!.all_atom_positions.slice(start * 37 * 3, (start + CROP) * 37 * 3)],
    );
    assert((await truth!.allAtomMask.read()).slice(CROP * 37).every((x) => x === 0));
    assert.equal(await truth!.seqLength.item(), length);
    assert.equal(hidden!.trueMsa.shape.at(-1), input.features.aatype.shape[1]);
  }
  assert(starts.size > 1);
  const whole = networkSample(device, target, NETWORK, OPTIONS, 1);
  assert.deepEqual([...(await whole.features.aatype.read()).slice(0, length)], [...features.aatype]);
});
