import { defineOp, elementGrid, type Tensor } from "../../../core/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { RIGID_GROUPS } from "../../protein/residue_constants.ts";
import { TORSION_ANGLES } from "./config.ts";
import type { ResidueTables } from "./residue_tables.ts";
import { torsionFramesKernel, torsionFramesVjpKernel } from "./torsion_angles_to_frames.wgsl.ts";

type Inputs = {
  readonly backbone: Tensor;
  readonly angles: Tensor;
  readonly aatype: Tensor;
  readonly table: Tensor;
};

/** Operations of a residue: 17 compositions of 63. */
const OPERATIONS = 1071;

const ALL = ["backbone", "angles", "aatype", "table"] as const;

const op = defineOp<Inputs, keyof Inputs>({
  name: "torsionAnglesToFrames",
  needs: { backbone: ALL, angles: ALL },
  forward({ backbone, ...inputs }, _, { device }) {
    const frames = device.empty([...inputs.aatype.shape, RIGID_GROUPS, 3, 4]);
    const n = inputs.aatype.size;
    device.run(torsionFramesKernel, {
      bindings: { backbone, ...inputs, frames },
      uniforms: { n },
      grid: elementGrid(n, 64),
      flops: OPERATIONS * n,
    });
    return { out: frames };
  },
  vjp({ device, inputs, wanted }, d) {
    if (!wanted.backbone && !wanted.angles) return {};
    const dBackbone = device.empty(inputs.backbone.shape);
    const dAngles = device.empty(inputs.angles.shape);
    const n = inputs.aatype.size;
    device.run(torsionFramesVjpKernel, {
      bindings: { ...inputs, d, dBackbone, dAngles },
      uniforms: { n },
      grid: elementGrid(n, 64),
      flops: 3 * OPERATIONS * n,
    });
    return { backbone: dBackbone, angles: dAngles };
  },
});

/**
 * Frames of all rigid groups in global coordinates, from the backbones' and the torsion angles.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 24 "computeAllAtomCoordinates", lines 1-10.
 *
 * @param backbone `[batch, N_res, 3, 4]`, in Å.
 * @param angles Sine and cosine, `[batch, N_res, 7, 2]`: pre-omega, phi, psi, chi 1 to 4.
 * @param aatype Residue types, i32 `[batch, N_res]`, 0 … 20.
 * @returns `[batch, N_res, 8, 3, 4]`: backbone, pre-omega, phi, psi, chi 1 to 4; the rotation is 0 where a residue has no
 * such group.
 * @throws {TypeError} If shapes do not fit together.
 */
export function torsionAnglesToFrames(
  backbone: Tensor,
  angles: Tensor,
  aatype: Tensor,
  { frames: table }: ResidueTables,
): Tensor {
  const of = "torsionAnglesToFrames";
  checkShape(of, "backbone", backbone, ["batch", "N_res", 3, 4]);
  const [batch, nRes] = backbone.shape;
  checkShape(of, "angles", angles, [batch, nRes, TORSION_ANGLES, 2]);
  checkShape(of, "aatype", aatype, [batch, nRes], "i32");
  return op({ backbone, angles, aatype, table });
}
