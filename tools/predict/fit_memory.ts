/** Whether a target fits the memory, found out by sending it through a device that computes nothing. */
import { type AdapterTraits, Device, type KernelRun, Profiler } from "../../core/mod.ts";
import { alphafold, type AlphaFoldConfig } from "../../model/alphafold/mod.ts";
import type { AlphaFoldFeatures } from "../../model/alphafold/features.ts";
import { layOutProjections } from "../../model/layers/packed_linear.ts";
import { ATOM_SLOTS } from "../../model/protein/residues.ts";
import { InputError } from "../errors.ts";
import { emptyWeights, type WeightsDtype } from "../../model/weights/load_weights.ts";
import { namedShapes } from "../weights/presets.ts";
import { paramsOf } from "./network.ts";
import type { PaddedSizes } from "./network_inputs.ts";

/** Bytes that parts of intermediate tensors may have, in the order in which they are tried: larger ones are a little faster. */
export const PART_BYTES: readonly number[] = [2 ** 27, 2 ** 25, 2 ** 23];

/** What a network needs at sizes. */
export interface MemoryNeed {
  /** Bytes of all buffers at the peak, weights included. */
  readonly peakBytes: number;
  /** Bytes of the weights. */
  readonly weightBytes: number;
}

/**
 * Memory of an iteration with recycling at these sizes.
 *
 * @param partBytes See `Device.partBytes`.
 * @param weightsDtype How weights are held.
 * @throws {RangeError} If a tensor passes the adapter's limits however it is cut.
 */
export function memoryNeed(
  traits: AdapterTraits,
  config: AlphaFoldConfig,
  sizes: PaddedSizes,
  partBytes: number,
  weightsDtype: WeightsDtype = "f32",
  { intermediates = "f32", representations = "f32", onKernel }:
    & Partial<Pick<Device, "intermediates" | "representations">>
    & { readonly onKernel?: (run: KernelRun) => void } = {},
): MemoryNeed {
  using device = Device.dry(traits);
  Object.assign(device, { intermediates, representations });
  if (onKernel) Profiler.start(device, { onKernel });
  device.partBytes = partBytes;
  using _ = device.scope("plan");
  const params = paramsOf(config, emptyWeights(device, namedShapes(config), weightsDtype));
  layOutProjections(params);
  const weightBytes = device.memory.liveBytes;
  const features = blankFeatures(device, config, sizes);
  const n = sizes.residues;
  const recycled = {
    m: device.empty([1, n, config.cM]),
    z: device.empty([1, n, n, config.cZ], representations),
    positions: device.empty([1, n, 3]),
  };
  alphafold(params, features, recycled, config, { msa: false, trajectory: true, consume: true });
  return { peakBytes: device.memory.peakAllocatedBytes, weightBytes };
}

/** Features of the right shapes without content. */
export function blankFeatures(device: Device, config: AlphaFoldConfig, sizes: PaddedSizes): AlphaFoldFeatures {
  const { residues: n, clusters, extra, templates: t } = sizes;
  const f = (...shape: number[]) => device.empty([1, ...shape]);
  const i = (...shape: number[]) => device.empty([1, ...shape], "i32");
  return {
    aatype: i(n),
    residueIndex: i(n),
    targetFeat: f(n, config.embedders.targetChannels),
    seqMask: f(n),
    msaFeat: f(clusters, n, config.embedders.msaChannels),
    msaMask: f(clusters, n),
    extraMsa: {
      extraMsa: i(extra, n),
      extraHasDeletion: f(extra, n),
      extraDeletionValue: f(extra, n),
      mask: f(extra, n),
    },
    ...(config.templates && t > 0 && {
      templates: {
        mask: f(t),
        aatype: i(t, n),
        allAtomPositions: f(t, n, ATOM_SLOTS, 3),
        allAtomMask: f(t, n, ATOM_SLOTS),
        pseudoBeta: f(t, n, 3),
        pseudoBetaMask: f(t, n),
        torsionAnglesSinCos: f(t, n, 7, 2),
        altTorsionAnglesSinCos: f(t, n, 7, 2),
        torsionAnglesMask: f(t, n, 7),
      },
    }),
    residxAtom37ToAtom14: i(n, ATOM_SLOTS),
    atom37AtomExists: f(n, ATOM_SLOTS),
    ...(config.multimer && { asymId: i(n), entityId: i(n), symId: i(n) }),
  };
}

/**
 * Chooses how small parts must be so that a target fits, and sets the device so.
 *
 * @param memoryBytes What there is. @default not known: only the adapter's limits count
 * @param weightsDtype How weights are held.
 * @throws {InputError} If it does not fit; the message says what it needs, what there is and what would help.
 */
export function fitMemory(
  device: Device,
  config: AlphaFoldConfig,
  sizes: PaddedSizes,
  memoryBytes: number | undefined,
  weightsDtype: WeightsDtype = "f32",
): MemoryNeed {
  let least: MemoryNeed | undefined, limit: string | undefined;
  for (const partBytes of PART_BYTES) {
    try {
      const need = memoryNeed(device.traits, config, sizes, partBytes, weightsDtype, device);
      if (memoryBytes === undefined || need.peakBytes <= memoryBytes) {
        device.partBytes = partBytes;
        return need;
      }
      if (!least || need.peakBytes < least.peakBytes) least = need;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      limit = error.message;
    }
  }
  const { residues, clusters, extra } = sizes;
  const what = `${residues} residues with ${clusters} + ${extra} rows`;
  if (!least) throw new InputError(`${what} pass a limit of the adapter: ${limit}`);
  throw new InputError(
    `${what} need ${gibibytes(least.peakBytes)} (${gibibytes(least.weightBytes)} of it weights), there are ` +
      `${gibibytes(memoryBytes!)}: take fewer rows (--max-msa, --max-extra-msa) or a part of the chain${
        weightsDtype === "f32" ? ", or hold the weights in 16 bits (--weights-dtype f16)" : ""
      }${device.representations === "f32" ? ", or what is computed on the way (--storage f16-all)" : ""}`,
  );
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
