/**
 * What the report of fine-tuning shows, as plain JSON.
 *
 * @module
 */

/** Name of a set. */
export type SetName = "train" | "validation" | "test";

/** Metrics of predictions; null where one is not defined. */
export type MetricValues = {
  /** Rows. */
  n: number;
  /** Linear correlation. */
  pearson: number | null;
  /** Correlation of ranks. */
  spearman: number | null;
  /** Root of the mean square error, in the label's unit. */
  rmse: number | null;
  /** Mean absolute error, in the label's unit. */
  mae: number | null;
  /** 1 - squared errors / squares around the labels' mean. */
  r2: number | null;
};

/** A metric. */
export type MetricName = Exclude<keyof MetricValues, "n">;

/** Metrics of a set, beside those of predictions without a network. */
export type SetData = {
  /** The set. */
  set: SetName;
  /** Of the network. */
  values: MetricValues;
  /** Of 95 % of resamples; null where not defined. */
  intervals: { [name in MetricName]: [number | null, number | null] };
  /** Of the training labels' mean, and of a straight line by length. */
  baselines: { name: string; values: MetricValues }[];
};

/** The prediction of a row. */
export type RowData = {
  id: string;
  set: SetName;
  label: number;
  prediction: number;
  /** Standard deviation of predictions with dropout; null where there is none. */
  uncertainty: number | null;
  length: number;
};

/** Rows that have something in common. */
export type GroupData = MetricValues & {
  /** What they have in common. */
  name: string;
  /** Mean of prediction - label. */
  bias: number;
};

/** A run. */
export type RunData = {
  /** Name of its folder. */
  name: string;
  /** What is trained. */
  strategy: string;
  /** Unit of the labels; may be empty. */
  unit: string;
  /** Epochs, their losses and rates. */
  history: {
    epoch: number[];
    train: (number | null)[];
    validation: (number | null)[];
    /** Learning rates by group. */
    rates: { name: string; values: number[] }[];
  };
  /** Epoch of the checkpoint that predicted. */
  best: number | null;
  /** Seconds of all epochs. */
  seconds: number;
  /** Numbers that were trained. */
  trained: number;
  /** By set; empty while the run goes on. */
  sets: SetData[];
  /** Metrics of each task and set, of runs that learn others than one number a protein. */
  tasks: { task: string; set: string; metrics: { name: string; value: number | null }[] }[];
  /** Predictions. */
  rows: RowData[];
  /** Rows that were not trained on, by what they have in common. */
  breakdown: { by: string; groups: GroupData[] }[];
  /** Modules that moved most: change relative to what was there. */
  moved: { name: string; parameters: number; relative: number }[];
  /** Modules that were trained. */
  movedCount: number;
  /** What was chosen and found, a line each. */
  facts: { label: string; value: string }[];
  /** What the reader should know; may be empty. */
  notices: string[];
};

/** A report of one run, or of several beside each other. */
export type FinetuneReportData = {
  title: string;
  summary: string;
  /** Time in ISO 8601. */
  created: string;
  runs: RunData[];
  /** Choices that differ between the runs: values in their order. */
  differences: { choice: string; values: string[] }[];
  /** What makes the runs hard to compare; may be empty. */
  notices: string[];
};
