/** Form of the decay after the warm-up. */
export type ScheduleKind = "constant" | "linear" | "cosine";

/** How the learning rate goes over the steps. */
export interface Schedule {
  /** Form of the decay. @default "constant" */
  readonly kind?: ScheduleKind;
  /** Steps over which the rate rises from 1/warmup to 1. @default 0 */
  readonly warmup?: number;
  /** Steps until the end of the decay. */
  readonly total?: number;
  /** Fraction of the base rate at the end. @default 0 */
  readonly min?: number;
  /** From a step on, counted from 0, the rate is multiplied by a factor. @default it never is */
  readonly drop?: { readonly step: number; readonly factor: number };
}

/**
 * Factor of the base learning rate at optimizer step `step` (from 0): linear warm-up, then constant, a line or half a
 * cosine down to `min`; times the factor of the drop from its step on.
 */
export function learningRateFactor(
  step: number,
  { drop, ...schedule }: Schedule,
): number {
  return factorWithoutDrop(step, schedule) * (drop && step >= drop.step ? drop.factor : 1);
}

function factorWithoutDrop(
  step: number,
  { kind = "constant", warmup = 0, total = 0, min = 0 }: Omit<Schedule, "drop">,
): number {
  if (step < warmup) return (step + 1) / warmup;
  const t = Math.min(1, (step - warmup) / Math.max(1, total - warmup));
  if (kind === "cosine") return min + (1 - min) * 0.5 * (1 + Math.cos(Math.PI * t));
  return kind === "linear" ? min + (1 - min) * (1 - t) : 1;
}
