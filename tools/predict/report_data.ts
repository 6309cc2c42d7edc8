/**
 * What the report of predictions shows, as plain JSON. Large arrays are packed: see {@linkcode packBytes}.
 *
 * @module
 */

/** Bytes in base64, and how they become numbers: `value = offset + step · byte`. */
export type PackedMap = {
  /** Base64. */
  bytes: string;
  /** Value of byte 0. */
  offset: number;
  /** Difference of neighbouring bytes. */
  step: number;
};

/** Positions in base64: 16-bit integers in hundredths of an Å. */
export type PackedPositions = string;

/** A state of a prediction on its way. */
export type FrameData = {
  /** What it is, such as `recycle 1` or `recycle 3, block 5`. */
  label: string;
  /** Cα positions, `[N_res, 3]`, from the centre. */
  alphas: PackedPositions;
};

/** How near a chain of a complex is to its true one; null where fewer than three of its C-alphas are known. */
export type ChainExperiment = {
  /** Name of the predicted chain. */
  chain: string;
  /** Name of the true chain that it stands for. */
  truth: string;
  /** lDDT-Cα within the chain, 0 to 1. */
  lddt: number | null;
  /** TM-score of the chain alone, 0 to 1. */
  tmScore: number | null;
};

/** How near an interface is; that of two true chains in contact. Lengths in Å. */
export type InterfaceExperiment = {
  /** Names of the predicted chains. */
  chains: readonly [string, string];
  /** Share of the true contacts that are there. */
  fnat: number;
  /** RMSD of the interface's backbone. */
  iRmsd: number;
  /** RMSD of the ligand's backbone. */
  lRmsd: number;
  /** Score of the three, 0 to 1. */
  dockq: number;
  /** True contacts. */
  contacts: number;
};

/** How near a prediction is to the experimental structure: fractions from 0 to 1, lengths in Å. */
export type ExperimentData = {
  measures: {
    lddt: number;
    tmScore: number;
    caRmsd: number;
    allAtomRmsd: number;
    /** Mean difference of a residue's predicted lDDT from its lDDT-Cα, without sign. */
    plddtError: number;
  };
  /** lDDT-Cα of each residue; null where it is not known. */
  lddt: (number | null)[];
  /** Chains of a complex, each beside the true one that it stands for. */
  chains?: readonly ChainExperiment[];
  /** Interfaces of a complex that the experimental structure has. */
  interfaces?: readonly InterfaceExperiment[];
  /** The experimental structure, laid on the prediction, mmCIF text. */
  cif: string;
};

/** A file that was written beside the report. */
export type FileLink = { label: string; href: string };

/** What is predicted of two chains' interface. */
export type InterfaceData = {
  chains: readonly [string, string];
  iptm: number | null;
  meanPae: number | null;
  contacts: number;
  residues: number;
  plddt: number | null;
  pdockq: number;
  pdockq2: number | null;
  clashes: number;
};

/** A chain of a complex: its name in the files and where its residues are. */
export type ChainData = { name: string; start: number; residues: number };

/** One prediction. */
export type PredictionData = {
  /** Rank, 1 for the best. */
  rank: number;
  /** Name in the files. */
  name: string;
  /** Preset of the network. */
  preset: string;
  /** Seed. */
  seed: number;
  /** Mean pLDDT. */
  meanPlddt: number;
  /** Predicted TM-score; null where the network predicts none. */
  ptm: number | null;
  /** Predicted TM-score of the interfaces; of complexes. */
  iptm?: number;
  /** Scores of each pair of chains; of complexes. */
  interfaces?: InterfaceData[];
  /** Residues of different chains in contact, from 0; of complexes. */
  contacts?: [number, number][];
  /** pLDDT of each residue, one decimal. */
  plddt: number[];
  /** mmCIF text. */
  cif: string;
  /** Predicted aligned error in Å, `[N_res, N_res]`; null where the network predicts none. */
  pae: PackedMap | null;
  /** Largest error that can be predicted, Å. */
  maxPae: number;
  /** Expected Cβ distances in Å, `[N_res, N_res]`. */
  distances: PackedMap;
  /** Mean pLDDT, pTM and change of distances (Å) after each iteration. */
  recycles: { meanPlddt: number; ptm: number | null; distanceChange: number | null }[];
  /** The way to the last structure. */
  frames: FrameData[];
  /** Seconds in the network. */
  seconds: number;
  /** The experimental structure beside it, where one was given. */
  experiment?: ExperimentData | null;
  /** Files of this prediction. */
  files: FileLink[];
};

/** Alignment of a target. */
export type MsaData = {
  /** Rows. */
  sequences: number;
  /** Effective rows, weighted by identity. */
  effective: number;
  /** Rows that have a residue in each column, `[N_res]`. */
  depth: number[];
  /** Picture of the rows sorted by identity: `[height, N_res]`, 0 for a gap, 1 to 255 for the identity of the row. */
  rows: { bytes: string; height: number };
};

/** One target. */
export type TargetData = {
  /** Name. */
  id: string;
  /** One letter a residue. */
  sequence: string;
  /** Number with insertion code of each residue. */
  numbers: string[];
  /** Chains of a complex. */
  chains?: ChainData[];
  /** Best first. */
  predictions: PredictionData[];
  /** Its alignment; null where the sequence stands alone. */
  msa: MsaData | null;
  /** What is doubtful. */
  warnings: string[];
  /** Files of the target as a whole. */
  files: FileLink[];
};

/** A pair of a screen. */
export type ScreenPairData = {
  bait: string;
  prey: string;
  /** Its place among the report's targets; null where it is not among them. */
  target: number | null;
  /** Its folder. */
  href: string;
  score: number | null;
  iptm: number | null;
  ptm: number | null;
  meanPlddt: number | null;
  pae: number | null;
  pdockq: number | null;
  pdockq2: number | null;
  contacts: number | null;
  clashes: number | null;
  residues: number;
  /** Why it failed; null where it did not. */
  reason: string | null;
};

/** What a report shows. */
export type PredictReportData = {
  /** Title. */
  title: string;
  /** A sentence or two: what was predicted with what. */
  summary: string;
  /** ISO 8601. */
  created: string;
  /** What everybody must know, such as that the weights are random; null for nothing. */
  notice: string | null;
  /** Pairs of a screen, best first. @default it is none */
  screen?: ScreenPairData[];
  /** The targets. */
  targets: TargetData[];
  /** Targets that failed, with the reason. */
  failed: { id: string; reason: string }[];
  /** Facts of the run. */
  run: { label: string; value: string }[];
};

/** A matrix in bytes, from `offset` in equal steps up to `most`. */
export function packBytes(values: ArrayLike<number>, offset: number, most: number): PackedMap {
  const step = (most - offset) / 255;
  const bytes = Uint8Array.from(values, (value) => Math.min(255, Math.max(0, Math.round((value - offset) / step))));
  return { bytes: bytes.toBase64(), offset, step };
}

/** Positions in hundredths of an Å from their centre, in base64. */
export function packPositions(positions: ArrayLike<number>): PackedPositions {
  const n = positions.length / 3, centre = [0, 0, 0];
  for (let i = 0; i < positions.length; i++) centre[i % 3] += positions[i] / n;
  const whole = Int16Array.from(
    positions,
    (x, i) => Math.max(-32768, Math.min(32767, Math.round(100 * (x - centre[i % 3])))),
  );
  return new Uint8Array(whole.buffer).toBase64();
}
