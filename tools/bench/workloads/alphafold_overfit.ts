/** Whether AlphaFold learns one structure by heart: from random parameters, through the trainer. */
import type { AlphaFoldParams } from "../../../model/alphafold/mod.ts";
import { structureViolations } from "../../../model/protein/metrics/mod.ts";
import { evaluatePrediction } from "../../predict/evaluate.ts";
import { encodeFeatureFile, parseFeatureFile } from "../../prep/feature_file.ts";
import { prepareTarget } from "../../prep/prepare_target.ts";
import { openAlphaFold } from "../../train/alphafold/source.ts";
import { alphafoldDefaults } from "../../train/alphafold/options.ts";
import type { Example } from "../../train/examples.ts";
import { TrainingSession } from "../../train/session.ts";
import type { EvoformerSettings, TrainSettings } from "../../train/settings.ts";
import { atLeast, atMost, type Measurement, round } from "../record.ts";
import type { BenchContext } from "./mod.ts";

/** Ubiquitin, of Debian's python3-prody-tests. */
export const UBIQUITIN = "/usr/lib/python3/dist-packages/prody/tests/datafiles/pdb1ubi.pdb";

/** Steps between two looks at the structure. */
const LOOK_EVERY = 100;

/** Sizes: a third of the reduced network's parameters. */
const SIZES = { msaDim: 32, pairDim: 32, numBlocks: 2, seqLen: 76 };
const OWN_SIZES = { singleDim: 64, structureBlocks: 4, recycles: 0, recompute: "nothing" } as const;
/** Most steps, learning rate and its warm-up. */
const OVERFIT = { numSteps: 6000, batchSize: 1, learningRate: 5e-3, lrWarmupSteps: 20, ema: 0.99 };
/**
 * Nothing is left out by chance, as there is nothing to generalize to. All distances count from the first, since residues
 * begin in one place and most of them are farther apart than the clamp; hidden letters of the one row teach no structure.
 */
const PLAIN = {
  ...{ msaDropout: 0, pairDropout: 0, structureDropout: 0, templateDropout: 0, dropStep: null },
  ...{ unclamped: 1, msaWeight: 0.2, adamEps: 1e-8 },
};

/** The bars. */
const LDDT = 0.95, FAPE_ANGSTROM = 0.5;

/**
 * A small network and 1UBI: sequence alone, no templates. It is done as soon as the structure that the averaged parameters
 * predict passes both bars.
 */
export async function* alphafoldOverfit({ device, note }: BenchContext): AsyncIterable<Measurement> {
  const structure = await Deno.stat(UBIQUITIN).then(() => UBIQUITIN, () => undefined);
  if (structure === undefined) return note(`  ${UBIQUITIN} is missing: apt-get install python3-prody-tests`);
  const settings = overfitSettings();
  const example = await exampleOf("1ubi", structure);
  const file = example.target!.features();
  const learning = await openAlphaFold(settings, { examples: [example], description: "1UBI" });
  using session = new TrainingSession(device, settings, learning);
  const { network } = session;
  const began = performance.now();
  const look = () =>
    session.withParams(async (params: AlphaFoldParams) => {
      const prediction = await network.predictStructure!(device, params, file);
      return { prediction, ...evaluatePrediction(prediction, file) };
    });
  let seen = await look();
  while (session.step < settings.training.numSteps) {
    await session.advance();
    if (session.step % LOOK_EVERY !== 0) continue;
    seen = await look();
    const { lddt, fape, plddt } = seen.measures;
    const loss = session.history.slice(-LOOK_EVERY).reduce((sum, { loss }) => sum + loss / LOOK_EVERY, 0);
    note(
      `  step ${session.step}, ${Math.round((performance.now() - began) / 1000)} s: loss ${loss.toFixed(3)}, lDDT-CA ` +
        `${lddt.toFixed(3)} (predicted ${plddt.toFixed(3)}), FAPE ${fape.toFixed(2)} A`,
    );
    if (lddt >= LDDT && fape <= FAPE_ANGSTROM) break;
  }
  const { history } = session;
  const times = history.map(({ totalMs }) => totalMs).sort((a, b) => a - b);
  const { all_atom_positions, all_atom_mask } = file.supervised!;
  const violationsOf = (positions: Float32Array, mask: Float32Array) =>
    structureViolations({ sequence: file.sequence, positions, mask }).perResidue.reduce((sum, x) => sum + x, 0);
  const own = violationsOf(seen.prediction.atomPositions, seen.prediction.atomMask);
  const known = violationsOf(all_atom_positions, all_atom_mask);
  yield {
    workload: "alphafold-overfit",
    sizes: {
      ...{ parameters: network.parameters, n_res: file.sequence.length, steps: session.step },
      seconds: Math.round((performance.now() - began) / 1000),
    },
    dtype: "f32",
    mode: "training from random parameters",
    ...{ ms_min: round(times[0]), ms_median: round(times[times.length >> 1]), gflops: null, gflops_per_cpu_s: null },
    peak_bytes: device.memory.peakAllocatedBytes,
    losses: [0, history.length >> 1, history.length - 1].map((i) => round(history[i].loss)),
    bars: [
      atLeast("lDDT-CA", round(seen.measures.lddt), LDDT),
      atMost("A of FAPE", round(seen.measures.fape), FAPE_ANGSTROM),
      atMost("residues with violations", own, known),
    ],
  };
}

/** Settings of the run. */
export function overfitSettings(): TrainSettings<EvoformerSettings> {
  const { model, training, own } = alphafoldDefaults({ size: "reduced" });
  return {
    model: { ...model, ...SIZES },
    training: { ...training, ...OVERFIT },
    data: { kind: "features", folder: "1ubi" },
    own: { ...own, ...OWN_SIZES, ...PLAIN },
  };
}

/** A structure as an example, with its sequence alone. */
export async function exampleOf(id: string, structure: string): Promise<Example> {
  const bytes = encodeFeatureFile(await prepareTarget({ id, structure }));
  const file = parseFeatureFile(bytes, structure);
  const { sequence, supervised } = file;
  return {
    ...{
      id,
      source: structure,
      sequence,
      depth: 1,
      identity: [id, sequence, supervised!.all_atom_positions],
    },
    sample() {
      throw new TypeError("AlphaFold learns from features");
    },
    target: { rows: 1, resolutionAngstrom: supervised!.resolution[0], features: () => file },
  };
}
