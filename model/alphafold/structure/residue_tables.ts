import type { Device, Tensor } from "../../../core/mod.ts";
import { ATOM14_EXISTS, ATOM14_SLOTS, RESIDUE_TYPES, RIGID_GROUPS } from "../../protein/residue_constants.ts";
import { ATOM14_GROUP, ATOM14_LOCAL_POSITIONS, RIGID_GROUP_DEFAULT_FRAMES } from "../../protein/residue_geometry.ts";

/** Shapes of residues on the device, by residue type. */
export type ResidueTables = {
  /** Each rigid group's frame at torsion 0 in the frame it turns in, `[21, 8, 3, 4]`. */
  readonly frames: Tensor;
  /** Each atom's rigid group, i32 `[21, 14]`. */
  readonly groups: Tensor;
  /** Each atom's position in its group's frame, and whether it exists, `[21, 14, 4]`. */
  readonly atoms: Tensor;
};

/**
 * Uploads what the structure module has to know of residues.
 *
 * @returns Owned by the current scope.
 */
export function residueTables(device: Device): ResidueTables {
  const rows = RIGID_GROUP_DEFAULT_FRAMES.filter((_, i) => i % 16 < 12); // not 0 0 0 1
  const atoms = Float32Array.from({ length: 4 * ATOM14_EXISTS.length }, (_, i) => {
    const atom = i >> 2;
    return i % 4 === 3 ? ATOM14_EXISTS[atom] : ATOM14_LOCAL_POSITIONS[3 * atom + i % 4];
  });
  return {
    frames: device.tensor(rows, [RESIDUE_TYPES, RIGID_GROUPS, 3, 4]),
    groups: device.tensor(ATOM14_GROUP, [RESIDUE_TYPES, ATOM14_SLOTS], "i32"),
    atoms: device.tensor(atoms, [RESIDUE_TYPES, ATOM14_SLOTS, 4]),
  };
}
