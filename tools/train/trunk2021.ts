/** The trunk of 2021 as a training run sees it. */
import { type Device, type Key, sizeOf } from "../../core/mod.ts";
import { REFINERS } from "../../model/equivariant/mod.ts";
import { countParams } from "../../model/layers/params.ts";
import { ATOM14_SLOTS } from "../../model/protein/residue_constants.ts";
import {
  endToEnd,
  type EndToEndConfig,
  endToEndConfig,
  endToEndLoss,
  type EndToEndParams,
  endToEndShapes,
  initEndToEnd,
  initTrunk2021,
  loadEndToEnd,
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
import { predictEndToEndDistances, predictTrunkDistances } from "../fold/trunk2021.ts";
import { type Batch, type BatchSource, stackSamples } from "./batches.ts";
import type { Example } from "./examples.ts";
import { INIT_OPTION, type Learning, type Network, type OwnOption, type TrainData } from "./network.ts";
import { type OwnSettings, type TrainSettings, type Trunk2021Settings, TRUNK_2021 } from "./settings.ts";
import { exampleBatches, firstRows } from "./structure_batches.ts";
import { runKeys } from "./tiny_openfold.ts";
import { readTrunkInitial } from "./trunk2021_initial.ts";

/** What follows the trunk where nothing is chosen. */
export const TRUNK_2021_OWN = {
  ...{ endToEnd: false, refiner: "none", refinerAtoms: "backbone", refinerDim: 64, refinerDepth: 2 },
  ...{ crossEntropyWeight: 1, init: null },
} as const satisfies OwnSettings;

/** Its choices as they are given. */
type TrunkOwn = { readonly [K in keyof typeof TRUNK_2021_OWN]: OwnSettings[string] };

const wholeNumber = (text: string): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new RangeError("a positive whole number");
};

/** Choices of what follows the trunk, and what it starts from, as flags. */
export const TRUNK_2021_OPTIONS: readonly OwnOption[] = [
  INIT_OPTION,
  {
    ...{ name: "endToEnd", parse: () => true },
    description: "learn from atoms: through distances, scaling and a refiner, N, CA and C of every residue",
  },
  {
    ...{ name: "refiner", value: "<kind>", choices: [...REFINERS, "none"], parse: (text) => text },
    description: "what moves the atoms then: E(n)-equivariant layers, an SE(3)-transformer, a LieTransformer",
  },
  {
    ...{ name: "refinerAtoms", value: "<which>", choices: ["backbone", "heavy"], parse: (text) => text },
    description: "which atoms it sees and moves: N, CA, C and O, or all of a residue",
  },
  { ...{ name: "refinerDim", value: "<n>", parse: wholeNumber }, description: "its channels" },
  { ...{ name: "refinerDepth", value: "<n>", parse: wholeNumber }, description: "its layers" },
  {
    name: "crossEntropyWeight",
    value: "<x>",
    description: "weight of the distogram's cross entropy beside the deviation of atoms",
    parse(text) {
      const value = Number(text);
      if (Number.isFinite(value) && value >= 0 && text.trim() !== "") return value;
      throw new RangeError("a number of 0 or more");
    },
  },
];

/**
 * The trunk of given sizes, alone or with what makes a structure of its distogram.
 *
 * @throws {InputError} If sizes do not fit together.
 */
export function trunk2021Network(
  model: Trunk2021Settings,
  own: OwnSettings = TRUNK_2021_OWN,
): Network<Trunk2021Params, Batch> {
  const alone = trunkNetwork(model);
  const chosen = { ...TRUNK_2021_OWN, ...own };
  return chosen.endToEnd ? endToEndNetwork(model, alone, chosen) : checkedAlone(alone, chosen);
}

/** @throws {InputError} If something is chosen that nothing comes of. */
function checkedAlone<N>(network: N, own: TrunkOwn): N {
  if (own.refiner === "none") return network;
  throw new InputError(`A refiner (--refiner ${own.refiner}) is trained with --end-to-end alone`);
}

