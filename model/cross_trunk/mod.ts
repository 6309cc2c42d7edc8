/**
 * From a distogram to coordinates, and how far coordinates are from the truth: multidimensional scaling, superposition,
 * and the usual measures of a predicted structure. Plain float64 arithmetic on the CPU, and `mdsOnGpu` for scaling on the
 * GPU.
 *
 * @module
 */
export { alphaFromBeta, type AlphaFromBetaOptions, type AlphaTrace } from "./alpha_from_beta.ts";
export {
  centerDistogram,
  type CenterDistogramOptions,
  centerDistogramVjp,
  type CenteredDistogram,
} from "./center_distogram.ts";
export { classicalMds } from "./classical_mds.ts";
export { dihedral } from "./dihedral.ts";
export { gdt, GDT_HA_CUTOFFS, GDT_TS_CUTOFFS, gdtHa, type GdtOptions, type GdtSuperposition, gdtTs } from "./gdt.ts";
export { applyMotion, kabsch, type RigidMotion, type Superposition } from "./kabsch.ts";
export { lddt, type LddtOptions, type LddtResult } from "./lddt.ts";
export { mds, type MdsOptions, type MdsResult, type MdsRun } from "./mds.ts";
export { mdsOnGpu } from "./mds_gpu.ts";
export {
  backbonePhi,
  chooseMirror,
  type MirrorChoice,
  mirrorImage,
  type MirrorOptions,
  mostNegativePhi,
  traceHandedness,
} from "./mirror.ts";
export { nerf } from "./nerf.ts";
export { pairwiseDistances, type Points, type PointSelection } from "./points.ts";
export { rmsd, rmsdPerCoordinate } from "./rmsd.ts";
export type { SmacofRun } from "./smacof.ts";
export { tmD0, tmD0Unbounded, tmScore, tmScoreAsPlaced, type TmScoreOptions, type TmScoreResult } from "./tm_score.ts";
