/** Heads of whole vec4s, as the attention op wants them: channels of zeros change neither logits nor output. */
import type { Tensor } from "../../core/mod.ts";
import { cast, type LinearParams, pad, reshape } from "../../ops/mod.ts";

/** Channels of a head with those of zeros. */
export function wholeChannels(cHidden: number): number {
  return Math.ceil(cHidden / 4) * 4;
}

/** A projection to heads of `cHidden` channels, weight `[heads * cHidden, c]`, with rows of zeros behind each head. */
export function widenHeads(params: LinearParams, cHidden: number): LinearParams {
  const whole = wholeChannels(cHidden);
  if (whole === cHidden) return params;
  const { weight, bias, adapter } = params;
  const heads = weight.shape[0] / cHidden;
  const rows = (x: Tensor, width: number) =>
    pad(reshape(cast(x, "f32"), [heads, cHidden, width]), [0, 0, 0], [0, whole - cHidden, 0]);
  const matrix = (x: Tensor) => reshape(rows(x, x.shape[1]), [heads * whole, x.shape[1]]);
  const vector = (x: Tensor) => reshape(rows(x, 1), [heads * whole]);
  return {
    weight: matrix(weight),
    bias: bias && vector(bias),
    adapter: adapter && {
      ...adapter,
      up: matrix(adapter.up),
      magnitude: adapter.magnitude && vector(adapter.magnitude),
    },
  };
}

/** The projection of heads to the output, weight `[c, heads * cHidden]`, with columns of zeros behind each head. */
export function widenColumns(params: LinearParams, cHidden: number): LinearParams {
  const whole = wholeChannels(cHidden);
  if (whole === cHidden) return params;
  const { weight, adapter } = params;
  const columns = (x: Tensor) => {
    const [rows, hidden] = x.shape;
    const heads = hidden / cHidden;
    const wide = pad(reshape(cast(x, "f32"), [rows, heads, cHidden]), [0, 0, 0], [0, 0, whole - cHidden]);
    return reshape(wide, [rows, heads * whole]);
  };
  return { ...params, weight: columns(weight), adapter: adapter && { ...adapter, down: columns(adapter.down) } };
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
