/** The whole network as OpenFold computes it: small, with weights of files, and full size, with weights of hashes. */
import { dirname, join } from "node:path";
import { type Device, mapTree, type Shape, type Tensor } from "../../../core/mod.ts";
import { Trainer } from "../../../finetune/mod.ts";
import {
  alphafold,
  type AlphaFoldConfig,
  type AlphaFoldOutputs,
  alphafoldParameterCount,
  type AlphaFoldParams,
  alphafoldShapes,
  confidence,
  distanceChange,
  loadAlphaFold,
  lossOutputs,
  recycledAlphaFold,
  recycledOf,
} from "../../../model/alphafold/mod.ts";
import { shapesByPath } from "../../../model/layers/params.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { openfoldWeights } from "../../../model/weights/openfold_weights.ts";
import { toFloat32 } from "../../../model/weights/safetensors.ts";
import { rankingScore } from "../../../model/multimer/mod.ts";
import { matricesFromFrames } from "../../../ops/mod.ts";
import { openWeights } from "../../weights/open_weights.ts";
import { compare, type Comparison } from "../compare.ts";
import type { Family, Results } from "../family.ts";
import { Golden, recordOf } from "../golden.ts";
import { EXACT } from "../tolerance.ts";
import { alphafoldConfigOf, featuresOf, hashedAlphaFoldParameter, inputsOfIteration, isPreset } from "./_alphafold.ts";
import { TRUTH_FEATURES, truthOf } from "../../train/alphafold/loss_truth.ts";
import { type DeviceSample, sampleLoss } from "../../train/alphafold/network.ts";
import { lossConfigOf } from "./_losses.ts";
import { goldenTensor, isOfComplexes, type Tensors } from "./_module.ts";

const MODEL = /^openfold\/model\/model\.py::AlphaFold/;
const STEP = /^AlphaFold .*AlphaFoldLoss/;

/** Numbers of the parameters by OpenFold's names. */
type Weights = ReadonlyMap<string, Float32Array>;

/** A file of weights that the description names, beside the case. */
export async function weightsOf(golden: Golden, file: string, shapes: ReadonlyMap<string, Shape>): Promise<Weights> {
  const path = join(dirname(golden.file), file);
  using opened = await openWeights(path);
  const { entries: found } = openfoldWeights(opened.file);
  const read = new Map<string, Float32Array>();
  for (const [name, entry] of found) {
    const expected = shapes.get(name);
    if (!expected) throw new TypeError(`${file} has a parameter ${name} that the network lacks`);
    if (String(entry.shape) !== String(expected)) {
      throw new TypeError(`${file}: ${name} is [${entry.shape}], the network has [${expected}]`);
    }
    read.set(name, toFloat32(await entry.read()));
  }
  return read;
}

/** Shapes of a network by OpenFold's names. */
export function namedShapes(config: AlphaFoldConfig): Map<string, Shape> {
  return new Map([...shapesByPath(alphafoldShapes(config))].map(([path, shape]) => [snakeCase(path), shape]));
}

/** A network with given weights; @throws {TypeError} If they lack one. */
export function load(
  device: Device,
  config: AlphaFoldConfig,
  find: (name: string, shape: Shape) => Float32Array | undefined,
) {
  return loadAlphaFold(device, config, (path, shape) => {
    const name = snakeCase(path);
    const numbers = find(name, shape);
    if (!numbers) throw new TypeError(`the weights lack ${name}`);
    return numbers;
  });
}

/** The first words of a description that name a file. */
function fileIn(text: unknown): string {
  return /^[\w.-]+/.exec(String(text))?.[0] ?? "";
}

const BLOCK = /^block(\d+)_([mz])$/;

