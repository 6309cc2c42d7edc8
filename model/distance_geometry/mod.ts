/**
 * From a distogram to coordinates: multidimensional scaling, on the CPU in float64 and with `mdsOnGpu` on the GPU, the
 * choice between mirror images, atoms placed by bond lengths and angles.
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
export type { SmacofRun } from "./smacof.ts";
export { alignedRmsd } from "./aligned_rmsd.ts";
export { unrolledMds, type UnrolledMdsOptions } from "./unrolled_mds.ts";
