/** Attention to what a kernel cannot see whole: a few sequences of one batch entry at a time. */
import { mostVisible, readable, sizeOf, type Tensor } from "../core/mod.ts";
import { readRegion, writeRegion } from "./_region.ts";

/** Some neighbouring sequences of a batch entry. */
export interface AttentionPart {
  readonly entry: number;
  readonly first: number;
  readonly count: number;
  /** The axis of `[B, I, J, …]` along which the sequences lie side by side. */
  readonly across: 1 | 2;
}

/** Parts of `[B, I, J, columns]`, attended along `axis`, of which a kernel may see each. */
export function attentionParts({ device, shape }: Tensor, axis: 1 | 2): AttentionPart[] {
  const [B, I, J, columns] = shape;
  const [L, R] = axis === 2 ? [J, I] : [I, J];
  const most = Math.max(1, Math.floor(mostVisible(device) / (L * columns)));
  const parts: AttentionPart[] = [];
  for (let entry = 0; entry < B; entry++) {
    for (let first = 0; first < R; first += most) {
      parts.push({ entry, first, count: Math.min(most, R - first), across: axis === 2 ? 1 : 2 });
    }
  }
  return parts;
}

/** What a part takes of `[B, I, J, …]`, or of a tensor with `lead` axes before these. */
export function takePart(x: Tensor, part: AttentionPart, lead = 0): Tensor {
  const { entry, first, count, across } = part;
  const shape = x.shape.with(lead, 1).with(lead + across, count);
  if (lead || across === 2) return readRegion(x, beginning(x, part, lead), shape);
  return readable(x, (entry * x.shape[1] + first) * sizeOf(x.shape.slice(2)), shape);
}

/** Puts a part's result in its place. */
export function putPart(result: Tensor, x: Tensor, part: AttentionPart, lead = 0): void {
  writeRegion(result, x, beginning(x, part, lead));
}

function beginning({ shape }: Tensor, { entry, first, across }: AttentionPart, lead: number): number[] {
  return shape.map(() => 0).with(lead, entry).with(lead + across, first);
}
