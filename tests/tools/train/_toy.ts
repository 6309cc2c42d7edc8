/** A small training run for tests: three zinc fingers, a model of a few thousand parameters. */
import { fileURLToPath } from "node:url";
import { type Family, loadFamily } from "../../../tools/data/family.ts";
import {
  DEFAULT_MODEL,
  DEFAULT_TRAINING,
  type EvoformerSettings,
  type TrainSettings,
} from "../../../tools/train/settings.ts";
import { familyExamples } from "../../../tools/train/examples.ts";
import type { TrainData } from "../../../tools/train/network.ts";
import type { TrainView } from "../../../tools/train/view.ts";

/** The folder of the zinc fingers. */
export const FINGERS: string = fileURLToPath(new URL("../../../examples/zinc_fingers", import.meta.url));

/** Their alignment. */
export const FINGERS_MSA = `${FINGERS}/zinc_fingers.a3m`;

/** Three of them, of 25, 30 and 29 residues. */
export const TOY_IDS = ["1znf", "1paa", "1sp1"];

/** Flags of the command line for the same. */
export const TOY_FLAGS: string[] = [
  ...["--structures", ...TOY_IDS.map((id) => `${FINGERS}/${id}.cif`), "--msa", FINGERS_MSA],
  ...["--msa-dim", "8", "--pair-dim", "8", "--num-blocks", "1", "--num-seqs", "3", "--batch-size", "2"],
];

/** Reads the three. */
export function toyFamily(): Promise<Family> {
  return loadFamily({ structures: TOY_IDS.map((id) => `${FINGERS}/${id}.cif`), msa: FINGERS_MSA });
}

/** The three as a run learns from them. */
export async function toyData(): Promise<TrainData> {
  const family = await toyFamily();
  return {
    examples: familyExamples([family], family.members),
    description: "3 structures, an alignment of 15 sequences",
  };
}

/** Settings of a small run. */
export function toySettings(training: Partial<TrainSettings["training"]> = {}): TrainSettings<EvoformerSettings> {
  return {
    model: { ...DEFAULT_MODEL, msaDim: 8, pairDim: 8, numBlocks: 1, numSeqs: 3 },
    training: { ...DEFAULT_TRAINING, batchSize: 2, numSteps: 6, learningRate: 0.01, ...training },
    data: { kind: "structures", structures: [FINGERS], msa: FINGERS_MSA, holdOut: [] },
  };
}

/** A view that keeps what it is told. */
export function quietView(): TrainView & { lines: string[]; steps: number[] } {
  const lines: string[] = [];
  const steps: number[] = [];
  return {
    ...{ lines, steps },
    say: (line) => void lines.push(line),
    begin() {},
    step: (done) => void steps.push(done),
    end() {},
  };
}

/** Never stops. */
export const GO_ON = { poll: () => Promise.resolve(false) };

/** Runs with a folder that is removed at the end. */
export async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
