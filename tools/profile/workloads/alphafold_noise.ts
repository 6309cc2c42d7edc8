/** Inputs and truths of AlphaFold 2 of random numbers. */
import { type Device, type Key, type Shape, sizeOf, type Tensor } from "../../../core/mod.ts";
import type { AlphaFoldConfig, AlphaFoldFeatures } from "../../../model/alphafold/mod.ts";
import type { LossTruth } from "../../../model/alphafold/losses/mod.ts";
import { ATOM14_SLOTS } from "../../../model/protein/residue_constants.ts";
import { ATOM_SLOTS } from "../../../model/protein/residues.ts";

/** Sizes of features. */
export interface NoiseSizes {
  readonly batch: number;
  readonly nRes: number;
  readonly nSeq: number;
  readonly nExtra: number;
  /** 0: none. */
  readonly nTemplates: number;
  /** Equal chains of a network for complexes, which the residues are shared out to. @default 1 */
  readonly chains?: number;
}

/** Letters of residues, and of alignments with gaps and unknown ones. */
const TYPES = 20, LETTERS = 22;
const TORSIONS = 7, GROUPS = 8, CHIS = 4;
/** Å. */
const CHAIN_SIZE = 15;

/** Makes tensors of noise; on a device for plans, of nothing. */
function noiseOf(device: Device, key: Key) {
  let next = 0;
  const make = (shape: Shape, kind: "f32" | "i32", draw: (key: Key, size: number) => Float32Array | Int32Array) => {
    const tensor = device.empty(shape, kind), own = key.at(next++);
    if (!device.dry) device.write(tensor, draw(own, tensor.size));
    return tensor;
  };
  return {
    normal: (shape: Shape, scale = 1): Tensor =>
      make(shape, "f32", (key, size) => key.normal(size).map((x) => scale * x)),
    constant: (shape: Shape, value = 1): Tensor => make(shape, "f32", (_, size) => new Float32Array(size).fill(value)),
    letters: (shape: Shape, count: number): Tensor =>
      make(shape, "i32", (key, size) => Int32Array.from(key.uniform(size), (x) => Math.floor(count * x))),
    /** 0, 1, … along the last axis, or what is told of these. */
    numbers: (shape: Shape, of: (i: number) => number = (i) => i): Tensor =>
      make(shape, "i32", (_, size) => Int32Array.from({ length: size }, (_, i) => of(i % shape.at(-1)!))),
    /** Frames without rotation. */
    frames: (shape: Shape): Tensor =>
      make([...shape, 3, 4], "f32", (key, size) => {
        const shifts = key.normal(3 * sizeOf(shape));
        const axis = (i: number) => (i >> 2) % 3;
        return Float32Array.from({ length: size }, (_, i) =>
          i % 4 === 3 ? CHAIN_SIZE * shifts[i >> 2] : Number(i % 4 === axis(i)));
      }),
  };
}

/** Features of an iteration. */
export function noiseFeatures(
  device: Device,
  { templates, embedders, multimer }: AlphaFoldConfig,
  { batch, nRes, nSeq, nExtra, nTemplates, chains = 1 }: NoiseSizes,
  key: Key,
): AlphaFoldFeatures {
  const noise = noiseOf(device, key);
  const chain = [batch, nRes], extra = [batch, nExtra, nRes], ofTemplates = [batch, nTemplates, nRes];
  const perChain = Math.ceil(nRes / chains), numberOfChain = (i: number) => 1 + Math.floor(i / perChain);
  return {
    aatype: noise.letters(chain, TYPES),
    residueIndex: noise.numbers(chain, (i) => i % perChain),
    targetFeat: noise.normal([...chain, embedders.targetChannels]),
    seqMask: noise.constant(chain),
    msaFeat: noise.normal([batch, nSeq, nRes, embedders.msaChannels]),
    msaMask: noise.constant([batch, nSeq, nRes]),
    extraMsa: {
      extraMsa: noise.letters(extra, LETTERS),
      extraHasDeletion: noise.constant(extra),
      extraDeletionValue: noise.normal(extra),
      mask: noise.constant(extra),
    },
    ...(templates && nTemplates > 0 && {
      templates: {
        mask: noise.constant([batch, nTemplates]),
        aatype: noise.letters(ofTemplates, TYPES),
        allAtomPositions: noise.normal([...ofTemplates, ATOM_SLOTS, 3], CHAIN_SIZE),
        allAtomMask: noise.constant([...ofTemplates, ATOM_SLOTS]),
        pseudoBeta: noise.normal([...ofTemplates, 3], CHAIN_SIZE),
        pseudoBetaMask: noise.constant(ofTemplates),
        torsionAnglesSinCos: noise.normal([...ofTemplates, TORSIONS, 2]),
        altTorsionAnglesSinCos: noise.normal([...ofTemplates, TORSIONS, 2]),
        torsionAnglesMask: noise.constant([...ofTemplates, TORSIONS]),
      },
    }),
    residxAtom37ToAtom14: noise.letters([...chain, ATOM_SLOTS], ATOM14_SLOTS),
    atom37AtomExists: noise.constant([...chain, ATOM_SLOTS]),
    ...(multimer && {
      asymId: noise.numbers(chain, numberOfChain),
      entityId: noise.numbers(chain, () => 1),
      symId: noise.numbers(chain, numberOfChain),
    }),
  };
}

/** What is true of a batch. */
export function noiseTruth(device: Device, { batch, nRes, nSeq }: NoiseSizes, key: Key): LossTruth {
  const noise = noiseOf(device, key);
  const chain = [batch, nRes], rows = [batch, nSeq, nRes], slots = [...chain, ATOM14_SLOTS];
  return {
    aatype: noise.letters(chain, TYPES),
    residueIndex: noise.numbers(chain),
    seqMask: noise.constant(chain),
    seqLength: noise.constant([batch], nRes),
    chiAnglesSinCos: noise.normal([...chain, CHIS, 2]),
    chiMask: noise.constant([...chain, CHIS]),
    backbone: { frames: noise.frames(chain), mask: noise.constant(chain) },
    atoms: {
      positions: noise.normal([...slots, 3], CHAIN_SIZE),
      exists: noise.constant(slots),
      altPositions: noise.normal([...slots, 3], CHAIN_SIZE),
      altExists: noise.constant(slots),
      ambiguous: noise.constant(slots),
    },
    rigidGroups: {
      frames: noise.frames([...chain, GROUPS]),
      altFrames: noise.frames([...chain, GROUPS]),
      exists: noise.constant([...chain, GROUPS]),
    },
    allAtomPositions: noise.normal([...chain, ATOM_SLOTS, 3], CHAIN_SIZE),
    allAtomMask: noise.constant([...chain, ATOM_SLOTS]),
    atom14Exists: noise.constant(slots),
    atom37Exists: noise.constant([...chain, ATOM_SLOTS]),
    pseudoBeta: noise.normal([...chain, 3], CHAIN_SIZE),
    pseudoBetaMask: noise.constant(chain),
    trueMsa: noise.letters(rows, LETTERS),
    bertMask: noise.constant(rows),
    resolution: noise.constant([batch]),
  };
}
