/** A run of fine-tuning as its files would say. */
import { Key } from "../../../core/mod.ts";
import { FINETUNE_DEFAULTS } from "../../../tools/finetune/options.ts";
import { metricsOf, type RowPrediction } from "../../../tools/finetune/outcome.ts";
import type { FinetuneRun } from "../../../tools/finetune/run_files.ts";

/** Rows of a training, a validation and a test set, whose predictions are off by noise. */
export function sampleRun(folder: string, seed: number): FinetuneRun {
  const draws = Key.fromSeed(seed).uniform(3 * 60);
  const rows = Array.from({ length: 60 }, (_, i): RowPrediction => {
    const [label, noise, length] = [
      5 + 4 * draws[3 * i],
      draws[3 * i + 1] - 0.5,
      80 + Math.floor(200 * draws[3 * i + 2]),
    ];
    return {
      ...{ id: `1ab${i}`, set: i < 40 ? "train" : i < 50 ? "validation" : "test", label },
      ...{ prediction: label + noise, uncertainty: 0.1 + Math.abs(noise), length },
      family: i % 3 ? "kinase" : "protease",
    };
  });
  const names = (set: string) => rows.filter((row) => row.set === set).map(({ id }) => id);
  const history = Array.from({ length: 12 }, (_, i) => ({
    ...{ epoch: i + 1, train_loss: 30 / (i + 1), val_loss: i < 9 ? 25 / (i + 1) : 3 + i / 10, steps: 5 * (i + 1) },
    ...{ lr: { head: 1e-3 / (i + 1), lora: 1e-4 / (i + 1) }, skipped: 0, seconds: 61 },
  }));
  return {
    folder,
    config: {
      options: { ...FINETUNE_DEFAULTS, data: "affinities.csv", unit: "pKd", weights: "model_1_ptm.pt", output: folder },
      base: { preset: "model_1_ptm", weights: "model_1_ptm.pt, SHA-256 0123" },
      strategy: "lora",
      data: {
        ...{
          fingerprint: "abc",
          sets: { train: names("train"), validation: names("validation"), test: names("test") },
        },
        labels: { n: 40, min: 5, max: 9, mean: 7 },
      },
      parameters: {
        total: 93_286_747,
        groups: [
          { name: "head", learningRate: 1e-3, weightDecay: 0.01, parameters: 49_409 },
          { name: "lora", learningRate: 1e-4, weightDecay: 0.01, parameters: 1_179_648 },
        ],
      },
    },
    history,
    rows,
    metrics: metricsOf(rows, 1),
    taskMetrics: {},
    moved: Array.from({ length: 30 }, (_, i) => ({
      name: `model.evoformer.blocks.${47 - i}.msa_att_row.mha.linear_q`,
      ...{ parameters: 4096, relative: 0.02 / (i + 1) },
    })),
  };
}