/** The trunk with scaling and a refiner behind it. */
function endToEndNetwork(
  model: Trunk2021Settings,
  alone: Network<Trunk2021Params, Batch>,
  own: TrunkOwn,
): Network<EndToEndParams, Batch> {
  const config = endToEndConfigOf(model, own);
  const { refiner, atoms } = config.endToEnd;
  const words = refiner
    ? `refiner ${refiner.kind}, ${refiner.depth} layers of ${refiner.dim} channels, ${atoms} atoms`
    : "no refiner";
  return {
    ...alone,
    title: "The trunk of 2021, trained end to end",
    config,
    lines: [...alone.lines, ["End to end", words]],
    inWords: `${alone.inWords}, end to end with ${words}`,
    parameters: countParams(endToEndShapes(config)),
    lossLabel: "RMSD of atoms (Å), dispersion and cross entropy",
    init: (device, seed) => initEndToEnd(device, config, runKeys(seed).params),
    load: (device, find) => loadEndToEnd(device, config, find),
    lossOf(device, batch, report) {
      const { size: b, numRes: n, atoms } = batch;
      if (!atoms) throw new InputError("Cannot train end to end: the structures of the batch are not at hand");
      const inputs = uploaded(device, batch);
      const truth = {
        atoms: device.tensor(atoms.positions, [b, n, ATOM14_SLOTS, 3]),
        known: device.tensor(atoms.known, [b, n, ATOM14_SLOTS]),
      };
      return (params) => {
        const { loss, terms } = endToEndLoss(endToEnd(params, inputs, config), truth, Number(own.crossEntropyWeight));
        report?.(terms);
        return loss;
      };
    },
    predictDistances: (device, params, input) => predictEndToEndDistances(device, params, config, input),
  };
}

/**
 * Choices of the trunk together with those of what follows it.
 *
 * @throws {InputError} If sizes do not fit together.
 */
export function endToEndConfigOf(model: Trunk2021Settings, own: OwnSettings): EndToEndConfig {
  const trunk = configOf(model);
  const points = 3 * model.seqLen;
  if (points > trunk.maxSeqLen) {
    throw new InputError(
      `Sequences have up to ${model.seqLen} residues of 3 atoms, expected at most max-seq-len ${trunk.maxSeqLen} atoms`,
    );
  }
  return endToEndConfig(trunk, {
    refiner: own.refiner as EndToEndRefiner,
    atoms: own.refinerAtoms as EndToEndConfig["endToEnd"]["atoms"],
    dim: Number(own.refinerDim),
    depth: Number(own.refinerDepth),
  });
}

type EndToEndRefiner = Parameters<typeof endToEndConfig>[1]["refiner"];

function trunkNetwork(model: Trunk2021Settings): Network<Trunk2021Params, Batch> {
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
  { model, training, data, own }: TrainSettings<Trunk2021Settings>,
  { examples, description = "", identity, watched = [] }: TrainData = {},
): Promise<Learning<Trunk2021Params, Batch>> {
  const { numSeqs } = model;
  const { batchSize, seed, cropEnds } = training;
  const key = runKeys(seed).data;
  const bare = own?.endToEnd && [...examples ?? [], ...watched].find((example) => !example.sample().atoms);
  if (bare) {
    throw new InputError(
      `Cannot train end to end on ${bare.id} (${bare.source}): its atoms are not at hand; give --structures`,
    );
  }
  const network = trunk2021Network(model, own);
  return {
    network: typeof own?.init === "string" ? await startedFrom(own.init, network, data) : network,
    source: examples
      ? await exampleBatches({ examples, description, identity, batchSize, numSeqs, cropEnds, key })
      : trunk2021Noise(model, batchSize, key),
    watched: watched.map((example) => stackSamples([firstRows(example.sample(), numSeqs)])),
    ...(own?.endToEnd && examples && { planned: shortestAndLongest(examples, numSeqs) }),
  };
}

/** The same network, whose parameters start from a file's. */
async function startedFrom(
  path: string,
  network: Network<EndToEndParams, Batch>,
  data: TrainSettings["data"],
): Promise<Network<EndToEndParams, Batch>> {
  const holdOut = data.kind === "structures" ? data.holdOut : [];
  const { words, put } = await readTrunkInitial(path, network.config as Trunk2021Config | EndToEndConfig, holdOut);
  return {
    ...network,
    notes: [...network.notes ?? [], words],
    init: (device, seed) => put(device, network.init(device, seed)),
  };
}

/** The cheapest and the dearest sample, as batches. */
function shortestAndLongest(examples: readonly Example[], numSeqs: number): [Batch, Batch] {
  const sorted = examples.toSorted((a, b) => a.sequence.length - b.sequence.length);
  const batchOf = (example: Example) => stackSamples([firstRows(example.sample(), numSeqs)]);
  return [batchOf(sorted[0]), batchOf(sorted.at(-1)!)];
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
      const [residues, distances, atoms] = key.at(step).split(3);
      const count = batchSize * seqLen * ATOM14_SLOTS;
      return {
        ...{ size: batchSize, numSeqs, numRes: seqLen, pairChannels: 0, pairFeatures: new Float32Array() },
        msaTokens: Int32Array.from(residues.uniform(sizeOf(sizes)), (x) => Math.floor(20 * x)),
        distances: distances.uniform(batchSize * seqLen ** 2).map((x) => 25 * x),
        atoms: { positions: atoms.normal(3 * count).map((x) => 10 * x), known: new Float32Array(count).fill(1) },
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
