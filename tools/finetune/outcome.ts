/** What a run came to: predictions of all rows, and how good they are. */
import { type Device, Key } from "../../core/mod.ts";
import {
  bootstrapIntervals,
  type FineTunedConfig,
  type FineTuner,
  headInputsOf,
  isKnown,
  type LabelledSet,
  type RegressionMetrics,
  regressionMetrics,
} from "../../finetune/mod.ts";
import { predictLabel } from "./label_prediction.ts";
import { SETS, type Sets } from "./sets.ts";

/** The prediction of a row of the table. */
export interface RowPrediction {
  /** Name. */
  readonly id: string;
  /** Set that it is in. */
  readonly set: typeof SETS[number];
  /** What was measured. */
  readonly label: number;
  /** By the average of the best checkpoint. */
  readonly prediction: number;
  /** Standard deviation of predictions with the head's dropout; null where it has none. */
  readonly uncertainty: number | null;
  /** Residues. */
  readonly length: number;
  /** Its family, where the table tells. */
  readonly family?: string;
}

/** Metrics of a set, with intervals of 95 %, beside those of predictions that need no network. */
export type SetMetrics = RegressionMetrics & {
  readonly intervals: ReturnType<typeof bootstrapIntervals>;
  /** The training labels' mean, and the straight line that fits training labels by length. */
  readonly baselines: { readonly mean: RegressionMetrics; readonly length: RegressionMetrics };
};

/** Predicts all rows with the average's parameters. */
export async function predictRows(
  device: Device,
  tuner: FineTuner,
  config: FineTunedConfig,
  sets: Sets,
  labelled: Readonly<Record<string, LabelledSet>>,
  { seed, families }: { readonly seed: number; readonly families: ReadonlyMap<string, string> },
): Promise<RowPrediction[]> {
  const key = Key.fromSeed(seed);
  return await tuner.withAverage(async (params) => {
    const rows: RowPrediction[] = [];
    for (const set of SETS) {
      for (const [index, { id, rows: given, sequence }] of sets[set].entries()) {
        using _ = device.scope("predictRow");
        const { input } = await labelled[set].load(index);
        const known = isKnown(input) ? input : headInputsOf(params.model, input, config);
        const found = await predictLabel(params, known, config, { key });
        const family = families.get(id);
        for (const { label } of given) {
          rows.push({ id, set, label: label!, ...found, length: sequence.length, ...(family && { family }) });
        }
      }
    }
    return rows;
  });
}

/** Metrics of each set that has rows and finite predictions. */
export function metricsOf(rows: readonly RowPrediction[], seed: number): Record<string, SetMetrics> {
  const train = rows.filter(({ set }) => set === "train");
  const mean = train.reduce((sum, { label }) => sum + label, 0) / train.length;
  const line = lineThrough(train.map(({ length }) => length), train.map(({ label }) => label));
  const found: Record<string, SetMetrics> = {};
  for (const set of SETS) {
    const own = rows.filter((row) => row.set === set);
    if (!own.length || !own.every(({ prediction }) => Number.isFinite(prediction))) continue;
    const labels = own.map(({ label }) => label), predictions = own.map(({ prediction }) => prediction);
    found[set] = {
      ...regressionMetrics(predictions, labels),
      intervals: bootstrapIntervals(predictions, labels, { seed }),
      baselines: {
        mean: regressionMetrics(own.map(() => mean), labels),
        length: regressionMetrics(own.map(({ length }) => line(length)), labels),
      },
    };
  }
  return found;
}

/** The straight line of least squares; flat where all x are the same. */
function lineThrough(x: readonly number[], y: readonly number[]): (x: number) => number {
  const n = x.length, mx = x.reduce((a, b) => a + b, 0) / n, my = y.reduce((a, b) => a + b, 0) / n;
  let xy = 0, xx = 0;
  for (let i = 0; i < n; i++) [xy, xx] = [xy + (x[i] - mx) * (y[i] - my), xx + (x[i] - mx) ** 2];
  const slope = xx > 0 ? xy / xx : 0;
  return (at) => my + slope * (at - mx);
}
