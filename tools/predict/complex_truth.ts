/** The experimental structure of a complex as a prediction shows it. */
import { alignChains, type ComplexTrace, truthRows } from "../../model/multimer/mod.ts";
import { dockQ, lddt, tmScore } from "../../model/protein/metrics/mod.ts";
import { ATOM_SLOTS, SLOT } from "../../model/protein/residues.ts";
import type { PreparedTarget } from "../prep/prepare_target.ts";
import { evaluatePrediction, type Evaluation } from "./evaluate.ts";
import { givenOrder, reordered } from "./permute_prediction.ts";
import { alphasOf, chainNames, type Prediction } from "./prediction.ts";
import type { ChainExperiment, InterfaceExperiment } from "./report_data.ts";

/** Atoms of the truth in the order of a prediction's residues. */
export interface Truth {
  /** Å, `[N_res, 37, 3]` */
  readonly positions: Float32Array;
  /** `[N_res, 37]` */
  readonly mask: Float32Array;
  /** For each predicted chain the place of the true one that it stands for, in the order given. */
  readonly chains: readonly number[];
}

/**
 * The true atoms of a complex, each predicted chain beside the true one of its sequence that it stands for.
 *
 * @param prediction Its chains as they were given.
 */
export function truthOf(prediction: Prediction, { chains, supervised }: PreparedTarget): Truth {
  const order = givenOrder(chains!), own = prediction.chains!;
  const positions = reordered(supervised!.all_atom_positions, order, ATOM_SLOTS * 3);
  const mask = reordered(supervised!.all_atom_mask, order, ATOM_SLOTS);
  const sequences = own.map(({ start, residues }) => prediction.sequence.slice(start, start + residues));
  const perResidue = (of: (k: number, i: number) => number) =>
    own.flatMap(({ residues }, k) => Array.from({ length: residues }, (_, i) => of(k, i)));
  const ids = { asymId: perResidue((k) => k + 1), entityId: perResidue((k) => sequences.indexOf(sequences[k]) + 1) };
  const trace = (x: Float32Array, there: Float32Array): ComplexTrace => ({
    ...ids,
    positions: alphasOf(x),
    mask: Float32Array.from(ids.asymId, (_, i) => there[i * ATOM_SLOTS + SLOT.CA]),
  });
  const predicted = {
    ...trace(prediction.atomPositions, prediction.atomMask),
    residueIndex: perResidue((_, i) => i),
  };
  const truth = trace(positions, mask);
  const pairs = alignChains(predicted, truth);
  const rows = truthRows(predicted, truth, pairs);
  return {
    positions: reordered(positions, rows, ATOM_SLOTS * 3),
    mask: reordered(mask, rows, ATOM_SLOTS),
    chains: pairs.toSorted(([a], [b]) => a - b).map(([, chain]) => chain),
  };
}

/** Measures a prediction in the order of a target's features, as networks give it; copies of a chain may change places. */
export function evaluateTarget(prediction: Prediction, file: PreparedTarget): Evaluation {
  if (!file.chains) return evaluatePrediction(prediction, file);
  let start = 0;
  const chains = file.chains.map(({ name, residues }) => ({ name, residues, start: (start += residues) - residues }));
  const inOrder = file.chains.map((chain, input) => ({ ...chain, input }));
  const { positions, mask } = truthOf({ ...prediction, chains }, { ...file, chains: inOrder });
  const known = { all_atom_positions: positions, all_atom_mask: mask };
  return evaluatePrediction(prediction, { id: file.id, supervised: known });
}

/** How near chains and interfaces of a prediction are to the truth, each beside its own. */
export function compareChains(
  prediction: Prediction,
  truth: Truth,
): { chains: ChainExperiment[]; interfaces: InterfaceExperiment[] } {
  const { atomPositions, atomMask, chains: own = [] } = prediction;
  const names = chainNames(prediction);
  const chains = own.map(({ start, residues }, k): ChainExperiment => {
    const cut = (x: Float32Array) => x.subarray(3 * start, 3 * (start + residues));
    const mask = Float32Array.from({ length: residues }, (_, i) => truth.mask[(start + i) * ATOM_SLOTS + SLOT.CA]);
    const named = { chain: names[k], truth: names[truth.chains[k]] };
    if (mask.reduce((sum, x) => sum + x, 0) < 3) return { ...named, lddt: null, tmScore: null };
    const [ours, theirs] = [cut(alphasOf(atomPositions)), cut(alphasOf(truth.positions))];
    return {
      ...named,
      lddt: lddt(ours, theirs, { mask }).overall,
      tmScore: tmScore(ours, theirs, { mask }).score,
    };
  });
  const model = { positions: atomPositions, mask: atomMask };
  const interfaces = own.flatMap((a, p) =>
    own.slice(p + 1).flatMap((b, k): InterfaceExperiment[] => {
      const found = dockQ(model, truth, a, b);
      return found ? [{ chains: [names[p], names[p + 1 + k]], ...found }] : [];
    })
  );
  return { chains, interfaces };
}
