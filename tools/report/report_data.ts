/**
 * What a report shows, as plain JSON: no functions, no typed arrays, no classes, so that it can be stored beside the report.
 * A value that is missing is `null`, never 0.
 *
 * @module
 */

/** How one measure of quality is written and read. */
export type MetricInfo = {
  /** Key of the measure in a {@link MetricValues}. */
  name: string;
  /** Name shown to the reader, with capitals and Greek letters as usual in the field. */
  label: string;
  /** Unit, `""` for a pure number. */
  unit: string;
  /** Decimals shown. */
  digits: number;
  /** Which direction is better. */
  better: "lower" | "higher";
  /** One plain sentence that says what the measure means. */
  meaning: string;
};

/** Values of the measures by their name; a measure that could not be computed is `null` or left out. */
export type MetricValues = { [name: string]: number | null };

/** One answer to a target (the prediction or a naive baseline) and how good it is. */
export type ScoredMethod = {
  /** Name shown to the reader, for instance `Prediction` or `Copy of 1znm`. */
  label: string;
  /** How good it is. */
  values: MetricValues;
};

/** Distances between residues in Å: `[N_res][N_res]`, `null` where unknown. */
export type DistanceMap = (number | null)[][];

/** A loss curve: the loss at each step. */
export type LossSeries = {
  /** Steps, rising. */
  step: number[];
  /** Loss at that step. */
  loss: number[];
};

/** The loss while training. */
export type LossCurve = {
  /** What the loss is, with its unit: the axis title, for instance `Mean squared distance error (Å²)`. */
  label: string;
  /** Loss of the training batches. */
  train: LossSeries;
  /** Loss of data held out from training, where it was measured. */
  validation?: LossSeries;
};

/** One folded sequence, with the experimental structure where there is one. */
export type ReportTarget = {
  /** Short name, unique in the report, for instance `1znf`. */
  id: string;
  /** What it is, in a few words. */
  description?: string;
  /** One letter a residue, `N_res` letters. */
  sequence: string;
  /** Number of each residue, as in the structure file; `1..N_res` where left out. */
  residueNumbers?: number[];
  /** Predicted structure as mmCIF text, superposed on the true one. */
  predictedCif: string;
  /** True structure as mmCIF text. */
  trueCif?: string;
  /** Predicted distances. */
  predictedDistances?: DistanceMap;
  /** True distances. */
  trueDistances?: DistanceMap;
  /** Atoms between which distances are measured. @default "Cβ (Cα for glycine)" */
  distanceAtoms?: string;
  /** Distances are clamped here, in Å, before they are shown and compared; not clamped where left out. */
  distanceCap?: number;
  /** The prediction first, then the baselines; empty where no truth is known. */
  methods: ScoredMethod[];
  /** Distance of each residue's Cα atom from its true place, superposed, in Å; `null` where the true one is not known. */
  residueErrors?: (number | null)[];
  /** Names of the target's files, in the report's folder. */
  files?: string[];
  /** Loss of the training that made this prediction; the report's own loss curve is shown where it is left out. */
  loss?: LossCurve;
};

/** Every structure of a family predicted by a model that was trained on the others. */
export type LeaveOneOut = {
  /** Names of the methods: the prediction first, then the baselines. */
  methods: string[];
  /** One row a structure. */
  rows: {
    /** Structure left out. */
    id: string;
    /** `N_res`. */
    residues: number;
    /** Measures of each method, in the order of `methods`. */
    values: MetricValues[];
  }[];
};

/** One line of the run's facts. */
export type RunFact = {
  /** What it is, for instance `Peak GPU memory`. */
  label: string;
  /** Its value with the unit, for instance `312 MiB`. */
  value: string;
  /** Shown as typed text: commands, file names. @default false */
  code?: boolean;
};

/** Everything a report shows. */
export type ReportData = {
  /** Heading: what was folded. */
  title: string;
  /** One plain sentence: what this report shows. */
  summary: string;
  /** When the run ended, ISO 8601. */
  created: string;
  /** The measures and their order. @default STANDARD_METRICS */
  metrics?: MetricInfo[];
  /** With more than one the reader chooses; there may be none where there is a loss. */
  targets: ReportTarget[];
  /** Loss curve of the run. */
  loss?: LossCurve;
  /** Table of a leave-one-out run. */
  leaveOneOut?: LeaveOneOut;
  /** Paragraphs of the section "What such a small model can and cannot show"; no section where empty. */
  limits: string[];
  /** Command, seed, adapter, versions, time, peak memory. */
  run: RunFact[];
};

/** The measures of structure prediction that denofold computes; fractions run from 0 to 1. */
export const STANDARD_METRICS: MetricInfo[] = [
  {
    name: "caRmsd",
    label: "Cα RMSD",
    unit: "Å",
    digits: 2,
    better: "lower",
    meaning: "Root mean square distance between matching Cα atoms after the best superposition.",
  },
  {
    name: "cbRmsd",
    label: "Cβ RMSD",
    unit: "Å",
    digits: 2,
    better: "lower",
    meaning: "The same for Cβ atoms (Cα for glycine).",
  },
  {
    name: "meanDistanceError",
    label: "Mean distance error",
    unit: "Å",
    digits: 2,
    better: "lower",
    meaning: "Mean absolute difference between predicted and true distances of residue pairs.",
  },
  {
    name: "lddt",
    label: "lDDT",
    unit: "",
    digits: 3,
    better: "higher",
    meaning: "Share of local distances (below 15 Å) that are kept, over tolerances of 0.5, 1, 2 and 4 Å; 1 is perfect.",
  },
  {
    name: "tmScore",
    label: "TM-score",
    unit: "",
    digits: 3,
    better: "higher",
    meaning: "Likeness of the whole fold, corrected for length; 1 is identical, above 0.5 usually the same fold.",
  },
  {
    name: "gdtTs",
    label: "GDT-TS",
    unit: "",
    digits: 3,
    better: "higher",
    meaning: "Mean share of Cα atoms within 1, 2, 4 and 8 Å of their true place; 1 is perfect.",
  },
  {
    name: "gdtHa",
    label: "GDT-HA",
    unit: "",
    digits: 3,
    better: "higher",
    meaning: "The same within 0.5, 1, 2 and 4 Å.",
  },
];
