/** What the report shows of a target. */
import { correctMsaRestypes } from "../data/features/msa.ts";
import type { PreparedTarget } from "../prep/prepare_target.ts";
import { interfaceContacts, interfaceScores } from "./interfaces.ts";
import { msaData } from "./msa_data.ts";
import { chainsAsGiven, givenOrder, reordered } from "./permute_prediction.ts";
import {
  chainNames,
  meanPlddt,
  type Prediction,
  predictionNames,
  type RankBy,
  ranking,
  type ResidueNaming,
} from "./prediction.ts";
import { type ExperimentData, type FrameData, packBytes, packPositions, type TargetData } from "./report_data.ts";

/** Names of the residues: those of the structure that was given, else numbers from the first residue's on. */
export function namingOf({ sequence, chain, chains, numbering }: PreparedTarget, first?: number): ResidueNaming {
  const chainId = chain ?? "A";
  if (chains && numbering && first === undefined) {
    const order = givenOrder(chains);
    return {
      chainId,
      residueNumbers: reordered(numbering.residueNumbers, order, 1),
      insertionCodes: Array.from(order, (i) => numbering.insertionCodes[i]),
    };
  }
  if (chains) {
    const numbers = chainsAsGiven(chains).flatMap(({ residues }) =>
      Array.from({ length: residues }, (_, i) => (first ?? 1) + i)
    );
    return { chainId, residueNumbers: Int32Array.from(numbers), insertionCodes: numbers.map(() => "") };
  }
  if (numbering && first === undefined) return { chainId, ...numbering };
  return {
    chainId,
    residueNumbers: Int32Array.from({ length: sequence.length }, (_, i) => (first ?? 1) + i),
    insertionCodes: new Array<string>(sequence.length).fill(""),
  };
}

/** What the report shows of a target. */
export function targetData(
  id: string,
  { features, depth, chains }: PreparedTarget,
  predictions: readonly Prediction[],
  naming: ResidueNaming,
  rankBy: RankBy,
  warnings: readonly string[],
  files: ReadonlyMap<string, Uint8Array | string>,
  experiments: readonly ExperimentData[],
): TargetData {
  const { sequence } = predictions[0];
  const links = (match: (name: string) => boolean) =>
    [...files.keys()].filter(match).map((name) => ({ label: name, href: name }));
  const names = predictionNames(predictions);
  return {
    id,
    sequence,
    ...(chains && {
      chains: chainsAsGiven(chains).map(({ start, residues }, k) => ({
        name: chainNames(predictions[0])[k],
        start,
        residues,
      })),
    }),
    numbers: Array.from(naming.residueNumbers, (number, i) => `${number}${naming.insertionCodes[i]}`),
    predictions: ranking(predictions, rankBy).map((index, rank) => {
      const prediction = predictions[index], name = names[index];
      const { plddt, pae, maxPae = 0, distances, recycles, trajectory, preset, seed, ptm = null } = prediction;
      const own = (file: string) =>
        file.includes(name) || file.includes(`rank_${String(rank + 1).padStart(3, "0")}_`) ||
        file.startsWith(`ranked_${rank}.`);
      return {
        ...{ rank: rank + 1, name, preset, seed, ptm },
        ...(prediction.iptm !== undefined && { iptm: prediction.iptm }),
        ...(prediction.chains && {
          interfaces: interfaceScores(prediction, chainNames(prediction)),
          contacts: interfaceContacts(prediction),
        }),
        meanPlddt: meanPlddt(prediction),
        plddt: Array.from(plddt, (value) => Math.round(10 * value) / 10),
        cif: String(
          files.get(`unrelaxed_${name}.cif`) ?? [...files].find(([file]) => own(file) && file.endsWith(".cif"))![1],
        ),
        pae: pae ? packBytes(pae, 0, maxPae) : null,
        maxPae,
        distances: packBytes(distances, 2, 22),
        recycles: recycles.map(({ meanPlddt, ptm, distanceChange }) => ({ meanPlddt, ptm, distanceChange })),
        frames: framesOf(recycles.map(({ alphas }) => alphas), trajectory),
        seconds: prediction.seconds.network,
        experiment: experiments[index] ?? null,
        files: links((file) => own(file) && /\.(?:pdb|cif)$/.test(file)),
      };
    }),
    msa: depth.sequences > 1 ? msaData(rowsOf(features, sequence.length, chains), depth.neff80) : null,
    warnings: [...warnings],
    files: links((name) => /^(?:config|experiment|ranking_debug|timings)\.json$|^log\.txt$/.test(name)),
  };
}

/** The end of each iteration but the last, then the blocks of the structure module in the last. */
function framesOf(recycles: readonly Float32Array[], trajectory: readonly Float32Array[]): FrameData[] {
  const last = recycles.length - 1;
  return [
    ...recycles.slice(0, -1).map((alphas, i) => ({ label: `recycle ${i}`, alphas: packPositions(alphas) })),
    ...trajectory.map((alphas, i) => ({ label: `recycle ${last}, block ${i + 1}`, alphas: packPositions(alphas) })),
  ];
}

const LETTERS = "ARNDCQEGHILKMFPSTWYVX-";

/** Rows of the alignment as letters, the chains of a complex in the order in which they were given. */
export function rowsOf(features: PreparedTarget["features"], n: number, chains: PreparedTarget["chains"]): string[] {
  const types = correctMsaRestypes(features.msa);
  const order = chains ? givenOrder(chains) : Int32Array.from({ length: n }, (_, i) => i);
  return Array.from(
    { length: types.length / n },
    (_, r) => Array.from(order, (i) => LETTERS[types[r * n + i]]).join(""),
  );
}
