import { defineOp, elementGrid, type Tensor } from "../../../core/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { ATOM14_SLOTS } from "../../protein/residue_constants.ts";
import { ATOM_SLOTS } from "../../protein/residues.ts";
import { atom37Kernel, atom37VjpKernel } from "./atom14_to_atom37.wgsl.ts";

type Inputs = { readonly narrow: Tensor; readonly slot: Tensor; readonly exists: Tensor };

const op = defineOp<Inputs, "slot" | "exists">({
  name: "atom14ToAtom37",
  needs: { narrow: ["slot", "exists"] },
  forward({ narrow, slot, exists }, _, { device }) {
    const positions = device.empty([...slot.shape, 3]);
    device.run(atom37Kernel, {
      bindings: { narrow, slot, exists, positions },
      uniforms: { n: slot.size, narrow: ATOM14_SLOTS, wide: ATOM_SLOTS },
      grid: elementGrid(slot.size, 64),
      flops: 3 * slot.size,
    });
    return { out: positions };
  },
  vjp({ device, inputs, shapes, wanted }, d) {
    if (!wanted.narrow) return {};
    const dNarrow = device.empty(shapes.narrow);
    const n = dNarrow.size / 3;
    device.run(atom37VjpKernel, {
      bindings: { d, ...inputs, dNarrow },
      uniforms: { n, narrow: ATOM14_SLOTS, wide: ATOM_SLOTS },
      grid: elementGrid(n, 64),
      flops: 2 * d.size,
    });
    return { narrow: dNarrow };
  },
});

/**
 * Positions under the 37 names of atoms, from those in the 14 slots of a residue type.
 *
 * @param positions `[batch, N_res, 14, 3]`.
 * @param slots Slot of each name, i32 `[batch, N_res, 37]` (the feature `residx_atom37_to_atom14`).
 * @param exists 1 where the residue type has the atom, `[batch, N_res, 37]` (`atom37_atom_exists`).
 * @returns `[batch, N_res, 37, 3]`, 0 where there is no atom.
 * @throws {TypeError} If shapes do not fit together.
 */
export function atom14ToAtom37(positions: Tensor, slots: Tensor, exists: Tensor): Tensor {
  const of = "atom14ToAtom37";
  checkShape(of, "positions", positions, ["batch", "N_res", ATOM14_SLOTS, 3]);
  const wide = [...positions.shape.slice(0, 2), ATOM_SLOTS];
  checkShape(of, "slots", slots, wide, "i32");
  checkShape(of, "exists", exists, wide);
  return op({ narrow: positions, slot: slots, exists });
}
