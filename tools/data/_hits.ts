/** Reads hits one by one, so that an odd one costs itself alone. */
import { InputError } from "../errors.ts";
import type { HhrHit } from "./hhr.ts";
import type { Remarks } from "./remarks.ts";

/** A hit that cannot be read. */
export const ODD_HIT = { key: "oddHit", done: "the hit is left out", unit: "hit", isLeftOut: true } as const;

/** Something wrong with a hit, and where. */
export class HitFault extends Error {
  /** Line of the file, from 1; `undefined` if it is not known. */
  readonly line: number | undefined;
  /** What is wrong. */
  readonly found: string;

  /** Names the line, if it is known, and what is wrong there. */
  constructor(line: number | undefined, found: string) {
    super(found);
    this.line = line;
    this.found = found;
  }
}

/**
 * Reads hits; those that throw a {@linkcode HitFault} are left out with a remark.
 *
 * @throws {InputError} If all of them do.
 */
export function readHits<T>(
  items: readonly T[],
  source: string,
  remarks: Remarks,
  read: (item: T, index: number) => HhrHit,
): HhrHit[] {
  const hits: HhrHit[] = [];
  let first: HitFault | undefined;
  for (const [k, item] of items.entries()) {
    try {
      hits.push(read(item, k));
    } catch (error) {
      if (!(error instanceof HitFault)) throw error;
      first ??= error;
      remarks.add(ODD_HIT, error.line, () => error.found);
    }
  }
  if (first === undefined || hits.length > 0) return hits;
  throw new InputError(`${source}${first.line === undefined ? "" : ` line ${first.line}`}: ${first.found}`);
}
