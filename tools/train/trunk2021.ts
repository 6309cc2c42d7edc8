/** The trunk of 2021 as a training run sees it. */
import { type Device, type Key, sizeOf } from "../../core/mod.ts";
import {
  initTrunk2021,
  loadTrunk2021,
  trunk2021,
  type Trunk2021Config,
  trunk2021Config,
  trunk2021DistogramLoss,
  type Trunk2021Inputs,
  trunk2021ParameterCount,
  type Trunk2021Params,
} from "../../model/trunk2021/mod.ts";
import { snakeCase } from "../../model/weights/names.ts";
import { InputError } from "../errors.ts";
import { predictTrunkDistances } from "../fold/trunk2021.ts";
import { type Batch, type BatchSource, stackSamples } from "./batches.ts";
import type { Learning, Network, TrainData } from "./network.ts";
import { type TrainSettings, type Trunk2021Settings, TRUNK_2021 } from "./settings.ts";
import { exampleBatches, firstRows } from "./structure_batches.ts";
import { runKeys } from "./tiny_openfold.ts";

/**
 * The trunk of given sizes.
 *
 * @throws {InputError} If sizes do not fit together.
 */
export function trunk2021Network(model: Trunk2021Settings): Network<Trunk2021Params, Batch> {
  const config = configOf(model);
  const { dim, depth, heads, dimHead, maxSeqLen, reversible, crossAttnCompressRatio, interMsaSelfAttn } = config;
  const choices = [
    ...(reversible ? ["reversible"] : []),
    ...(config.sparseSelfAttn ? ["sparse self attention"] : []),
    ...(config.sparseCrossAttn ? ["sparse cross attention"] : []),
    ...(crossAttnCompressRatio > 1 ? [`keys of cross attention compressed ${crossAttnCompressRatio}:1`] : []),
    ...(interMsaSelfAttn ? [] : ["rows of the MSA attend to themselves alone"]),
  ];
  return {
    name: TRUNK_2021,
    title: "The trunk of 2021",
    config,
    sizes: Object.fromEntries(
      Object.entries(config).filter((entry): entry is [string, number] => typeof entry[1] === "number")
        .map(([name, size]) => [snakeCase(name), size]),
    ),
    lines: [
      ...([["Channels", dim], ["Layers", depth], ["Heads", `${heads} of ${dimHead} channels`]] as const),
      ["Positions", maxSeqLen],
      ...(choices.length > 0 ? [["Choices", choices.join("; ")] as const] : []),
    ],
    inWords: [`${depth} layer${depth > 1 ? "s" : ""} of the trunk of 2021, ${dim} channels`, ...choices].join(", "),
    parameters: trunk2021ParameterCount(config),
    lossLabel: "Cross entropy of the distogram",
    optimizer: "adam",
    init: (device, seed) => initTrunk2021(device, config, runKeys(seed).params),
    load: (device, find) => loadTrunk2021(device, config, find),
    lossOf(device, batch) {
      const { size: b, numRes: n, lossMask } = batch;
      const inputs = uploaded(device, batch);
      const distances = device.tensor(batch.distances, [b, n, n]);
      const mask = lossMask && device.tensor(lossMask, [b, n, n]);
      return (params) => trunk2021DistogramLoss(trunk2021(params, inputs, config), distances, mask);
    },
    predictDistances: (device, params, input) => predictTrunkDistances(device, params, config, input),
  };
}

/**
 * The trunk, and the source of its batches.
 *
 * @throws {InputError} If sizes do not fit together.
 */
export async function openTrunk2021(
  { model, training }: TrainSettings<Trunk2021Settings>,
  { examples, description = "", identity, watched = [] }: TrainData = {},
): Promise<Learning<Trunk2021Params, Batch>> {
  const { numSeqs } = model;
  const { batchSize, seed, cropEnds } = training;
  const key = runKeys(seed).data;
  return {
    network: trunk2021Network(model),
    source: examples
      ? await exampleBatches({ examples, description, identity, batchSize, numSeqs, cropEnds, key })
      : trunk2021Noise(model, batchSize, key),
    watched: watched.map((example) => stackSamples([firstRows(example.sample(), numSeqs)])),
  };
}

/** Random residues and distances: nothing can be learnt from them, a step takes the time of a real one. */
export function trunk2021Noise(
  { numSeqs, seqLen, network }: Pick<Trunk2021Settings, "numSeqs" | "seqLen" | "network">,
  batchSize: number,
  key: Key,
): BatchSource {
  const sizes = [batchSize, numSeqs, seqLen];
  return {
    description: `noise, ${numSeqs} sequences of ${seqLen} residues`,
    fingerprint: `noise of ${network} ${sizes}`,
    warmupSteps: 0,
    batch(step) {
      const [residues, distances] = key.at(step).split(2);
      return {
        ...{ size: batchSize, numSeqs, numRes: seqLen, pairChannels: 0, pairFeatures: new Float32Array() },
        msaTokens: Int32Array.from(residues.uniform(sizeOf(sizes)), (x) => Math.floor(20 * x)),
        distances: distances.uniform(batchSize * seqLen ** 2).map((x) => 25 * x),
      };
    },
    saveOrder: () => undefined,
    restoreOrder() {},
  };
}

/** What the trunk reads of a batch. The first row of each alignment is the sequence; where there is no other, no MSA. */
function uploaded(device: Device, { size: b, numSeqs: s, numRes: n, msaTokens, msaMask }: Batch): Trunk2021Inputs {
  const firstOf = <A extends Int32Array | Float32Array>(all: A, first: A): A => {
    for (let k = 0; k < b; k++) first.set(all.subarray(k * s * n, k * s * n + n), k * n);
    return first;
  };
  const alone = s === 1;
  return {
    seq: device.tensor(firstOf(msaTokens, new Int32Array(b * n)), [b, n], "i32"),
    mask: msaMask && device.tensor(firstOf(msaMask, new Float32Array(b * n)), [b, n]),
    msa: alone ? undefined : device.tensor(msaTokens, [b, s, n], "i32"),
    msaMask: alone || !msaMask ? undefined : device.tensor(msaMask, [b, s, n]),
  };
}

function configOf({ network: _, numSeqs, seqLen, ...sizes }: Trunk2021Settings): Trunk2021Config {
  try {
    const config = trunk2021Config(sizes);
    const { maxNumMsa, maxSeqLen } = config;
    if (numSeqs > maxNumMsa) {
      throw new RangeError(`The MSA has up to ${numSeqs} rows, expected at most max-num-msa ${maxNumMsa}`);
    }
    if (seqLen > maxSeqLen) {
      throw new RangeError(`Sequences have up to ${seqLen} residues, expected at most max-seq-len ${maxSeqLen}`);
    }
    return config;
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(error.message);
    throw error;
  }
}
