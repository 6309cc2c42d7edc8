import assert from "node:assert/strict";
import { type ComplexAtoms, dockQ } from "../../../../model/protein/metrics/mod.ts";

/** Two chains of three residues, backbones in the plane of y and z, the second `apart` Å along x. */
function complex(apart: number, missing: readonly number[] = []): ComplexAtoms {
  const positions = new Float64Array(6 * 37 * 3), mask = new Float32Array(6 * 37);
  for (let i = 0; i < 6; i++) {
    for (const [slot, y, z] of [[0, 0, 0], [1, 1, 0], [2, 0, 1], [4, 1, 1]]) {
      const at = i * 37 + slot;
      mask[at] = Number(!missing.includes(i));
      positions.set([i < 3 ? 0 : apart, 6 * (i % 3) + y, z], 3 * at);
    }
  }
  return { positions, mask };
}

const A = { start: 0, residues: 3 }, B = { start: 3, residues: 3 };
const near = (found: number, expected: number) =>
  assert.ok(Math.abs(found - expected) <= 1e-12, `${found}, ${expected}`);

Deno.test("dockQ() of chains drawn apart along the line between them is what the formula says", () => {
  // Superposed as a whole each chain is off by half the way; superposed by one chain the other is off by all of it.
  for (const [way, fnat] of [[0, 1], [0.5, 1], [2, 0]]) {
    for (const [a, b] of [[A, B], [B, A]]) {
      const found = dockQ(complex(4 + way), complex(4), a, b)!;
      assert.deepEqual([found.contacts, found.fnat], [3, fnat]);
      near(found.iRmsd, way / 2);
      near(found.lRmsd, way);
      near(found.dockq, (fnat + 1 / (1 + (way / 2 / 1.5) ** 2) + 1 / (1 + (way / 8.5) ** 2)) / 3);
    }
  }
});

Deno.test("dockQ() takes the atoms that both have; chains that do not touch, or are not known, have none", () => {
  const found = dockQ(complex(6), complex(4, [1]), A, B)!;
  assert.deepEqual([found.contacts, found.fnat], [2, 0]);
  assert.equal(dockQ(complex(4), complex(5.5), A, B), null);
  assert.equal(dockQ(complex(4), complex(4, [3, 4, 5]), A, B), null);
  // The longer chain is superposed: of the shorter, turned by half about the line that its middle has along x, each atom is
  // off by twice its distance from there.
  const whole = complex(4), turned = whole.positions.slice();
  for (let k = 5 * 37 * 3; k < turned.length; k++) {
    turned[k] = k % 3 === 0 ? turned[k] : (k % 3 === 1 ? 25 : 1) - turned[k];
  }
  const [long, short] = [{ start: 0, residues: 5 }, { start: 5, residues: 1 }];
  for (const [a, b] of [[long, short], [short, long]]) {
    near(dockQ({ ...whole, positions: turned }, whole, a, b)!.lRmsd, Math.SQRT2);
  }
});
