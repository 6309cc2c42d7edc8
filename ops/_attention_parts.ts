/** Attention to what a kernel cannot see whole: a few sequences of one batch entry at a time. */
import { type Device, mostVisible, readable, sizeOf, type Tensor, WINDOW_STEP } from "../core/mod.ts";
import { type AttentionAttributes, type AttentionOperands, sizesOf } from "./_attention_sizes.ts";
import { entryOf, readRegion, writeRegion } from "./_region.ts";

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

/** Elements of the largest tensor of tokens: an input, or the gradients of keys and values behind each other. */
function largest({ qkv, q, k }: AttentionOperands): number {
  return qkv ? qkv.size : Math.max(q!.size, 2 * Math.ceil(k!.size / WINDOW_STEP) * WINDOW_STEP);
}

/** Whether a kernel may see every tensor of tokens. */
export function seesAll(inputs: AttentionOperands): boolean {
  return largest(inputs) <= mostVisible((inputs.qkv ?? inputs.q)!.device);
}

/** Axis attended along of each input that has tokens. */
export function axesOf({ axis, keyAxis }: AttentionAttributes): Readonly<Record<string, 1 | 2>> {
  return { qkv: axis, q: axis, gate: axis, k: keyAxis, v: keyAxis, mask: keyAxis };
}

/** Parts in which all inputs are gone through. */
export function partsOf(inputs: AttentionOperands, attributes: AttentionAttributes): AttentionPart[] {
  const { B, R } = sizesOf(inputs, attributes);
  return attentionParts((inputs.qkv ?? inputs.q)!.device, B, R, Math.ceil(largest(inputs) / (B * R)));
}

/** The inputs as a part sees them. */
export function inputsOf(
  inputs: AttentionOperands,
  attributes: AttentionAttributes,
  part: AttentionPart,
): AttentionOperands {
  const axes = axesOf(attributes);
  return Object.fromEntries(
    Object.entries(inputs).filter((entry): entry is [string, Tensor] => !!entry[1]).map(([name, tensor]) => [
      name,
      name === "bias"
        ? entryOf(tensor, part.entry)
        : name.startsWith("blocks")
        ? tensor
        : takePart(tensor, part, axes[name]),
    ]),
  );
}
