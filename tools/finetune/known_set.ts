/** Proteins as the heads read them, for heads alone: the network runs once for each, as it does not change. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import type { Device } from "../../core/mod.ts";
import {
  type FineTunedConfig,
  type FineTunedParams,
  headInputsOf,
  isKnown,
  type LabelHeadInputs,
  type LabelledSet,
  meanOfPairs,
  poolResidues,
} from "../../finetune/mod.ts";
import { encodeSafetensors, float32Array, parseSafetensors, toFloat32 } from "../../model/weights/safetensors.ts";
import { reshape } from "../../ops/mod.ts";
import { checksummedName, makeFolder, readFileBytes, writeFileAtomic } from "../files.ts";
import type { PlannedModel } from "../predict/planned_model.ts";
import type { PreparedTarget } from "../prep/prepare_target.ts";
import type { TargetSet } from "./network.ts";
import type { FinetuneOptions } from "./options.ts";
import type { ReadableTarget } from "./targets.ts";

/**
 * What heads read of a protein, on the CPU: the single representation and its mean, and of the pair representation the
 * mean alone.
 */
export type KnownProtein = ReadonlyMap<Part, KnownArray>;

type Part = typeof PARTS[number];

interface KnownArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const PARTS = ["s", "sMean", "zMean", "mask"] as const;

/** What is written into files that have another form than these. */
const FORMAT = "denofold-representations-2";

/** Where known representations lie, and what they depend on besides the protein. */
export class RepresentationCache {
  readonly #folder: string;
  readonly #facts: string;
  readonly #warn: (message: string) => void;

  /**
   * A folder of representations.
   *
   * @param folder It may have those of other networks and choices too.
   * @param facts All that they depend on besides the protein.
   * @param warn Is told of files that are damaged or cannot be written; a run needs none of them.
   */
  constructor(folder: string, facts: Readonly<Record<string, unknown>>, warn: (message: string) => void) {
    this.#folder = folder;
    this.#facts = JSON.stringify({ format: FORMAT, denofold: manifest.version, ...facts });
    this.#warn = warn;
  }

