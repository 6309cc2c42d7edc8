import { backboneMask, type Se3TransformerParams, sidechainContainer } from "../../../model/equivariant/mod.ts";
import { reshape } from "../../../ops/mod.ts";
import type { Family, Results } from "../family.ts";
import { differentiate, input } from "./_differentiate.ts";
import { isTrunk2021 } from "./_distance_geometry.ts";
import { isEquivariant } from "./_equivariant.ts";
import { se3NetworkOf } from "./equivariant_se3.ts";

const container: Family = {
  prefix: "luc_sidechain_container",
  matches: isTrunk2021,
  async run(device, golden) {
    const backbone = input(device, golden, "backbones");
    const results: Results = new Map();
    results.set("out/no_oxygen", await sidechainContainer(backbone).read());
    return results.set("out/with_oxygen", await sidechainContainer(backbone, { oxygen: true, quirks: true }).read());
  },
};

const mask: Family = {
  prefix: "luc_backbone_mask",
  matches: isTrunk2021,
  run(_device, golden) {
    const { n, ca } = backboneMask(golden.shape("out/N_mask")[0] / 3);
    return new Map([["out/N_mask", n], ["out/CA_mask", ca]]);
  },
};

/** A network that moves the atoms of a container; the kind of an atom is its slot. */
const call: Family = {
  prefix: "eq_refine_call",
  matches: isEquivariant,
  async run(device, golden) {
    const { params, inputs, run } = se3NetworkOf(device, golden);
    const results = await differentiate<Se3TransformerParams>(
      device,
      golden,
      { params, inputs },
      ({ params, inputs }) => {
        const { type1, refined_coors: refined } = run(params, inputs, { quirks: false });
        return { delta: type1, refined, delta_shipped: run(params, inputs).type1 };
      },
    );
    const backbone = golden.data("in/backbone");
    const atoms = sidechainContainer(device.tensor(backbone, [1, backbone.length / 3, 3]));
    return results.set("out/container", await reshape(atoms, golden.shape("out/container")).read());
  },
};

/** What becomes of a backbone, and the network that refines it. */
export const EQUIVARIANT_REFINER: readonly Family[] = [container, mask, call];
