/** From the files that a reader chose to a prediction, without a server: all runs where the page is open. */
import type { Device } from "../../../core/mod.ts";
import { blobSource } from "../../../model/weights/byte_source.ts";
import { openfoldWeights } from "../../../model/weights/openfold_weights.ts";
import { makeTemplateFeatures } from "../../data/features/template_feats.ts";
import { makeTemplates } from "../../data/features/templates.ts";
import { type Alignment, checkQuery, makeAlignment } from "../../data/alignment.ts";
import { parseChainRecords } from "../../data/fasta.ts";
import { parseAlignment } from "../../data/parse_alignment.ts";
import { warningsOf } from "../../data/remarks.ts";
import { asInputError, InputError } from "../../errors.ts";
import { decodeTrained, isCheckpoint, plannedTrained } from "../../predict/checkpoint_model.ts";
import { paeJson } from "../../predict/confidence.ts";
import { fittedModels, weightsText } from "../../predict/fitted_models.ts";
import { type HeldWeights, predictTarget } from "../../predict/network.ts";
import { Networks } from "../../predict/networks.ts";
import { noticesOf, type PlannedModel } from "../../predict/planned_model.ts";
import { predictionName } from "../../predict/prediction.ts";
import { reportOf } from "../../predict/run_report.ts";
import { structureTexts } from "../../predict/structure_texts.ts";
import { namingOf, targetData } from "../../predict/target_data.ts";
import type { PreparedTarget } from "../../prep/prepare_target.ts";
import { makeTargetFeatures } from "../../prep/target_features.ts";
import { readWeights } from "../../weights/open_weights.ts";
import type { ChosenFile, FoldFile, FoldMessage, FoldRequest } from "../messages.ts";

/** Told where a prediction is. */
type Tell = (step: Omit<Extract<FoldMessage, { kind: "step" }>, "kind">) => void;

/** Predicts with networks on a device; that of the last weights stays there. */
export class TabPredictor {
  readonly #networks: Networks;
  readonly #version: string;
  readonly #held = new Map<string, HeldWeights>();
  #last: { readonly file: ChosenFile; readonly model: PlannedModel } | undefined;

  constructor(readonly device: Device, version: string) {
    this.#version = version;
    this.#networks = new Networks(device, "f32", (preset, held) => this.#held.set(preset, held));
  }

