/**
 * Floating-point operations of the matrix products of AlphaFold 2's modules on the way there, 2 per multiply-add; the way
 * back takes twice as many.
 *
 * @module
 */

const CHANNELS = 128;
const MSA_CHANNELS = 256;
const HEADS = 4, MSA_HEADS = 8;
const OUTER = 32;
const WIDER = 4;

const pair = (n: number, from: number, to: number) => 2 * n * n * from * to;

/** Triangle multiplication of an n × n pair representation of 128 channels. */
export function triangleMultiplicationFlops(n: number): number {
  return 6 * pair(n, CHANNELS, CHANNELS) + 2 * n ** 3 * CHANNELS;
}

/** Triangle attention with 4 heads of 32 channels, its bias included. */
export function triangleAttentionFlops(n: number): number {
  return 5 * pair(n, CHANNELS, CHANNELS) + pair(n, CHANNELS, HEADS) + 4 * n ** 3 * CHANNELS;
}

/** A pair block of the kit: one triangle multiplication, one triangle attention, one transition. */
export function pairBlockFlops(n: number): number {
  return triangleMultiplicationFlops(n) + triangleAttentionFlops(n) + pairTransitionFlops(n);
}

/** An Evoformer block with AlphaFold 2's channels, for s sequences and n residues. */
export function evoformerFlops(s: number, n: number): number {
  const msa = (from: number, to: number) => 2 * s * n * from * to;
  const projections = 5 * msa(MSA_CHANNELS, MSA_CHANNELS);
  const rows = projections + pair(n, CHANNELS, MSA_HEADS) + 4 * s * n * n * MSA_CHANNELS;
  const columns = projections + 4 * s * s * n * MSA_CHANNELS;
  const transition = 2 * msa(MSA_CHANNELS, WIDER * MSA_CHANNELS);
  const outerProduct = 2 * msa(MSA_CHANNELS, OUTER) + 2 * n * n * OUTER ** 2 * (s + CHANNELS);
  return rows + columns + transition + outerProduct +
    2 * triangleMultiplicationFlops(n) + 2 * triangleAttentionFlops(n) + pairTransitionFlops(n);
}

/** All iterations of AlphaFold 2's structure module for n residues, the heads' biases counted once. */
export function structureModuleFlops(n: number): number {
  const c = 384, heads = 12, channels = 16, points = 4, valuePoints = 8, hidden = 128;
  const each = (from: number, to: number) => 2 * n * from * to;
  const projected = heads * (3 * channels + 3 * (2 * points + valuePoints));
  const attended = heads * n * n * (2 * channels + 6 * points + 2 * channels + 6 * valuePoints + 2 * CHANNELS);
  const out = heads * (channels + 4 * valuePoints + CHANNELS);
  const angles = 2 * each(c, hidden) + 4 * each(hidden, hidden) + each(hidden, 14);
  const iteration = each(c, projected) + attended + each(out, c) + 3 * each(c, c) + each(c, 6) + angles;
  return each(c, c) + pair(n, CHANNELS, heads) + 8 * iteration;
}

function pairTransitionFlops(n: number): number {
  return 2 * pair(n, CHANNELS, WIDER * CHANNELS);
}
