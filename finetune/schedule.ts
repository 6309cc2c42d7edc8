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
}

/**
 * Factor of the base learning rate at optimizer step `step` (from 0): linear warm-up, then constant, a line or half a
 * cosine down to `min`.
 */
export function learningRateFactor(
  step: number,
  { kind = "constant", warmup = 0, total = 0, min = 0 }: Schedule,
): number {
  if (step < warmup) return (step + 1) / warmup;
  const t = Math.min(1, (step - warmup) / Math.max(1, total - warmup));
  if (kind === "cosine") return min + (1 - min) * 0.5 * (1 + Math.cos(Math.PI * t));
  return kind === "linear" ? min + (1 - min) * (1 - t) : 1;
}
