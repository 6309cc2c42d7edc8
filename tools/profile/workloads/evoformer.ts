import { type Device, Key, pullback, type Tensor } from "../../../core/mod.ts";
import { evoformerConfig, evoformerStack, initEvoformer } from "../../../model/evoformer/mod.ts";
import { InputError } from "../../errors.ts";
import type { OpenWorkload, Workload, WorkloadValues } from "./mod.ts";

/** AlphaFold 2's Evoformer, forward or forward and backward. */
export const evoformer: Workload = {
  description: "blocks of AlphaFold 2's Evoformer on random representations",
  flags: [
    { name: "blocks", description: "Evoformer blocks", value: 1 },
    { name: "n-seq", description: "sequences", value: 32 },
    { name: "n-res", description: "residues", value: 64 },
    { name: "batch", description: "samples", value: 1 },
    { name: "c-m", description: "channels of the MSA representation", value: 256 },
    { name: "c-z", description: "channels of the pair representation", value: 128 },
    { name: "backward", description: "the way back too", value: false },
  ],
  open(device: Device, values: WorkloadValues): OpenWorkload {
    const size = (name: string) => Number(values[name]);
    const [batch, nSeq, nRes, cM, cZ] = ["batch", "n-seq", "n-res", "c-m", "c-z"].map(size);
    const scope = device.scope("evoformerInputs");
    try {
      const config = evoformerConfig({ nBlock: size("blocks"), cM, cZ });
      const [paramsKey, mKey, zKey] = Key.fromSeed(0).split(3);
      const params = initEvoformer(device, config, paramsKey);
      const m = device.tensor(mKey.normal(batch * nSeq * nRes * cM), [batch, nSeq, nRes, cM]);
      const z = device.tensor(zKey.normal(batch * nRes * nRes * cZ), [batch, nRes, nRes, cZ]);
      const ones = [m, z].map((x) => device.tensor(new Float32Array(x.size).fill(1), x.shape));
      const run = ({ params: p, m, z }: { params: typeof params; m: Tensor; z: Tensor }) => {
        const out = evoformerStack(p, { m, z }, config);
        return { m: out.m, z: out.z };
      };
      return {
        async step() {
          using step = device.scope("step");
          void step;
          if (values.backward) pullback(device, run, { params, m, z }).pullLeaves(ones);
          else {
            using forward = device.scope("forward");
            void forward;
            run({ params, m, z });
          }
          await device.finish();
        },
        [Symbol.dispose]: () => scope[Symbol.dispose](),
      };
    } catch (error) {
      scope[Symbol.dispose]();
      if (error instanceof RangeError || error instanceof TypeError) throw new InputError(error.message);
      throw error;
    }
  },
};
