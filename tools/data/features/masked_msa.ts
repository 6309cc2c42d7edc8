/** The task of guessing hidden residues of an alignment: what is hidden, and what stands in its place. */
import type { Key } from "../../../core/mod.ts";
import { checkSize, checkTokens, rowCount } from "./_check.ts";
import { MSA_CLASSES } from "./msa.ts";

/** Classes of a token of the network: 20 amino acids, `X`, gap, mask. */
export const MASKED_CLASSES = 23;

/** Token that hides a residue. */
export const MASK_TOKEN = 22;

/** How often residues are hidden and what replaces them; what is left of 1 is the mask token. */
export interface MaskedMsaOptions {
  /** Part of the residues that are hidden. @default 0.15 */
  readonly replaceFraction?: number;
  /** Probability of any of the 20 amino acids. @default 0.1 */
  readonly uniformProb?: number;
  /** Probability of a draw from the column's profile. @default 0.1 */
  readonly profileProb?: number;
  /** Probability of no change. @default 0.1 */
  readonly sameProb?: number;
}

/** Which residues are hidden, and what every place would get. */
export interface MaskingChoice {
  /** 1 where the residue is hidden, `[N_seq, N_res]`. */
  readonly mask: ArrayLike<number>;
  /** The token of each place if it is hidden, `[N_seq, N_res]`. */
  readonly tokens: ArrayLike<number>;
}

/** An alignment with hidden residues. */
export interface MaskedMsa {
  /** What the network sees, `[N_seq, N_res]`. */
  readonly msa: Int32Array;
  /** What it should say, `[N_seq, N_res]`. */
  readonly true_msa: Int32Array;
  /** 1 where it is asked, `[N_seq, N_res]`. */
  readonly bert_mask: Float32Array;
}

const AMINO_ACIDS = 20;

/**
 * Probabilities of what replaces each residue, if it is hidden.
 *
 * Source: AlphaFold's `make_masked_msa`; Jumper et al. (2021), Suppl. 1.2.7.
 *
 * @param msa Residue types, `[N_seq, N_res]`.
 * @param profile `[N_res, 22]`, see `makeHhblitsProfile`.
 * @returns `[N_seq, N_res, 23]`
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a token is not 0 … 21, or the probabilities sum to more than 1.
 */
export function maskedMsaProbabilities(
  msa: ArrayLike<number>,
  profile: ArrayLike<number>,
  options: MaskedMsaOptions = {},
): Float32Array {
  const columns = columnsOf("maskedMsaProbabilities", msa, profile);
  const of = mixture(profile, options);
  const probabilities = new Float32Array(msa.length * MASKED_CLASSES);
  const place = new Float64Array(MASKED_CLASSES);
  for (let i = 0; i < msa.length; i++) {
    of(i % columns, msa[i], place);
    probabilities.set(place, i * MASKED_CLASSES);
  }
  return probabilities;
}

/**
 * Hides residues of an alignment.
 *
 * @param msa Residue types, `[N_seq, N_res]`.
 * @param profile `[N_res, 22]`, see `makeHhblitsProfile`; only a key needs it.
 * @param choice A key to draw with, or the choice itself.
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a token is out of range, or the probabilities sum to more than 1.
 */
export function makeMaskedMsa(
  msa: ArrayLike<number>,
  profile: ArrayLike<number>,
  choice: Key | MaskingChoice,
  options: MaskedMsaOptions = {},
): MaskedMsa {
  const { mask, tokens } = "tokens" in choice ? choice : drawMasking(msa, profile, choice, options);
  checkSize("makeMaskedMsa", "mask", mask, msa.length);
  checkSize("makeMaskedMsa", "tokens", tokens, msa.length);
  checkTokens("makeMaskedMsa", "tokens", tokens, MASKED_CLASSES);
  return {
    msa: Int32Array.from(msa, (token, i) => mask[i] !== 0 ? tokens[i] : token),
    true_msa: Int32Array.from(msa),
    bert_mask: Float32Array.from(mask, (hidden) => hidden !== 0 ? 1 : 0),
  };
}

/** Draws what is hidden and by what. */
function drawMasking(
  msa: ArrayLike<number>,
  profile: ArrayLike<number>,
  key: Key,
  options: MaskedMsaOptions,
): MaskingChoice {
  const columns = columnsOf("makeMaskedMsa", msa, profile);
  const of = mixture(profile, options);
  const { replaceFraction = 0.15 } = options;
  const [whether, which] = key.split(2);
  const draws = which.uniform(msa.length);
  const place = new Float64Array(MASKED_CLASSES);
  return {
    mask: Float32Array.from(whether.uniform(msa.length), (draw) => draw < replaceFraction ? 1 : 0),
    tokens: Int32Array.from(draws, (draw, i) => {
      of(i % columns, msa[i], place);
      let token = 0;
      for (let sum = place[0]; sum <= draw && token < MASK_TOKEN; sum += place[token]) token++;
      return token;
    }),
  };
}

/** Writes the probabilities of a place with a token into an array of 23. */
function mixture(
  profile: ArrayLike<number>,
  { uniformProb = 0.1, profileProb = 0.1, sameProb = 0.1 }: MaskedMsaOptions,
): (column: number, token: number, into: Float64Array) => void {
  const maskProb = 1 - uniformProb - profileProb - sameProb;
  if (!(Math.min(uniformProb, profileProb, sameProb) >= 0 && maskProb >= -1e-9)) {
    throw new RangeError(
      `Cannot replace residues with probabilities ${uniformProb} (any), ${profileProb} (profile), ${sameProb} (same): ` +
        `expected at least 0 each and a sum of at most 1`,
    );
  }
  return (column, token, into) => {
    for (let k = 0; k < MSA_CLASSES; k++) {
      into[k] = profileProb * profile[column * MSA_CLASSES + k] + (k < AMINO_ACIDS ? uniformProb / AMINO_ACIDS : 0);
    }
    into[token] += sameProb;
    into[MASK_TOKEN] = Math.max(maskProb, 0);
  };
}

function columnsOf(owner: string, msa: ArrayLike<number>, profile: ArrayLike<number>): number {
  const columns = rowCount(owner, "profile", profile, MSA_CLASSES);
  rowCount(owner, "msa", msa, columns);
  checkTokens(owner, "msa", msa, MSA_CLASSES);
  return columns;
}
