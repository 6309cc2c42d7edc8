/** How attention runs on a device: at once, or in parts where no kernel may see all of it. */
import { preparedBias, quads } from "./_attention_bias.ts";
import { inputsOf, partsOf, putPart, seesAll } from "./_attention_parts.ts";
import { plan, requireStreamable, type Way, waysOf } from "./_attention_plan.ts";
import {
  type Attended,
  type AttentionAttributes,
  type AttentionOperands,
  listSizes,
  present,
  sizesOf,
} from "./_attention_sizes.ts";
import { tiledForwardKernel } from "./attention_tiles.wgsl.ts";
import { forwardKernel } from "./attention.wgsl.ts";

/** Computes attention; what the way back reads besides is saved if `recording`. */
export function attend(inputs: AttentionOperands, attributes: AttentionAttributes, recording: boolean): Attended {
  return (seesAll(inputs) ? attendAtOnce : attendInParts)(inputs, attributes, recording);
}

function attendAtOnce(inputs: AttentionOperands, attributes: AttentionAttributes, recording: boolean): Attended {
  const { bias, mask, blocks, blocksOfKeys: _, ...operands } = inputs;
  const { device, dtype } = (inputs.qkv ?? inputs.q)!;
  const sizes = sizesOf(inputs, attributes);
  const { H, Lq, Lk, flops, uniforms } = sizes;
  const [B, I, J] = sizes.shape;
  const out = device.empty(sizes.shape, dtype); // in 16 bits if its inputs are
  const stats = recording ? device.empty([2, B, I, J, H]) : undefined;
  if (out.size === 0) return { out, stats };
  const flags = { bias: !!bias, mask: !!mask };
  const kernelOf = ({ structure }: Way) =>
    (structure.family === "tiles" ? tiledForwardKernel : forwardKernel)({
      ...structure,
      ...{ gated: attributes.gated, record: recording },
    });
  const halves = { ...operands, out };
  const way = plan(device, "forward", sizes, "q", flags, (way) => [[kernelOf(way), halves]]);
  if (!sizes.sparse) requireStreamable("keys", Lk, way.structure);
  if (recording && !sizes.sparse) {
    requireStreamable("queries", Lq, waysOf(device, "backward", sizes, "k", flags)[0].structure);
  }
  device.run(kernelOf(way), {
    bindings: present({
      ...operands,
      bias: bias && preparedBias(device, bias, sizes, false),
      mask,
      blocks,
      out,
      stats,
    }),
    uniforms: { ...uniforms, ...listSizes(sizes, "q"), L4: quads(Lk), valueAt: 0 },
    grid: way.grid,
    flops: 2 * flops,
  });
  return { out, stats };
}

/** The same a few sequences at a time, for a device that lets no kernel see all of the inputs. */
function attendInParts(inputs: AttentionOperands, attributes: AttentionAttributes, recording: boolean): Attended {
  const { device } = (inputs.qkv ?? inputs.q)!;
  const { H, shape } = sizesOf(inputs, attributes);
  const [B, I, J] = shape;
  const { axis } = attributes;
  const out = device.empty(shape);
  const stats = recording ? device.empty([2, B, I, J, H]) : undefined;
  for (const part of partsOf(inputs, attributes)) {
    using _ = device.scope("part");
    const got = attendAtOnce(inputsOf(inputs, attributes, part), attributes, recording);
    putPart(got.out, out, part, axis);
    if (stats && got.stats) putPart(got.stats, stats, part, axis, 1);
  }
  return { out, stats };
}
