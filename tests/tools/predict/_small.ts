import type { AlphaFoldChoices } from "../../../model/alphafold/mod.ts";

/** A network small enough for a test, of every part that the large ones have. */
export const SMALL: AlphaFoldChoices = {
  ...{ cM: 16, cZ: 8, cS: 12, cExtra: 8 },
  evoformer: {
    nBlock: 1,
    nHeadMsa: 2,
    nHeadPair: 2,
    cHiddenMsaAtt: 8,
    cHiddenPairAtt: 4,
    cHiddenMul: 8,
    cHiddenOpm: 4,
  },
  extraMsa: {
    nBlock: 1,
    nHeadMsa: 2,
    nHeadPair: 2,
    cHiddenMsaAtt: 4,
    cHiddenPairAtt: 4,
    cHiddenMul: 8,
    cHiddenOpm: 4,
  },
  templates: { nBlock: 1, cT: 8, cHiddenTriAtt: 4, nHead: 2, cHiddenTriMul: 8, cHiddenPointwise: 4, nHeadPointwise: 2 },
  structure: { cIpa: 4, cResnet: 8, nHeadIpa: 2, nQkPoints: 2, nVPoints: 2, nBlock: 2 },
};
