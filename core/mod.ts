/** WebGPU and differentiation: the device, tensors, scopes, the tape, trees, random keys. */
export {
  type AdapterTraits,
  type KernelFamily,
  type LoadPath,
  type MatrixUnits,
  type Precision,
  PRECISIONS,
  type RequestOptions,
} from "./adapter.ts";
export { addInto } from "./add_into.ts";
export { Device, type Dispatch, type Speed } from "./device.ts";
export { DeviceLostError, OutOfMemoryError } from "./_failures.ts";
export { elementGrid, flatGrid, type Grid, MAX_WORKGROUPS } from "./grid.ts";
export {
  type BoundTypes,
  type KernelFinding,
  type KernelOptions,
  Kernels,
  type KernelStore,
  type KernelUse,
  type Verdict,
  WrongKernelError,
} from "./kernels.ts";
export type { MemoryReport } from "./_memory.ts";
export { NumericsError, type NumericsFinding } from "./numerics.ts";
export { defineOp, type ForwardContext, type OpDefinition, type OpInputs, type VjpContext, type Wanted } from "./op.ts";
export { between, compare, noise, type Probe, type ProbeOutcome } from "./probe.ts";
export {
  type HostEvent,
  type KernelRun,
  type MemoryEvent,
  type Profile,
  type ProfileClock,
  Profiler,
  type ProfilerOptions,
} from "./profiler.ts";
export { Key } from "./random.ts";
export { Scope } from "./scope.ts";
export { broadcastShapes, resolveAxis, sameShape, type Shape, sizeOf, stridesOf } from "./shapes.ts";
export { noGrad, stopGradient } from "./stop_gradient.ts";
export {
  checkpoint,
  type Gradients,
  type Packing,
  type Pullback,
  pullback,
  type PullbackOptions,
  Tape,
  type TapeNode,
  type ValueAndGrad,
  valueAndGrad,
} from "./tape.ts";
export {
  type Block,
  type DataOf,
  type Dtype,
  ELEMENT_BYTES,
  type Mirror,
  type Storage,
  Tensor,
  WINDOW_STEP,
} from "./tensor.ts";
export { matchPaths, nearNames, pathMatcher } from "./paths.ts";
export {
  combine,
  entries,
  type Fact,
  leaves,
  leavesLike,
  mapBranches,
  mapLeaves,
  mapTree,
  type Part,
  partition,
  type Tree,
} from "./tree.ts";
export {
  type BindingType,
  type Kernel,
  kernel,
  kernelFamily,
  type KernelSource,
  kernelText,
  MOST_TURNS,
  type TextOptions,
  type UniformType,
  unroll,
} from "./wgsl.ts";
export { inWindows, isVisible, mostVisible, readable, within } from "./windows.ts";
