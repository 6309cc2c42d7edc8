/** Heads of whole vec4s, as the attention op wants them: channels of zeros change neither logits nor output. */
import type { Tensor } from "../../core/mod.ts";
import { cast, type LinearParams, pad, reshape } from "../../ops/mod.ts";

/** Channels of a head with those of zeros. */
export function wholeChannels(cHidden: number): number {
  return Math.ceil(cHidden / 4) * 4;
}

/** A projection to heads of `cHidden` channels, weight `[heads * cHidden, c]`, with rows of zeros behind each head. */
export function widenHeads({ weight, bias }: LinearParams, cHidden: number): LinearParams {
  const whole = wholeChannels(cHidden);
  if (whole === cHidden) return { weight, bias };
  const heads = weight.shape[0] / cHidden;
  const rows = (x: Tensor, width: number) =>
    pad(reshape(cast(x, "f32"), [heads, cHidden, width]), [0, 0, 0], [0, whole - cHidden, 0]);
  return {
    weight: reshape(rows(weight, weight.shape[1]), [heads * whole, weight.shape[1]]),
    bias: bias && reshape(rows(bias, 1), [heads * whole]),
  };
}

/** The projection of heads to the output, weight `[c, heads * cHidden]`, with columns of zeros behind each head. */
export function widenColumns({ weight, bias }: LinearParams, cHidden: number): LinearParams {
  const whole = wholeChannels(cHidden);
  if (whole === cHidden) return { weight, bias };
  const [c, hidden] = weight.shape;
  const heads = hidden / cHidden;
  const columns = pad(reshape(cast(weight, "f32"), [c, heads, cHidden]), [0, 0, 0], [0, 0, whole - cHidden]);
  return { weight: reshape(columns, [c, heads * whole]), bias };
}

/**
 * Channels of a head.
 *
 * @throws {TypeError} If the channels do not divide into heads.
 */
export function channelsOfHead(hidden: number, nHead: number): number {
  if (Number.isInteger(hidden / nHead)) return hidden / nHead;
  throw new TypeError(`Cannot run attention: ${hidden} channels do not divide into ${nHead} heads`);
}
