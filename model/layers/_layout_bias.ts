/** A layout of blocks where logits are computed one by one: as a bias. */
import type { Device, Tensor } from "../../core/mod.ts";
import { type BlockLayout, broadcastTo, croppedLayout } from "../../ops/mod.ts";

/** 0 where a layout has a query attend to a key, -1e9 where not, `[batch, nHead, Lq, Lk]`. */
export function layoutBias(
  device: Device,
  layout: BlockLayout,
  [batch, nHead, Lq, Lk]: readonly [batch: number, nHead: number, Lq: number, Lk: number],
): Tensor {
  const { block, visited } = croppedLayout(layout, Lq, Lk);
  const bias = new Float32Array(Lq * Lk).fill(-1e9);
  for (let i = 0; i < Lq; i++) {
    for (const column of visited[Math.floor(i / block)]) {
      bias.fill(0, i * Lk + column * block, i * Lk + Math.min(Lk, (column + 1) * block));
    }
  }
  return broadcastTo(device.tensor(bias, [1, 1, Lq, Lk]), [batch, nHead, Lq, Lk]);
}
