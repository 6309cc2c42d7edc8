/** What each step of a training run was like. */
import type { StepReport } from "../../finetune/mod.ts";
import { snakeCase } from "../../model/weights/names.ts";
import type { LossCurve } from "../report/report_data.ts";

/** One recorded step; numbers count from 0 without the warm-up steps, times leave the making of the batch out. */
export interface StepRecord extends Omit<StepReport, "savedBytes" | "skipped" | "losses" | "learningRates"> {
  /** GPU memory that was allocated after the step, in bytes. */
  readonly memoryBytes: number;
  /** The most GPU memory that was allocated up to then, in bytes. */
  readonly peakBytes: number;
  /** Loss of what is watched, after the update; measured now and then. Only the best checkpoint and early ends heed it. */
  readonly heldOutLoss?: number;
  /** Measures of what is watched besides its loss, where the network has some. */
  readonly heldOutMeasures?: Readonly<Record<string, number>>;
  /** Terms of the loss before they are weighed, means over the samples, where the network tells them. */
  readonly terms?: Readonly<Record<string, number>>;
  /** What was not finite, where the step was skipped and the network tells terms. */
  readonly trouble?: string;
}

/** What a record has besides numbers of every network. */
type Details = Pick<StepRecord, "heldOutMeasures" | "terms" | "trouble">;

/** Numbers of every network. */
type NumberKey = Exclude<keyof StepRecord, keyof Details>;

const COLUMNS: readonly [name: string, key: NumberKey][] = [
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
  ["skipped_steps", "skippedSteps"],
  ["held_out_loss", "heldOutLoss"],
];

/** The history as CSV: a line a step; numbers in full, so that they read back to the same bits. */
export function historyCsv(history: readonly StepRecord[]): string {
  const namesOf = (of: (record: StepRecord) => Readonly<Record<string, number>> | undefined) => [
    ...new Set(history.flatMap((record) => Object.keys(of(record) ?? {}))),
  ];
  const terms = namesOf((record) => record.terms), measures = namesOf((record) => record.heldOutMeasures);
  const lines = history.map((record) =>
    [
      ...COLUMNS.map(([, key]) => record[key]),
      ...measures.map((name) => record.heldOutMeasures?.[name]),
      ...terms.map((name) => record.terms?.[name]),
    ].map((value) => value ?? "").join(",")
  );
  const header = [
    ...COLUMNS.map(([name]) => name),
    ...measures.map((name) => `held_out_${snakeCase(name)}`),
    ...terms.map((name) => `term_${snakeCase(name)}`),
  ];
  return [header.join(","), ...lines, ""].join("\n");
}

/** Whether a step was skipped, since its loss or the norm of its gradients is NaN or infinite. */
export function wasSkipped({ loss, gradNorm }: StepRecord): boolean {
  return !Number.isFinite(loss) || !Number.isFinite(gradNorm);
}

/** The watched loss so far: where it was lowest, and how many measurements there were since; undefined if it was never measured. */
export function bestOf(
  history: readonly StepRecord[],
): { readonly step: number; readonly loss: number; readonly since: number } | undefined {
  let best: { step: number; loss: number; since: number } | undefined;
  for (const { step, heldOutLoss } of history) {
    if (heldOutLoss === undefined) continue;
    if (Number.isFinite(heldOutLoss) && !(best && heldOutLoss >= best.loss)) {
      best = { step, loss: heldOutLoss, since: 0 };
    } else if (best) best.since++;
  }
  return best;
}

/** How many steps were skipped, and which was the last, as a sentence; undefined if none was. */
export function skippedText(history: readonly StepRecord[]): string | undefined {
  const last = history.findLast(wasSkipped);
  if (!last) return undefined;
  const steps = history.filter(wasSkipped).length;
  return `${steps} of ${history.length} steps ${
    steps === 1 ? "was" : "were"
  } skipped, as loss or gradient was NaN or ` +
    `infinite; the last one was step ${last.step}`;
}

/** Numbers that JSON does not know, by their names. */
const NOT_FINITE = new Map([NaN, Infinity, -Infinity].map((value) => [`${value}`, value]));

/** The history as plain JSON for a checkpoint: a list a step, null where there is no value; details in an object behind. */
export function packHistory(history: readonly StepRecord[]): unknown[][] {
  return history.map((record) => {
    const { heldOutMeasures, terms, trouble } = record;
    const details = {
      ...(heldOutMeasures && { heldOutMeasures: mapValues(heldOutMeasures, packed) }),
      ...(terms && { terms: mapValues(terms, packed) }),
      ...(trouble !== undefined && { trouble }),
    };
    const numbers = COLUMNS.map(([, key]) => packed(record[key] ?? null));
    return Object.keys(details).length > 0 ? [...numbers, details] : numbers;
  });
}

function packed(value: number | null): number | string | null {
  return value === null || Number.isFinite(value) ? value : `${value}`;
}

function unpacked(value: unknown): unknown {
  return NOT_FINITE.get(value as string) ?? value;
}

function mapValues<V, R>(values: Readonly<Record<string, V>>, map: (value: V) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value)]));
}

/** What {@link packHistory} packed; undefined if it is no such thing. */
export function unpackHistory(list: unknown): StepRecord[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const history: StepRecord[] = [];
  for (const given of list) {
    if (!Array.isArray(given)) return undefined;
    const details: unknown = given.at(-1);
    const hasDetails = typeof details === "object" && details !== null;
    const row = hasDetails ? given.slice(0, -1) : given;
    // Runs of before steps could be skipped lack their count.
    const columns = row.length === COLUMNS.length ? COLUMNS : COLUMNS.filter(([, key]) => key !== "skippedSteps");
    if (row.length !== columns.length) return undefined;
    const record: Partial<Record<NumberKey, number>> = { skippedSteps: 0 };
    for (const [i, [, key]] of columns.entries()) {
      const value = unpacked(row[i]);
      if (typeof value === "number") record[key] = value;
      else if (value !== null || key !== "heldOutLoss") return undefined;
    }
    history.push({ ...record as StepRecord, ...(hasDetails && detailsIn(details as Record<string, unknown>)) });
  }
  return history;
}

function detailsIn({ heldOutMeasures, terms, trouble }: Record<string, unknown>): Details {
  const numbers = (given: unknown) => mapValues(Object(given) as Record<string, unknown>, unpacked);
  return {
    ...(heldOutMeasures !== undefined && { heldOutMeasures: numbers(heldOutMeasures) as Record<string, number> }),
    ...(terms !== undefined && { terms: numbers(terms) as Record<string, number> }),
    ...(typeof trouble === "string" && { trouble }),
  };
}

/** The curves of the report, where they are finite; `label` says what the loss is, with its unit. */
export function lossCurve(history: readonly StepRecord[], label: string): LossCurve {
  const measured = history.filter(({ heldOutLoss }) => Number.isFinite(heldOutLoss));
  const trained = history.filter(({ loss }) => Number.isFinite(loss));
  return {
    label,
    train: { step: trained.map(({ step }) => step), loss: trained.map(({ loss }) => loss) },
    ...(measured.length > 0
      ? { validation: { step: measured.map(({ step }) => step), loss: measured.map((record) => record.heldOutLoss!) } }
      : {}),
  };
}
