import { defineOp, elementGrid, type Tensor } from "../../../core/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { ATOM14_SLOTS, RIGID_GROUPS } from "../../protein/residue_constants.ts";
import { atom14Kernel, atom14VjpKernel } from "./frames_to_atom14.wgsl.ts";
import type { ResidueTables } from "./residue_tables.ts";

type Inputs = {
  readonly frames: Tensor;
  readonly aatype: Tensor;
  readonly groupOf: Tensor;
  readonly atoms: Tensor;
};

const op = defineOp<Inputs, "aatype" | "groupOf" | "atoms">({
  name: "framesToAtom14",
  needs: { frames: ["aatype", "groupOf", "atoms"] },
  forward({ frames, ...inputs }, _, { device }) {
    const positions = device.empty([...inputs.aatype.shape, ATOM14_SLOTS, 3]);
    const n = positions.size / 3;
    device.run(atom14Kernel, {
      bindings: { frames, ...inputs, positions },
      uniforms: { n },
      grid: elementGrid(n, 64),
      flops: 21 * n,
    });
    return { out: positions };
  },
  vjp({ device, inputs, shapes, wanted }, d) {
    if (!wanted.frames) return {};
    const dFrames = device.empty(shapes.frames);
    const n = dFrames.size / 12;
    device.run(atom14VjpKernel, {
      bindings: { d, ...inputs, dFrames },
      uniforms: { n },
      grid: elementGrid(n, 64),
      flops: 24 * d.size / 3,
    });
    return { frames: dFrames };
  },
});

/**
 * Positions of all atoms, from the frames of their rigid groups.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 24 "computeAllAtomCoordinates", line 11.
 *
 * @param frames `[batch, N_res, 8, 3, 4]`, in Å.
 * @param aatype Residue types, i32 `[batch, N_res]`, 0 … 20.
 * @returns `[batch, N_res, 14, 3]` in Å; 0 where a residue has no such atom.
 * @throws {TypeError} If shapes do not fit together.
 */
export function framesToAtom14(frames: Tensor, aatype: Tensor, { groups, atoms }: ResidueTables): Tensor {
  checkShape("framesToAtom14", "frames", frames, ["batch", "N_res", RIGID_GROUPS, 3, 4]);
  checkShape("framesToAtom14", "aatype", aatype, frames.shape.slice(0, 2), "i32");
  return op({ frames, aatype, groupOf: groups, atoms });
}
