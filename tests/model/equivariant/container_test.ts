import assert from "node:assert/strict";
import { sidechainContainer } from "../../../model/equivariant/mod.ts";
import { ATOM14_EXISTS, ATOM14_SLOTS } from "../../../model/protein/residue_constants.ts";
import { assertClose, gpuTest } from "../../_gpu.ts";

/** Two residues, their N, CA and C at the distances and angles of peptides. */
const BACKBONE = [
  ...[-0.525, 1.363, 0, 0, 0, 0, 1.526, 0, 0],
  ...[2.149, -1.156, 0.2, 3.6, -1.3, 0.3, 4.3, 0, 0.9],
];

const distance = (atoms: ArrayLike<number>, i: number, j: number) =>
  Math.hypot(...[0, 1, 2].map((k) => atoms[3 * i + k] - atoms[3 * j + k]));

gpuTest(
  "O is bent to CA by 120° and opposite to the next N; all heavy atoms are placed where residues are known",
  async (device) => {
    const backbone = device.tensor(BACKBONE, [1, 6, 3]);
    const atoms = await sidechainContainer(backbone, { oxygen: true }).read();
    assertClose([distance(atoms, 2, 3)], [1.229], { rtol: 1e-4 });
    const angle = Math.acos((1.526 ** 2 + 1.229 ** 2 - distance(atoms, 1, 3) ** 2) / (2 * 1.526 * 1.229));
    assertClose([angle], [2.0944], { rtol: 1e-3 });
    const next = BACKBONE.slice(9, 12);
    assert(Math.hypot(...next.map((x, k) => x - atoms[9 + k])) > 2.1, "O is not opposite to the next N");
    assertClose(atoms.subarray(4 * 3, 5 * 3), BACKBONE.slice(6, 9), {}, "what is not known lies on C");

    const types = [17, 7]; // tryptophan, glycine
    const all = await sidechainContainer(backbone, { oxygen: true, aatype: device.tensor(types, [1, 2], "i32") })
      .read();
    assertClose(all.subarray(0, 12), atoms.subarray(0, 12));
    for (let k = 4; k < 2 * ATOM14_SLOTS; k++) {
      const [residue, slot] = [Math.floor(k / ATOM14_SLOTS), k % ATOM14_SLOTS];
      if (slot < 4) continue;
      const there = ATOM14_EXISTS[types[residue] * ATOM14_SLOTS + slot] > 0;
      assert.equal(all.subarray(3 * k, 3 * k + 3).some((x) => x !== 0), there, `residue ${residue}, slot ${slot}`);
    }
    assertClose([distance(all, 1, 4)], [1.53], { rtol: 0.02 }, "CA to CB");
  },
);
