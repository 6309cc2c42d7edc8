/** A run without data: does the machine fine-tune? */
import { Key } from "../../core/mod.ts";
import type { AlphaFoldChoices } from "../../model/alphafold/mod.ts";
import { planModels } from "../predict/models.ts";
import { prepareTarget } from "../prep/prepare_target.ts";
import type { GivenSets } from "./finetune.ts";
import type { ReadableTarget } from "./targets.ts";

/** Proteins of the demo: 6 to train on, 2 to validate with. */
const TRAIN = 6, VALIDATION = 2;

/** Residues of each. */
export const DEMO_RESIDUES = 32;

/** A network small enough for a processor. */
const SIZES: AlphaFoldChoices = {
  ...{ cM: 32, cZ: 32, cS: 64, cExtra: 16 },
  extraMsa: { nBlock: 1 },
  evoformer: { nBlock: 2 },
  structure: { nBlock: 2 },
};

const LETTERS = "ACDEFGHIKLMNPQRSTVWY";

/**
 * Proteins drawn at random, whose label is how hydrophobic they are, and a small network with random weights.
 *
 * @param weights The network to use instead. @default a small one
 */
export async function demoSets(seed: number, weights?: string): Promise<GivenSets> {
  const key = Key.fromSeed(seed);
  const targets = Array.from({ length: TRAIN + VALIDATION }, (_, i): ReadableTarget => {
    const draws = key.at(i).uniform(DEMO_RESIDUES);
    const sequence = Array.from(draws, (x) => LETTERS[Math.floor(x * LETTERS.length)]).join("");
    const id = `demo_${i + 1}`;
    const label = 4 + 10 * sequence.split("").filter((letter) => "AFILMVWY".includes(letter)).length / DEMO_RESIDUES;
    return { id, sequence, rows: [{ label }], warnings: [], load: () => prepareTarget({ id, sequence }) };
  });
  const [model] = await planModels(weights ?? `random:${seed}`, ["model_1_ptm"], weights ? {} : SIZES);
  return {
    model,
    sets: { train: targets.slice(0, TRAIN), validation: targets.slice(TRAIN), test: [] },
    sizes: weights ? {} : SIZES,
  };
}