/** Runs the iterations of a case and reads every output that it has. */
async function runIterations(
  device: Device,
  golden: Golden,
  params: AlphaFoldParams,
  config: AlphaFoldConfig,
  results: Results,
): Promise<void> {
  const names = golden.names("out/");
  const iterations = golden.shape("in/aatype").at(-1)!;
  const put = async (name: string, tensor: Tensor | undefined) => {
    if (tensor && names.includes(name)) results.set(`out/${name}`, await tensor.read());
  };
  let outputs: AlphaFoldOutputs | undefined;
  let aatype: Tensor | undefined;
  const blocks = new Map<string, Promise<ArrayLike<number>>>();
  let asymId: Tensor | undefined;
  const changes: number[] = [];
  for (let i = 0; i < iterations; i++) {
    const features = featuresOf(inputsOfIteration(device, golden, i));
    const recycled = outputs && recycledOf(outputs, aatype!);
    const before = outputs?.positions ?? device.zeros([...features.aatype.shape, 37, 3]);
    outputs = alphafold(params, features, recycled, config, {
      onBlock(block, representations) {
        if (i < iterations - 1) return;
        for (const name of names) {
          const [, number, which] = BLOCK.exec(name) ?? [];
          if (Number(number) === block + 1) blocks.set(name, representations[which as "m" | "z"].read());
        }
      },
    });
    aatype = features.aatype;
    asymId = features.asymId;
    if (asymId) changes.push(...await distanceChange(before, outputs.positions, features.seqMask).read());
    await put(`iter${i}/prev_msa_first_row`, outputs.firstRow);
    await put(`iter${i}/prev_pair`, outputs.z);
    await put(`iter${i}/prev_positions_atom37`, outputs.positions);
  }
  for (const [name, numbers] of blocks) results.set(`out/${name}`, await numbers);
  await putOutputs(device, params, outputs!, put, asymId);
  if (asymId) results.set("out/recycling_distance_change", changes);
  results.set("out/max_predicted_aligned_error", [31.75]);
}

type Put = (name: string, tensor: Tensor | undefined) => Promise<void>;

/** Gives the outputs of an iteration under the names of the cases. */
async function putOutputs(
  device: Device,
  params: AlphaFoldParams,
  outputs: AlphaFoldOutputs,
  put: Put,
  asymId?: Tensor,
): Promise<void> {
  const { m, z, s, structure, positions } = outputs;
  const logits = lossOutputs(params.auxHeads, outputs);
  const sure = confidence(params.auxHeads, outputs, undefined, asymId);
  const { trajectory, last, single } = structure;
  const all = async (name: string, of: (iteration: typeof last) => Tensor) => {
    const parts: number[] = [];
    for (const iteration of trajectory) parts.push(...await of(iteration).read());
    await put(name, device.tensor(parts, [parts.length]));
  };
  const given: Readonly<Record<string, Tensor | undefined>> = {
    ...{ msa: m, pair: z, single: s, final_atom_positions: positions, final_affine_tensor: framesGiven(last.frames) },
    ...{ lddt_logits: logits.plddtLogits, plddt: sure.plddt, distogram_logits: logits.distogramLogits },
    masked_msa_logits: logits.maskedMsaLogits,
    experimentally_resolved_logits: logits.experimentallyResolvedLogits,
    ...{ tm_logits: logits.tmLogits, ptm_score: sure.tmScore, predicted_aligned_error: sure.alignedErrors },
    ...{ sm_single: single, iptm_score: sure.interfaceTmScore },
  };
  for (const [name, tensor] of Object.entries(given)) await put(name, tensor);
  if (sure.interfaceTmScore) {
    const [[iptm], [ptm]] = [await sure.interfaceTmScore.read(), await sure.tmScore!.read()];
    await put("weighted_ptm_score", device.tensor([rankingScore(iptm, ptm)], [1]));
  }
  await all("sm_frames", ({ frames }) => framesGiven(frames));
  await all("sm_sidechain_frames", ({ sidechainFrames }) => matricesFromFrames(sidechainFrames));
  await all("sm_unnormalized_angles", ({ unnormalizedAngles }) => unnormalizedAngles);
  await all("sm_angles", ({ angles }) => angles);
  await all("sm_positions", (iteration) => iteration.positions);
  await all("sm_states", ({ state }) => state);
}

/** Frames as the cases have them: quaternions and translations as they are, others as homogeneous matrices. */
function framesGiven(frames: Tensor): Tensor {
  return frames.shape.length === 3 ? frames : matricesFromFrames(frames);
}

/** Compares the number of parameters with the case's. */
function countOf(golden: Golden, results: Results): Comparison[] {
  const { n_params: count } = golden.description;
  return typeof count === "number" ? [compare("n_params", results.get("n_params"), [count], EXACT)] : [];
}

