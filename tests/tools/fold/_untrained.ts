import { Key, type Tensor, type Tree } from "../../../core/mod.ts";
import { encodeCheckpoint } from "../../../finetune/checkpoint.ts";
import { initTinyOpenFold, type TinyOpenFoldConfig } from "../../../model/tiny_openfold/mod.ts";
import { testDevice } from "../../_gpu.ts";

/** Bytes of a checkpoint of an untrained model. */
export async function checkpointBytes(
  config: TinyOpenFoldConfig,
  facts: Record<string, unknown> = { model: "tiny-openfold", config, data: { description: "nothing" } },
): Promise<Uint8Array> {
  const device = await testDevice();
  using scope = device.scope("checkpoint");
  void scope;
  return await encodeCheckpoint(initTinyOpenFold(device, config, Key.fromSeed(1)) as Tree<Tensor>, facts);
}
