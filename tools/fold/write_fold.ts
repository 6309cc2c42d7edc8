/** Writes the files of a fold. */
import { encodeNpy } from "../../model/weights/npy.ts";
import { ATOM_SLOTS, SLOT } from "../../model/protein/residues.ts";
import { distanceTarget } from "../data/family.ts";
import { formatCsv } from "../data/matrix.ts";
import { alphaCarbons, type Chain, type Structure } from "../data/structure.ts";
import { formatMmcif } from "../data/write_mmcif.ts";
import { formatPdb } from "../data/write_pdb.ts";
import { writeTogether } from "../files.ts";
import type { Baseline } from "./baselines.ts";
import { distancePlot } from "./distance_plot.ts";
import type { FoldEvaluation } from "./evaluate.ts";
import type { Fold } from "./fold.ts";

/** What {@link writeFold} writes. */
export interface FoldFiles {
  /** The fold. */
  readonly fold: Fold;
  /** The true structure and the measures against it: coordinates are then written superposed on it, and the measures too. */
  readonly truth?: { readonly chain: Chain; readonly evaluation: FoldEvaluation };
  /** Naive answers whose measures stand beside the prediction's. */
  readonly baselines?: readonly Baseline[];
  /** Where the fold comes from, one sentence, for the files' comments. */
  readonly origin?: string;
  /** The report, HTML text. */
  readonly report?: string;
}

/**
 * Writes a fold into a folder, which is made if need be: `ID.cif`, `ID.pdb` (left out where the format cannot hold it),
 * `ID_distances.npy` (`[N_res, N_res]`) and the map as a picture `ID_distances.png`, `ID_coordinates.npy` (C-alpha, `[N_res, 3]`); with a truth `ID_metrics.json` and
 * `ID_residues.csv` (the error of each residue), with a report `report.html`. They are written as {@linkcode writeTogether} does: a full disk leaves none behind.
 *
 * @param id First part of the names, such as `fileName` makes of any.
 * @returns Paths of the files, in that order.
 * @throws {TypeError} If `id` has a separator of folders.
 * @throws {InputError} If the folder cannot be written or the disk is full; the message says what was changed.
 */
export async function writeFold(folder: string, id: string, files: FoldFiles): Promise<string[]> {
  return await writeTogether(folder, foldFiles(id, files));
}

/** The files that {@link writeFold} writes, by name, to add others before `writeTogether`. */
export function foldFiles(id: string, files: FoldFiles): Map<string, Uint8Array | string> {
  const { fold, truth, baselines = [], report } = files;
  const n = fold.sequence.length;
  const structure = foldStructure(fold, truth);
  const lines = [
    ...(files.origin ? [files.origin] : []),
    ...(fold.betas ? ["C-betas lie where the distances put them, C-alphas are derived."] : []),
    "No confidence is predicted: the B-factor column is 0.",
  ];
  const out = new Map<string, Uint8Array | string>();
  const matrix = (data: Float32Array, shape: number[]) => encodeNpy({ dtype: "F32", shape, data });
  out.set(`${id}.cif`, formatMmcif(structure, { comments: lines }));
  const pdb = pdbOrNothing(structure, lines);
  if (pdb !== undefined) out.set(`${id}.pdb`, pdb);
  out.set(`${id}_distances.npy`, matrix(fold.distances, [n, n]));
  out.set(
    `${id}_distances.png`,
    distancePlot({ predicted: fold.distances, truth: truthOf(fold, truth), most: MAP_END }),
  );
  out.set(`${id}_coordinates.npy`, matrix(truth?.evaluation.alphas ?? fold.alphas, [n, 3]));
  if (truth) {
    const methods = [{ label: "Prediction", evaluation: truth.evaluation }, ...baselines].map(
      ({ label, evaluation }) => {
        return { label, values: evaluation.values };
      },
    );
    const metrics = { id, residues: truth.evaluation.residues, stress1: fold.stress1, methods };
    out.set(`${id}_metrics.json`, JSON.stringify(metrics, undefined, 2) + "\n");
    out.set(`${id}_residues.csv`, residuesCsv(truth));
  }
  if (report !== undefined) out.set("report.html", report);
  return out;
}

/** Distance of each C-alpha atom from its true place, superposed, in Å, `[N_res]`; null where the true one is not known. */
export function residueErrors({ chain, evaluation }: NonNullable<FoldFiles["truth"]>): (number | null)[] {
  const { positions, mask } = alphaCarbons(chain);
  return Array.from(mask, (there, i) => {
    if (there === 0) return null;
    return Math.hypot(...[0, 1, 2].map((axis) => evaluation.alphas[3 * i + axis] - positions[3 * i + axis]));
  });
}

/** Distance, Å, at which the colours of maps end. */
const MAP_END = 20;

/** The true distances of the same atoms; NaN where they are not known. */
function truthOf({ cap }: Fold, truth: FoldFiles["truth"]): Float32Array | undefined {
  if (!truth) return undefined;
  const { distances, mask } = distanceTarget(truth.chain, cap);
  return distances.map((d, k) => mask[k] > 0 ? d : NaN);
}

function residuesCsv(truth: NonNullable<FoldFiles["truth"]>): string {
  const { residueNumbers, insertionCodes, sequence } = truth.chain;
  const rows = residueErrors(truth).map((error, i) => ({
    residue: `${residueNumbers[i]}${insertionCodes[i]}`,
    letter: sequence[i],
    ca_distance_angstrom: error?.toFixed(4),
  }));
  return formatCsv(["residue", "letter", "ca_distance_angstrom"], rows);
}

/**
 * The structure of a fold: C-alpha and C-beta atoms; superposed on the truth, numbered and named like it, where one is
 * given.
 */
export function foldStructure(fold: Fold, truth?: FoldFiles["truth"]): Structure {
  const { sequence } = fold;
  const { alphas, betas } = truth?.evaluation ?? fold;
  const n = sequence.length;
  const atomPositions = new Float32Array(n * ATOM_SLOTS * 3);
  const atomMask = new Float32Array(n * ATOM_SLOTS);
  const put = (residue: number, slot: number, points: Float32Array) => {
    const at = residue * ATOM_SLOTS + slot;
    atomPositions.set(points.subarray(3 * residue, 3 * residue + 3), 3 * at);
    atomMask[at] = 1;
  };
  for (let i = 0; i < n; i++) {
    put(i, SLOT.CA, alphas);
    if (betas && sequence[i] !== "G") put(i, SLOT.CB, betas);
  }
  const id = `${fold.id}_predicted`;
  const chain: Chain = {
    id: truth?.chain.id ?? "A",
    labelId: "A",
    sequence,
    residueNumbers: truth?.chain.residueNumbers ?? Int32Array.from({ length: n }, (_, i) => i + 1),
    insertionCodes: truth?.chain.insertionCodes ?? new Array<string>(n).fill(""),
    atomPositions,
    atomMask,
    bFactors: new Float32Array(n * ATOM_SLOTS),
  };
  return { id, source: id, chains: [chain], title: `Prediction of ${fold.id}` };
}

/** Pieces of a text, cut at spaces where there are some, that fit the text columns of a REMARK record. */
const REMARK_LINES = /\S.{0,67}(?=\s|$)|\S{1,68}/g;

function pdbOrNothing(structure: Structure, remarks: string[]): string | undefined {
  try {
    return formatPdb(structure, { remarks: remarks.flatMap((text) => text.match(REMARK_LINES) ?? []) });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
