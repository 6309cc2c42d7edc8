/** Triangle products of what a kernel cannot see whole: some channels of one batch entry at a time. */
import { type Device, isVisible, mostVisible, type Tensor } from "../core/mod.ts";
import { entryOf, readRegion, writeRegion } from "./_region.ts";

/** Sizes of a pair representation `[batch, n, n, c]`. */
export interface Sizes {
  readonly batch: number;
  readonly n: number;
  readonly c: number;
}

/** How a computation on all channels, or on some, goes about it. */
export interface InParts {
  /** `[batch, n, n, width · c]`: the channels of several things, one after the other. */
  readonly reads: readonly Tensor[];
  /** `[batch, n, n]`. */
  readonly mask?: Tensor;
  /** The `width` of each result. */
  readonly widths: readonly number[];
  /** Elements that four channels of an operand of the product take. */
  readonly operand: number;
}

/**
 * Runs a computation that keeps channels apart: at once, or part by part where a kernel cannot see a tensor whole.
 *
 * @throws {RangeError} If a kernel cannot see even four channels.
 */
export function inParts(
  device: Device,
  sizes: Sizes,
  { reads, mask, widths, operand }: InParts,
  run: (sizes: Sizes, reads: readonly Tensor[], mask?: Tensor) => readonly Tensor[],
): readonly Tensor[] {
  const { batch, n, c } = sizes;
  const most = mostVisible(device);
  if (reads.every(isVisible) && batch * Math.ceil(c / 4) * operand <= most) {
    return run(sizes, reads, mask);
  }
  const width = Math.max(4, ...reads.map((x) => x.size / (batch * n * n * c)), ...widths);
  const fitting = Math.min(c, Math.floor(most / (width * n * n)), 4 * Math.floor(most / operand));
  if (fitting < 1) {
    const needed = Math.max(width * n * n, operand);
    throw new RangeError(
      `Cannot run a triangle product of [${batch},${n},${n},${c}]: a kernel must see four channels of all pairs at ` +
        `once, ${4 * needed} bytes; on this adapter it sees at most ${device.traits.maxBindingBytes} ` +
        `(maxStorageBufferBindingSize), enough for about ${Math.floor(n * Math.sqrt(most / needed))} residues`,
    );
  }
  const unit = [32, 16, 4, 1].find((unit) => fitting >= unit)!;
  const channels = fitting - fitting % unit;
  const apart = (x: Tensor) => device.view(x, [batch, n, n, x.size / (batch * n * n * c), c]);
  const results = widths.map((width) => device.empty([batch, n, n, width * c]));
  for (let entry = 0; entry < batch; entry++) {
    for (let first = 0; first < c; first += channels) {
      using _ = device.scope("part");
      const count = Math.min(channels, c - first);
      const begin = [entry, 0, 0, 0, first];
      const taken = reads.map((x) => {
        const all = apart(x);
        const part = readRegion(all, begin, [1, n, n, all.shape[3], count]);
        return device.view(part, [1, n, n, all.shape[3] * count]);
      });
      const made = run({ batch: 1, n, c: count }, taken, mask && entryOf(mask, entry));
      made.forEach((part, i) => writeRegion(device.view(part, [1, n, n, widths[i], count]), apart(results[i]), begin));
    }
  }
  return results;
}
