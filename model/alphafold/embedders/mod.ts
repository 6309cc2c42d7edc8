/** AlphaFold 2's embedders: what the stacks' representations are first made of. */
export { embedExtraMsa, type ExtraMsa, extraMsaFeatures } from "./extra_msa_embedder.ts";
export { embedMsa, embedPairs, type PairInputs } from "./input_embedder.ts";
export {
  type ExtraMsaEmbedderParams,
  extraMsaEmbedderShapes,
  type InputEmbedderParams,
  inputEmbedderShapes,
  type RecyclingEmbedderParams,
  recyclingEmbedderShapes,
} from "./params.ts";
export { type Recycled, recycledPairs, recycledRow } from "./recycling_embedder.ts";