/** Small networks with weights of files: PyTorch's under both kinds of names, and AlphaFold's, all the same. */
const SMALL: Family = {
  prefix: "tiny_model",
  matches: ({ source, description }) => MODEL.test(source) && isPreset(description.preset),
  async run(device, golden) {
    const { preset, config_model, checkpoint_torch, checkpoint_npz } = golden.description;
    const config = alphafoldConfigOf(String(preset), recordOf(config_model));
    const shapes = namedShapes(config);
    const torch = fileIn(checkpoint_torch);
    const weights = await weightsOf(golden, torch, shapes);
    const others = [fileIn(checkpoint_npz), torch.replace(/\.pt$/, "_v1keys.pt")];
    for (const file of others) {
      if (!await Deno.stat(join(dirname(golden.file), file)).then(() => true, () => false)) continue;
      await sameWeights(weights, await weightsOf(golden, file, shapes), file);
    }
    const results: Results = new Map([["n_params", [alphafoldParameterCount(config)]]]);
    await runIterations(device, golden, load(device, config, (name) => weights.get(name)), config, results);
    return results;
  },
  special: countOf,
};

/** @throws {TypeError} If two files' weights differ in any bit. */
function sameWeights(weights: Weights, others: Weights, file: string): void {
  for (const [name, numbers] of weights) {
    const other = others.get(name);
    if (!other) throw new TypeError(`${file} lacks ${name}`);
    const wrong = numbers.findIndex((x, i) => !Object.is(x, other[i]));
    if (wrong >= 0) throw new TypeError(`${file}: ${name}[${wrong}] is ${other[wrong]}, expected ${numbers[wrong]}`);
  }
}

/** The network of another case, and its description. */
async function networkOf(device: Device, golden: Golden, name: string) {
  const path = join(dirname(golden.file), name);
  const text = await Deno.readTextFile(`${path}.json`);
  const model = new Golden(text, await Deno.readFile(`${path}.safetensors`), path);
  const { preset, config_model, checkpoint_torch } = model.description;
  const config = alphafoldConfigOf(String(preset), recordOf(config_model));
  const weights = await weightsOf(model, fileIn(checkpoint_torch), namedShapes(config));
  return { model, config, params: load(device, config, (name) => weights.get(name)) };
}

/** A complex that is recycled until its structure hardly changes any more. */
const EARLY_STOP: Family = {
  prefix: "tiny_model",
  matches: ({ source, name }) => MODEL.test(source) && name.endsWith("_early_stop"),
  async run(device, golden) {
    const { model, config, params } = await networkOf(device, golden, golden.name.replace(/_early_stop$/, ""));
    const features = featuresOf(inputsOfIteration(device, model, 0));
    const changes: number[] = [], positions: number[] = [];
    const { index, outputs } = await recycledAlphaFold(params, () => features, config, {
      maxRecycles: golden.number("max_recycling_iters"),
      tolerance: golden.number("recycle_early_stop_tolerance"),
      msa: true,
      trajectory: true,
      async onIteration({ changeAngstrom, outputs }) {
        changes.push(changeAngstrom!);
        for (const x of await outputs.positions.read()) positions.push(x);
      },
    });
    const results: Results = new Map<string, ArrayLike<number>>([
      ["out/recycling_distance_change", changes],
      ["out/positions_per_iteration", positions],
      ["out/num_iterations", [index + 1]],
      ["out/max_predicted_aligned_error", [31.75]],
    ]);
    const put = async (name: string, tensor: Tensor | undefined) => {
      if (tensor && golden.has(`out/${name}`)) results.set(`out/${name}`, await tensor.read());
    };
    await putOutputs(device, params, outputs, put, features.asymId);
    return results;
  },
};

/** Full-size networks whose weights are hashes of their names. */
const FULL_SIZE: Family = {
  prefix: "model",
  matches: ({ source, description }) =>
    MODEL.test(source) && isPreset(description.preset) && description.parameters_stored === false,
  async run(device, golden) {
    const { preset, config_model, salt = "", fill_check } = golden.description;
    const config = alphafoldConfigOf(String(preset), recordOf(config_model));
    for (const [name, check] of Object.entries(recordOf(fill_check))) checkFill(name, recordOf(check), String(salt));
    const results: Results = new Map([["n_params", [alphafoldParameterCount(config)]]]);
    const params = load(device, config, (name, shape) => hashedAlphaFoldParameter(name, shape, String(salt)));
    await runIterations(device, golden, params, config, results);
    return results;
  },
  special: countOf,
};

/** @throws {TypeError} If our numbers of a parameter are not those of the description. */
function checkFill(name: string, { shape, first4, last }: Readonly<Record<string, unknown>>, salt: string): void {
  const numbers = hashedAlphaFoldParameter(name, shape as number[], salt);
  const ours = [...numbers.slice(0, 4), numbers.at(-1)!], theirs = [...first4 as number[], last as number];
  if (ours.some((x, i) => Math.abs(x - theirs[i]) > 1e-7 * Math.max(1, Math.abs(theirs[i])))) {
    throw new TypeError(`${name} is filled with ${ours.join(", ")}, the description has ${theirs.join(", ")}`);
  }
}

