import type { Device, Tensor, Tree } from "../../core/mod.ts";
import { linear, reshape, slice } from "../../ops/mod.ts";
import { inBlock } from "../layers/attention_capture.ts";
import { asGiven, asKept } from "../layers/representation.ts";
import { step } from "../layers/step.ts";
import { evoformerBlock, extraMsaBlock, type Representations } from "./block.ts";
import type { EvoformerConfig } from "./config.ts";
import type { BlockOptions } from "./pair_stack.ts";
import type { EvoformerStackParams, ExtraMsaStackParams } from "./params.ts";

/**
 * The Evoformer: updates MSA and pair representation block by block, then projects the first sequence to the single
 * representation.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 6 "EvoformerStack".
 *
 * @example
 * ```ts
 * import { Device, Key } from "@denofold/denofold";
 * import { evoformerConfig, evoformerStack, initEvoformer } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const config = evoformerConfig({ cM: 8, cZ: 4, cS: 6, nBlock: 1, nHeadMsa: 2, nHeadPair: 1 });
 * const params = initEvoformer(device, config, Key.fromSeed(1));
 * const { s } = evoformerStack(params, { m: device.zeros([1, 3, 5, 8]), z: device.zeros([1, 5, 5, 4]) }, config);
 * assert.deepEqual(s.shape, [1, 5, 6]);
 * ```
 *
 * @returns `m` `[batch, N_seq, N_res, c_m]` (or its first row alone), `z` `[batch, N_res, N_res, c_z]` (in
 * 16 bits where the device keeps it so), `s` `[batch, N_res, c_s]`, owned by the
 * current scope.
 * @throws {TypeError} If shapes do not fit together.
 */
export function evoformerStack(
  params: EvoformerStackParams,
  representations: Representations,
  config: EvoformerConfig,
  options: BlockOptions = {},
): { m: Tensor; z: Tensor; s: Tensor } {
  const { device } = representations.m;
  using scope = device.scope("evoformerStack");
  const { m, z } = runBlocks(
    device,
    "evoformer",
    params.blocks,
    representations,
    options,
    (block, inputs, options) => evoformerBlock(block, inputs, config, options),
  );
  const [batch, , nRes, cM] = m.shape;
  const first = slice(m, [0, 0, 0, 0], [batch, 1, nRes, cM]);
  const s = linear(reshape(first, [batch, nRes, cM]), params.linear); // line 12
  const wanted = options.msa === false ? first : m;
  if (wanted !== m && m !== representations.m) m.dispose();
  return scope.keep({ m: asGiven(wanted), z, s });
}

/**
 * The stack that tells the pair representation of the sequences that are no clusters' centres; their own
 * representation is not needed any more.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 18 "ExtraMsaStack".
 *
 * @returns `z` `[batch, N_res, N_res, c_z]`, owned by the current scope.
 * @throws {TypeError} If shapes do not fit together.
 */
export function extraMsaStack(
  params: ExtraMsaStackParams,
  representations: Representations,
  config: EvoformerConfig,
  options: BlockOptions = {},
): Tensor {
  const { device } = representations.m;
  const { m, z } = runBlocks(
    device,
    "extraMsa",
    params.blocks,
    representations,
    options,
    (block, inputs, options) => extraMsaBlock(block, inputs, config, options),
    false,
  );
  if (m !== representations.m || options.consume) m.dispose();
  return z; // in 16 bits if the device keeps representations so: what comes next keeps it likewise
}

function runBlocks<P extends Tree<Tensor>>(
  device: Device,
  name: string,
  blocks: readonly P[],
  { m, z, ...masks }: Representations,
  { key, recompute, capture, onBlock, consume = false }: BlockOptions,
  run: (block: P, inputs: Representations, options: BlockOptions) => { m: Tensor; z: Tensor },
  lastMsa = true,
): { m: Tensor; z: Tensor } {
  const perBlock = recompute === "block" || recompute === "nested";
  const own = { m: asKept(m, { consume }), z: asKept(z, { consume }) };
  consume ||= own.m !== m && own.z !== z;
  ({ m, z } = own);
  blocks.forEach((params, i) => {
    const before = { m, z };
    const usedUp = i > 0 || consume;
    ({ m, z } = step(
      device,
      `${name}/${i}`,
      { params, m, z, ...masks },
      ({ params, ...inputs }) =>
        // What a tape may hold, or compute again from, stays until the block has run.
        run(params, inputs, {
          ...{ key: key?.at(i), recompute, capture: inBlock(capture, i), msa: lastMsa || i < blocks.length - 1 },
          consume: usedUp && !device.tape && !perBlock,
        }),
      perBlock,
      ["m", "z"],
    ));
    if (usedUp) { for (const tensor of Object.values(before)) tensor.dispose(); }
    onBlock?.(i, { m, z });
  });
  return { m, z };
}
