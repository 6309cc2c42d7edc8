/** Attention to what a kernel cannot see whole: a few sequences of one batch entry at a time. */
import { type Device, mostVisible, readable, sizeOf, type Tensor } from "../core/mod.ts";
import { readRegion, writeRegion } from "./_region.ts";

/** Some neighbouring sequences of a batch entry. */
export interface AttentionPart {
  readonly entry: number;
  readonly first: number;
  readonly count: number;
}

/**
 * Parts of which a kernel may see each.
 *
 * @param entries Entries of the batch.
 * @param sequences Sequences of an entry.
 * @param elements Elements of a sequence in the tensor that has most.
 */
export function attentionParts(device: Device, entries: number, sequences: number, elements: number): AttentionPart[] {
  const most = Math.max(1, Math.floor(mostVisible(device) / elements));
  const parts: AttentionPart[] = [];
  for (let entry = 0; entry < entries; entry++) {
    for (let first = 0; first < sequences; first += most) {
      parts.push({ entry, first, count: Math.min(most, sequences - first) });
    }
  }
  return parts;
}

/**
 * What a part takes of `[B, I, J, …]`, or of a tensor with `lead` axes before these.
 *
 * @param axis Axis attended along, 1 or 2: sequences lie side by side along the other.
 */
export function takePart(x: Tensor, part: AttentionPart, axis: 1 | 2, lead = 0): Tensor {
  const { entry, first, count } = part;
  const across = 3 - axis;
  const shape = x.shape.with(lead, 1).with(lead + across, count);
  if (lead || across === 2) return readRegion(x, beginning(x, part, across, lead), shape);
  return readable(x, (entry * x.shape[1] + first) * sizeOf(x.shape.slice(2)), shape);
}

/** Puts a part's result in its place. */
export function putPart(result: Tensor, x: Tensor, part: AttentionPart, axis: 1 | 2, lead = 0): void {
  writeRegion(result, x, beginning(x, part, 3 - axis, lead));
}

function beginning({ shape }: Tensor, { entry, first }: AttentionPart, across: number, lead: number): number[] {
  return shape.map(() => 0).with(lead, entry).with(lead + across, first);
}