/** Loss and gradients of all parameters of a small network, for the last iteration alone, through the trainer. */
const TRAINING_STEP: Family = {
  prefix: "tiny_model",
  matches: ({ source }) => STEP.test(source),
  async run(device, golden) {
    const { model, config, params } = await networkOf(device, golden, golden.name.replace(/_train_step$/, ""));
    const iterations = model.shape("in/aatype").at(-1)!;
    const inputs = Array.from({ length: iterations }, (_, i) => inputsOfIteration(device, model, i));
    const samples = inputs.map(featuresOf);
    const last = inputs.at(-1)!;
    const fixed: Tensors = {
      ...last,
      ...Object.fromEntries(
        Object.entries(TRUTH_FEATURES).filter(([name]) => golden.has(`in/${name}`)).map(([name, dtype]) => [
          name,
          goldenTensor(device, golden, name, { dtype }),
        ]),
      ),
    };
    const truth = truthOf(fixed);
    const lossConfig = lossConfigOf(recordOf(golden.description.loss_config));
    const sample: DeviceSample = { before: samples.slice(0, -1), features: samples.at(-1)!, truth };
    const found: Record<string, Tensor> = {};
    using trainer = new Trainer<AlphaFoldParams, DeviceSample>(device, {
      params,
      loss(params, sample) {
        const { loss, unscaled, terms } = sampleLoss(params, sample, { config, loss: lossConfig, recompute: "block" });
        Object.assign(found, mapTree<Tensor, Tensor>({ loss, unscaled, ...terms }, (term) => device.hold(term)));
        return loss;
      },
    });
    await trainer.accumulate(sample);
    const { loss, ...rest } = found;
    const results: Results = new Map();
    const termNames: Readonly<Record<string, string>> = {
      unscaled: "unscaled_loss",
      plddt: "plddt_loss",
      supervisedChi: "supervised_chi",
      maskedMsa: "masked_msa",
      experimentallyResolved: "experimentally_resolved",
      chainCenterOfMass: "chain_center_of_mass",
    };
    results.set("out/loss", await loss.read()).set("out/breakdown_loss", await loss.read());
    for (const [term, tensor] of Object.entries(rest)) {
      if (tensor) results.set(`out/breakdown_${termNames[term] ?? term}`, await tensor.read());
    }
    for (const [path, grad] of trainer.gradientsByPath()) {
      results.set(`grad_param/${snakeCase(path)}`, await grad.read());
    }
    for (const term of Object.values(found)) term.dispose();
    return results;
  },
  special(golden, results) {
    const { params } = recordOf(golden.description.grad_tolerances);
    return golden.results.map((tensor) => {
      const expected = golden.data(tensor);
      if (tensor.startsWith("out/")) {
        return compare(tensor, results.get(tensor), expected, { rtol: 1e-3, atol: 1e-6, atolOfMax: 0 });
      }
      const zero = expected.every((x) => x === 0) ? new Float32Array(expected.length) : undefined;
      if (isOfComplexes(golden)) {
        const given = results.get(tensor) ?? (golden.isZeroGradient(tensor) ? new Float32Array(expected.length) : zero);
        return compare(tensor, given, expected, golden.tolerance(tensor));
      }
      const atol = recordOf(params)[tensor.replace("grad_param/", "")];
      if (!Array.isArray(atol)) throw new SyntaxError(`the description states no tolerance for ${tensor}`);
      const tolerance = { rtol: 2e-3, atol: Number(atol[2]), atolOfMax: 0 };
      return compare(tensor, results.get(tensor) ?? zero, expected, tolerance);
    });
  },
};

/** Families whose prefixes are alike: the first that matches counts. */
function oneOf(prefix: string, families: readonly Family[]): Family {
  const find = (golden: Golden) => families.find((family) => family.matches(golden))!;
  return {
    prefix,
    matches: (golden) => families.some((family) => family.matches(golden)),
    run: (device, golden) => find(golden).run(device, golden),
    special: (golden, results) => find(golden).special?.(golden, results) ?? [],
  };
}

/** AlphaFold 2, whole. */
export const ALPHAFOLD_MODEL: readonly Family[] = [oneOf("tiny_model", [SMALL, EARLY_STOP, TRAINING_STEP]), FULL_SIZE];
