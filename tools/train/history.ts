/** What each step of a training run was like. */
import type { StepReport } from "../../finetune/mod.ts";
import type { LossCurve } from "../report/report_data.ts";

/** One recorded step; numbers count from 0 without the warm-up steps, times leave the making of the batch out. */
export interface StepRecord extends Omit<StepReport, "savedBytes"> {
  /** GPU memory that was allocated after the step, in bytes. */
  readonly memoryBytes: number;
  /** The most GPU memory that was allocated up to then, in bytes. */
  readonly peakBytes: number;
  /** Loss of the structures held out, after the update; measured now and then, and used for nothing. */
  readonly heldOutLoss?: number;
}

const COLUMNS: readonly [name: string, key: keyof StepRecord][] = [
  ["step", "step"],
  ["loss", "loss"],
  ["grad_norm", "gradNorm"],
  ["learning_rate", "learningRate"],
  ["forward_ms", "forwardMs"],
  ["backward_ms", "backwardMs"],
  ["optimizer_ms", "optimizerMs"],
  ["total_ms", "totalMs"],
  ["memory_bytes", "memoryBytes"],
  ["peak_memory_bytes", "peakBytes"],
  ["held_out_loss", "heldOutLoss"],
];

/** The history as CSV: a line a step; numbers in full, so that they read back to the same bits. */
export function historyCsv(history: readonly StepRecord[]): string {
  const lines = history.map((record) => COLUMNS.map(([, key]) => record[key] ?? "").join(","));
  return [COLUMNS.map(([name]) => name).join(","), ...lines, ""].join("\n");
}

/** The history as plain JSON for a checkpoint: a list a step, null where there is no value. */
export function packHistory(history: readonly StepRecord[]): (number | null)[][] {
  return history.map((record) => COLUMNS.map(([, key]) => record[key] ?? null));
}

/** What {@link packHistory} packed; undefined if it is no such thing. */
export function unpackHistory(packed: unknown): StepRecord[] | undefined {
  if (!Array.isArray(packed)) return undefined;
  const history: StepRecord[] = [];
  for (const row of packed) {
    if (!Array.isArray(row) || row.length !== COLUMNS.length) return undefined;
    const record: Partial<Record<keyof StepRecord, number>> = {};
    for (const [i, [, key]] of COLUMNS.entries()) {
      const value: unknown = row[i];
      if (typeof value === "number") record[key] = value;
      else if (value !== null || key !== "heldOutLoss") return undefined;
    }
    history.push(record as StepRecord);
  }
  return history;
}

/** The curves of the report; `label` says what the loss is, with its unit. */
export function lossCurve(history: readonly StepRecord[], label: string): LossCurve {
  const measured = history.filter((record) => record.heldOutLoss !== undefined);
  return {
    label,
    train: { step: history.map(({ step }) => step), loss: history.map(({ loss }) => loss) },
    ...(measured.length > 0
      ? { validation: { step: measured.map(({ step }) => step), loss: measured.map((record) => record.heldOutLoss!) } }
      : {}),
  };
}