  /** Hash of all that a protein's representations depend on. */
  keyOf({ id, sequence, features }: Pick<PreparedTarget, "id" | "sequence" | "features">): string {
    const hash = createHash("sha256").update(JSON.stringify([this.#facts, id, sequence]));
    for (const [name, data] of Object.entries(features).sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!ArrayBuffer.isView(data)) continue;
      hash.update(`${name} ${data.byteLength}`).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    return hash.digest("hex");
  }

  /** The file of a protein. */
  pathOf(id: string, key: string): string {
    return join(this.#folder, `${checksummedName(id)}.${key.slice(0, 16)}.safetensors`);
  }

  /** What is known of a protein; undefined where there is nothing, or what there is cannot be used. */
  async read(id: string, key: string): Promise<KnownProtein | undefined> {
    const path = this.pathOf(id, key);
    if (!await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return undefined;
    try {
      const { tensors, metadata } = parseSafetensors(await readFileBytes(path), path);
      if (metadata.key !== key) throw new SyntaxError(`${path} is of another protein, network or version`);
      if (!tensors.has("s") || !tensors.has("sMean")) throw new SyntaxError(`${path} has no array s or sMean`);
      return new Map(PARTS.flatMap((name) => {
        const array = tensors.get(name);
        return array ? [[name, { shape: array.shape, data: toFloat32(array) }] as const] : [];
      }));
    } catch (error) {
      this.#warn(`${error instanceof Error ? error.message : error}: computed anew`);
      return undefined;
    }
  }

  /** Keeps what is known of a protein. */
  async write(id: string, key: string, known: KnownProtein): Promise<void> {
    const arrays = new Map(Array.from(known, ([name, { shape, data }]) => [name, float32Array(shape, data)]));
    try {
      await makeFolder(this.#folder);
      await writeFileAtomic(this.pathOf(id, key), encodeSafetensors(arrays, { key }, { checksum: true }));
    } catch (error) {
      this.#warn(`${error instanceof Error ? error.message : error}; the network runs again next time`);
    }
  }
}

/** The cache of a run: in the folder that was asked for, else in the run's own; undefined where none is wanted. */
export function representationCache(
  { weights, preset }: Pick<PlannedModel, "weights" | "preset">,
  { network, tasks, headInput }: FineTunedConfig,
  { cache, output, recycles, maxMsa, maxExtraMsa, fit: { seed, amp } }: FinetuneOptions,
  warn: (message: string) => void,
): RepresentationCache | undefined {
  if (cache === false) return undefined;
  const hash = /SHA-256 ([0-9a-f]{64})/.exec(weights)?.[1] ?? weights;
  const pairs = Object.values(tasks).some(({ head }) => head.cZ !== undefined);
  const facts = { weights: hash, preset, network, headInput, pairs, recycles, maxMsa, maxExtraMsa, seed, amp: !!amp };
  return new RepresentationCache(cache ?? join(output, "representations"), facts, warn);
}

/** Representations are kept in the host's memory up to so many bytes; what is more is read again. */
const MOST_BYTES = 2 ** 31;

/**
 * A set whose representations are known: the network runs once for each protein, when it is first needed, unless the cache
 * has what it would give.
 *
 * @param set As the network reads it.
 * @param targets The set's proteins.
 */
export function knownSet(
  device: Device,
  params: FineTunedParams,
  config: FineTunedConfig,
  set: TargetSet,
  targets: readonly Pick<ReadableTarget, "id" | "load">[],
  cache?: RepresentationCache,
): LabelledSet {
  const kept = new Map<number, KnownProtein>(), keys = new Map<number, string>();
  // Where all heads read means, the mean stands for the protein: one residue, which is its own mean to the bit.
  const readsMeans = Object.values(config.tasks).every(({ head: { level, pooling } }) =>
    level === "protein" && pooling === "mean"
  );
  const parts: readonly Part[] = readsMeans ? ["sMean", "zMean"] : ["s", "zMean", "mask"];
  let bytes = 0;
  const find = async (index: number): Promise<KnownProtein> => {
    const { id, load } = targets[index];
    if (cache && !keys.has(index)) keys.set(index, cache.keyOf(await load()));
    const known = await cache?.read(id, keys.get(index)!);
    if (known) return known;
    const run = await runNetwork(device, params, config, set, index);
    await cache?.write(id, keys.get(index)!, run);
    return run;
  };
  return {
    size: set.size,
    residues: set.residues,
    async load(index) {
      let known = kept.get(index);
      if (!known) {
        const all = await find(index);
        known = new Map([...all].filter(([name]) => parts.includes(name)));
        for (const { data } of known.values()) bytes += data.byteLength;
        if (bytes <= MOST_BYTES) kept.set(index, known);
      }
      // What was found has the names of these inputs, and all that the heads read: `parts`.
      const input = Object.fromEntries(
        Array.from(known, ([name, { shape, data }]) => [name === "sMean" ? "s" : name, device.tensor(data, shape)]),
      ) as unknown as LabelHeadInputs;
      return { input, ...set.labelled(index) };
    },
  };
}

async function runNetwork(
  device: Device,
  { model }: FineTunedParams,
  config: FineTunedConfig,
  set: LabelledSet,
  index: number,
): Promise<KnownProtein> {
  using _ = device.scope("known");
  const { input } = await set.load(index);
  const { s, z, mask } = isKnown(input) ? input : headInputsOf(model, input, config);
  const { pooled } = poolResidues({}, { s, mask });
  const sMean = reshape(pooled, [s.shape[0], 1, s.shape[2]]);
  const found = new Map<Part, KnownArray>();
  for (const [name, tensor] of Object.entries({ s, sMean, zMean: z && meanOfPairs(z, mask), mask })) {
    if (!tensor) continue;
    const data = (await tensor.read() as Float32Array).slice();
    found.set(name as Part, { shape: tensor.shape, data });
  }
  return found;
}
