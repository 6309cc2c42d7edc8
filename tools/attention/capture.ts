/** Runs a network on an alignment and records its attention. */
import type { Device } from "../../core/mod.ts";
import { ATTENTION_KINDS, type AttentionKind, type AttentionSite } from "../../model/layers/attention_capture.ts";
import { AttentionRecorder, type RecordedArray } from "../../model/layers/attention_recorder.ts";
import type { MsaTokens } from "../data/family.ts";
import { InputError } from "../errors.ts";
import type { AttentionModel } from "./attention_model.ts";

/** Words for the kinds of attention. */
export const KIND_NAMES: Readonly<Record<AttentionKind, string>> = {
  msaRowAttention: "row",
  msaColumnAttention: "column",
  triangleAttentionStarting: "triangle-starting",
  triangleAttentionEnding: "triangle-ending",
};

/** What is captured; what is left out counts as all. */
export interface CaptureChoice {
  /** Blocks, from 0. */
  readonly blocks?: readonly number[];
  /** Heads, from 0, or the mean over all heads. */
  readonly heads?: readonly number[] | "mean";
  /** Kinds of attention. */
  readonly kinds?: readonly AttentionKind[];
  /**
   * Residues, from 0, at which column and triangle attention are kept as they are, besides the means over all residues.
   * @default as many as {@link USUAL_NUMBERS} lets, evenly spread
   */
  readonly residues?: readonly number[];
  /** Keep the attention of all residues and all sequences. @default false */
  readonly full?: boolean;
}

/** The attention of one kind, of all blocks. */
export interface CapturedKind {
  /** Which. */
  readonly kind: AttentionKind;
  /** Heads, from 0; none if the maps are the mean over heads, which then stands for the only head. */
  readonly heads: readonly number[];
  /** Means over all rows, for each block `[head, query, key]`. */
  readonly means: readonly RecordedArray[];
  /** The rows kept, from 0: sequences for row attention, residues for the others. */
  readonly rows: readonly number[];
  /** Their maps, for each block `[row, head, query, key]`. */
  readonly slices: readonly RecordedArray[];
}

/** What was captured. */
export interface Captured {
  /** Blocks, from 0. */
  readonly blocks: readonly number[];
  /** The kinds, in the order in which a block runs them. */
  readonly kinds: readonly CapturedKind[];
}

/** Numbers that are kept of single rows where no more is asked for: 8 MB. */
export const USUAL_NUMBERS = 2_000_000;

/** Most numbers that are kept at all: 1 GiB. */
export const MOST_NUMBERS = 2 ** 28;

/** Most numbers of means over rows, all of which the page holds in 16 bits. */
const MOST_MEANS = 2 ** 25;

/** So many of the numbers 0 … `length` − 1, evenly spread, all if there are no more. */
export function spread(length: number, count: number): number[] {
  if (count >= length) return [...Array(length).keys()];
  return Array.from({ length: count }, (_, i) => Math.floor((i + 0.5) * length / count));
}

/**
 * Runs a network and records attention.
 *
 * @param alignment The target's row first.
 * @throws {InputError} If there is no such block, head or residue, or more would be kept than {@link MOST_NUMBERS} or than
 * a page can show.
 */
export async function captureAttention(
  device: Device,
  model: AttentionModel,
  alignment: MsaTokens,
  choice: CaptureChoice = {},
): Promise<Captured> {
  const { heads, residues, full = false } = choice;
  const { kinds: there = ATTENTION_KINDS } = model;
  const absent = choice.kinds?.find((kind) => !there.includes(kind));
  if (absent) {
    const names = there.map((kind) => KIND_NAMES[kind]).join(", ");
    throw new InputError(`There is no ${KIND_NAMES[absent]} attention: the model has ${names}`);
  }
  const kinds = ATTENTION_KINDS.filter((kind) => there.includes(kind) && (choice.kinds?.includes(kind) ?? true));
  const blocks = choice.blocks ?? [...Array(model.blocks).keys()];
  const nRes = alignment.rows[0].length;
  const nSeq = alignment.rows.length;
  inside(blocks, model.blocks, "layer", "the model");
  inside(residues ?? [], nRes, "residue", "the target", 1);
  for (const kind of kinds) {
    if (Array.isArray(heads)) inside(heads, model.headsOf(kind), "head", `the model's ${KIND_NAMES[kind]} attention`);
  }
  const sizes = kinds.map((kind) => {
    const size = kind === "msaColumnAttention" ? nSeq : nRes;
    const maps = blocks.length * (heads === "mean" ? 1 : heads?.length ?? model.headsOf(kind));
    return { kind, rows: kind === "msaRowAttention" ? nSeq : nRes, numbers: maps * size * size };
  });
  const ofResidue = sizes.filter(({ kind }) => kind !== "msaRowAttention").reduce(
    (sum, { numbers }) => sum + numbers,
    0,
  );
  const usual = () => spread(nRes, Math.max(1, Math.floor(USUAL_NUMBERS / Math.max(1, ofResidue))));
  const chosen = residues ?? usual();
  const rowsOf = ({ kind, rows }: Pick<AttentionSite, "kind" | "rows">) =>
    full ? [...Array(rows).keys()] : kind === "msaRowAttention" ? [0] : chosen;
  const means = sizes.reduce((sum, { numbers }) => sum + numbers, 0);
  if (means > MOST_MEANS) {
    throw new InputError(
      `The means over rows take ${gibibytes(means)} GiB, more than the ${
        gibibytes(MOST_MEANS)
      } GiB that a page can show: ` +
        "choose fewer layers, heads, kinds or sequences",
    );
  }
  const total = means + sizes.reduce((sum, size) => sum + size.numbers * rowsOf(size).length, 0);
  if (total > MOST_NUMBERS) {
    throw new InputError(
      `The attention asked for takes ${gibibytes(total)} GiB, more than the ${
        gibibytes(MOST_NUMBERS)
      } GiB that are kept: ` +
        "choose fewer layers, heads, kinds or residues",
    );
  }
  const recorder = new AttentionRecorder({
    ...{ blocks, kinds, rowMean: true, rows: rowsOf },
    heads: heads === "mean" ? undefined : heads,
    headMean: heads === "mean",
  });
  await model.run(device, alignment, recorder);
  const recorded = await recorder.recorded();
  return {
    blocks: blocks.toSorted((a, b) => a - b),
    kinds: kinds.map((kind) => {
      const own = recorded.filter(({ site }) => site.kind === kind);
      const withoutBatch = ({ shape, data }: RecordedArray, axis: number) => ({
        shape: shape.toSpliced(axis, 1),
        data,
      });
      return {
        ...{ kind, heads: own[0].heads, rows: own[0].rows },
        means: own.map(({ rowMean }) => withoutBatch(rowMean!, 0)),
        slices: own.map(({ maps }) => withoutBatch(maps, 1)),
      };
    }),
  };
}

function inside(numbers: readonly number[], count: number, name: string, owner: string, first = 0): void {
  const wrong = numbers.find((number) => number >= count);
  if (wrong === undefined) return;
  throw new InputError(`There is no ${name} ${wrong + first}: ${owner} has ${first} … ${count - 1 + first}`);
}

function gibibytes(numbers: number): string {
  return String(Number((4 * numbers / 2 ** 30).toPrecision(3)));
}
