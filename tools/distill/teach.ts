/** What a teacher says of a target, kept in a file so that the work can be taken up again. */
import { join } from "node:path";
import type { Device } from "../../core/mod.ts";
import { encodeSafetensors, parseSafetensors, toFloat32 } from "../../model/weights/safetensors.ts";
import { ATOM_SLOTS } from "../../model/protein/residues.ts";
import { asInputError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { type LoadedNetwork, predictTarget } from "../predict/network.ts";
import type { PreparedTarget } from "../prep/prepare_target.ts";
import { fingerprint } from "../train/batches.ts";
import { type DistogramSums, distogramSums } from "./confidence.ts";

/** A target as its teacher sees it. */
export interface TaughtTarget {
  /** Atoms, Å, `[N_res, 37, 3]`. */
  readonly atomPositions: Float32Array;
  /** pLDDT, 0 to 100, `[N_res]`. */
  readonly plddt: Float32Array;
  /** Its distogram. */
  readonly distogram: DistogramSums;
}

/** Where a teacher's prediction is kept. */
export interface TaughtFile {
  /** Path of the file. */
  readonly path: string;
  /** Tells it from predictions of other teachers, targets and options. */
  readonly key: string;
}

/** How a teacher predicts. */
export interface TeachOptions {
  /** For all random choices. */
  readonly seed: number;
  /** Iterations after the first. @default as configured */
  readonly recycles?: number;
}

/** Folder of the predictions, in that of the results. */
export const TAUGHT_FOLDER = "taught";

/**
 * The teacher's prediction of a target: that of an earlier run where teacher, target and options are the same.
 *
 * @param teacher Tells the teacher from others: its file's hash.
 * @param file Where the prediction is kept.
 */
export async function taught(
  device: Device,
  network: LoadedNetwork,
  target: PreparedTarget,
  { teacher, folder, name, ...options }: TeachOptions & {
    readonly teacher: string;
    readonly folder: string;
    readonly name: string;
  },
): Promise<TaughtFile & { readonly taught: TaughtTarget }> {
  const path = join(folder, TAUGHT_FOLDER, `${name}.safetensors`);
  const { sequence, features } = target;
  const key = await fingerprint([
    teacher,
    JSON.stringify(options),
    sequence,
    Float32Array.from(features.msa),
    Float32Array.from(features.deletion_matrix_int),
    features.template_all_atom_positions,
  ]);
  const before = await readTaught({ path, key });
  if (before) return { path, key, taught: before };
  let distogram: DistogramSums | undefined;
  const { atomPositions, plddt } = await predictTarget(device, network, features, sequence, {
    seed: options.seed,
    maxRecycles: options.recycles,
    onDistogram: (logits, bins) => distogram = distogramSums(logits, sequence.length, bins),
  });
  const found = { atomPositions, plddt, distogram: distogram! };
  await writeFileAtomic(path, encodeTaught(found, key));
  return { path, key, taught: found };
}

function encodeTaught({ atomPositions, plddt, distogram }: TaughtTarget, key: string): Uint8Array {
  const { residues: n, bins, separations: s, logs, totals } = distogram;
  const array = (shape: number[], data: Float32Array) => ({ dtype: "F32" as const, shape, data });
  const tensors = new Map([
    ["atom_positions", array([n, ATOM_SLOTS, 3], atomPositions)],
    ["plddt", array([n], plddt)],
    ["distogram_logs", array([n, s, bins], logs)],
    ["distogram_totals", array([s, bins], totals)],
  ]);
  return encodeSafetensors(tensors, { format: "denofold.taught", key }, { checksum: true });
}

/** A prediction that is kept; undefined where it is not, or is another's. */
export async function readTaught({ path, key }: TaughtFile): Promise<TaughtTarget | undefined> {
  const bytes = await Deno.readFile(path).catch(() => undefined);
  if (!bytes) return undefined;
  const { tensors, metadata } = asInputError(() => parseSafetensors(bytes, path));
  if (metadata.key !== key) return undefined;
  const [positions, plddt, logs, totals] = ["atom_positions", "plddt", "distogram_logs", "distogram_totals"].map((
    name,
  ) => tensors.get(name)!);
  const [residues, separations, bins] = logs.shape;
  return {
    atomPositions: toFloat32(positions),
    plddt: toFloat32(plddt),
    distogram: { residues, separations, bins, logs: toFloat32(logs), totals: toFloat32(totals) },
  };
}