  /**
   * Predicts one chain.
   *
   * @throws {InputError} If what was given cannot be used.
   */
  async fold(request: FoldRequest, tell: Tell): Promise<Omit<Extract<FoldMessage, { kind: "done" }>, "kind">> {
    const began = performance.now();
    tell({ text: "Reading the alignment", done: 0, of: 1 });
    const prepared = await prepare(request);
    const featureSeconds = (performance.now() - began) / 1000;
    tell({ text: "Reading the weights", done: 0, of: 1 });
    const model = await this.#modelOf(request.weights);
    if (model.config.multimer) {
      throw new InputError(`${model.preset} is a network for complexes, which this page does not predict yet`);
    }
    const network = await this.#networks.of(model);
    const { maxRecycles: usual } = model.config.recycling, blocks = model.config.evoformer.nBlock;
    const maxRecycles = request.recycles ?? usual, passes = maxRecycles + 1;
    let pass = 0;
    const step = (block: number) => {
      const text = `Pass ${pass + 1} of ${passes}, block ${Math.min(block + 1, blocks)} of ${blocks}`;
      tell({ text, done: pass * blocks + block, of: passes * blocks });
    };
    step(0);
    const { sequence, features } = prepared;
    const prediction = await predictTarget(this.device, network, features, sequence, {
      ...{ seed: request.seed, maxRecycles, maxMsaClusters: request.maxMsa },
      onBlock: step,
      onRecycle: (index) => pass = index + 1,
    });
    if (!prediction.plddt.every(Number.isFinite) || !prediction.atomPositions.every(Number.isFinite)) {
      throw new InputError(`${model.preset} gave numbers that are not finite on ${this.device.traits.description}`);
    }
    const naming = namingOf(prepared), name = predictionName(prediction, 0);
    const adapter = this.device.traits.description;
    const { cif, pdb } = structureTexts(
      { id: prepared.id, naming, adapter, version: this.#version, weights: () => model.weights },
      prediction,
      name,
    );
    const files: FoldFile[] = [
      ...(pdb === undefined ? [] : [{ name: `${prepared.id}.pdb`, text: pdb }]),
      { name: `${prepared.id}.cif`, text: cif },
      ...(prediction.pae
        ? [{
          name: `${prepared.id}_pae.json`,
          text: paeJson(prediction.pae, sequence.length, prediction.maxPae!),
        }]
        : []),
    ];
    const warnings = [...noticesOf([model]), ...prepared.warnings];
    const texts = new Map([[`unrelaxed_${name}.cif`, cif]]);
    const shown = targetData(prepared.id, prepared, [prediction], naming, "plddt", warnings, texts, []);
    const seconds = featureSeconds + (performance.now() - began) / 1000;
    const report = reportOf(
      [{
        ...{ id: prepared.id, status: "done", folder: "", residues: sequence.length, seconds },
        data: { ...shown, predictions: shown.predictions.map((own) => ({ ...own, files: [] })) },
      }],
      { models: [model], adapter, seconds, version: this.#version, held: this.#held },
    );
    return { report, files };
  }

  async #modelOf(file: ChosenFile): Promise<PlannedModel> {
    if (this.#last?.file.blob === file.blob) return this.#last.model;
    const model = await modelOf(file);
    this.#last = { file, model };
    return model;
  }
}

/** The network that a file has the weights of. */
async function modelOf({ name, blob }: ChosenFile): Promise<PlannedModel> {
  const weights = await readWeights(blobSource(blob, name));
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  if (isCheckpoint(weights.metadata)) return plannedTrained(asInputError(() => decodeTrained(bytes, name)), sha256);
  const [{ preset, config, naming }] = fittedModels(weights, name);
  return {
    ...{ preset, config, weights: weightsText(name, naming, sha256), notice: null },
    open: () => Promise.resolve({ entries: openfoldWeights(weights).entries, [Symbol.dispose]() {} }),
  };
}

/** The target that the reader describes. */
async function prepare({ sequence: typed, alignments: files }: FoldRequest): Promise<PreparedTarget> {
  const alignments: Alignment[] = [];
  for (const file of files) alignments.push(parseAlignment(await textOf(file), file.name));
  const { id, sequence } = typed.trim() === "" ? queryOf(alignments) : sequenceOf(typed);
  for (const alignment of alignments) checkQuery(alignment, sequence, "the target");
  const given = alignments.length > 0 ? alignments : [makeAlignment("the sequence alone", [id], [sequence])];
  const { features, depth, warnings } = makeTargetFeatures(sequence, given);
  const { templates } = await makeTemplates(sequence, [], () => Promise.resolve(undefined));
  return {
    ...{ id, sequence, depth, observedResidues: 0, sources: [] },
    features: { ...features, ...templates, ...makeTemplateFeatures(templates, sequence.length) },
    warnings: [...alignments.flatMap(warningsOf), ...warnings],
  };
}

/** Name and letters of what was typed. */
function sequenceOf(typed: string): { id: string; sequence: string } {
  const text = typed.trimStart().startsWith(">") ? typed : `>target\n${typed}`;
  const records = parseChainRecords(text, "The sequence");
  if (records.length > 1 || records[0].text.includes(":")) {
    throw new InputError(
      "The sequence has several chains, this page predicts one: take denofold predict for complexes",
    );
  }
  return { id: fileName(records[0].name), sequence: records[0].text.toUpperCase() };
}

/** Name and letters of the first row of the alignments. */
function queryOf([first]: readonly Alignment[]): { id: string; sequence: string } {
  if (first) return { id: fileName(first.names[0]), sequence: first.rows[0] };
  throw new InputError("There is no sequence: type one, or choose an alignment whose first row it is");
}

/** A name that files can have. */
function fileName(name: string): string {
  return name.replace(/[^\w.-]+/g, "_").replace(/^\.+/, "") || "target";
}

async function textOf({ name, blob }: ChosenFile): Promise<string> {
  const [a, b] = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  if (a !== 0x1f || b !== 0x8b) return await blob.text();
  try {
    return await new Response(blob.stream().pipeThrough(new DecompressionStream("gzip"))).text();
  } catch {
    throw new InputError(`${name} cannot be unpacked: it is damaged or cut short`);
  }
}
