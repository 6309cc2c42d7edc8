/** Sets of proteins to learn from. */
import type { LabelledSample } from "./fine_tuned.ts";

/** Proteins with labels. */
export interface LabelledSet {
  /** How many. */
  readonly size: number;
  /**
   * One of them; its tensors are owned by the scope that is current when this is called.
   *
   * @param draw Number of the epoch, from 0, for random choices that are made anew in each. @default those of no epoch
   */
  load(index: number, draw?: number): LabelledSample | Promise<LabelledSample>;
  /** Residues of one of them, for batches of like lengths. @default all count as equally long */
  residues?(index: number): number;
}
