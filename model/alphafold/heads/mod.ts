/**
 * AlphaFold 2's heads: what is predicted from the representations besides the structure. Inputs are batch first:
 *
 * | head | reads | gives logits | and from them |
 * |---|---|---|---|
 * | `plddtHead` | the structure module's last `single` `[batch, N_res, c_s]` | `[batch, N_res, 50]` | `plddt`: `[batch, N_res]`, 0 … 100 |
 * | `distogramHead` | `z` `[batch, N_res, N_res, c_z]` | `[batch, N_res, N_res, 64]` | |
 * | `maskedMsaHead` | `m` without rows of templates `[batch, N_seq, N_res, c_m]` | `[batch, N_seq, N_res, 23]` | |
 * | `experimentallyResolvedHead` | the Evoformer's `s` `[batch, N_res, c_s]` | `[batch, N_res, 37]` | |
 * | `tmHead` | `z` | `[batch, N_res, N_res, 64]` | `pairErrors`: PAE and TM terms; `predictedTmScore`: pTM |
 *
 * For inference `predictPairErrors` gives what `pairErrors(tmHead(…))` would without ever holding all logits.
 *
 * @module
 */
export { type HeadsConfig, headsConfig } from "./config.ts";
export { DISTOGRAM_RANGE, distogramBoundaries, distogramHead } from "./distogram_head.ts";
export { distogramCenters, expectedDistances } from "./expected_distances.ts";
export { experimentallyResolvedHead } from "./experimentally_resolved_head.ts";
export { maskedMsaHead } from "./masked_msa_head.ts";
export {
  type HeadsParams,
  headsShapes,
  initHeads,
  type LinearHeadParams,
  loadHeads,
  type PlddtHeadParams,
} from "./params.ts";
export { plddt, plddtHead } from "./plddt_head.ts";
export {
  alignedErrorCenters,
  MAX_ALIGNED_ERROR_BIN,
  type PairErrorOptions,
  type PairErrors,
  pairErrors,
  predictedTmScore,
  predictPairErrors,
  tmHead,
} from "./tm_head.ts";
