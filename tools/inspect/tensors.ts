/** What files of numbers hold: checkpoints, safetensors, npy, and features. */
import { type NamedArray, type SafetensorsFile, toFloat32 } from "../../model/weights/safetensors.ts";
import { decodeCheckpoint } from "../../finetune/mod.ts";
import { correctMsaRestypes } from "../data/features/msa.ts";
import { ATOM_SLOTS } from "../../model/protein/residues.ts";
import type { Chain } from "../data/structure.ts";
import { recognizeNetwork } from "../networks/read_network.ts";
import { parseFeatureFile } from "../prep/feature_file.ts";
import { depthParts } from "./alignments.ts";
import type { Fact, FactTable, Inspection } from "./inspection.ts";
import { distanceMap } from "./structures.ts";

/** Longest text of the metadata that is shown. */
const MAX_TEXT = 200;

/** Tells what arrays by name are. */
export function inspectTensors(
  path: string,
  kind: string,
  tensors: ReadonlyMap<string, NamedArray>,
  facts: readonly Fact[] = [],
): Inspection {
  let numbers = 0, bytes = 0, bad = 0;
  const rows = Array.from(tensors, ([name, array]) => {
    const range = rangeOf(array);
    numbers += array.data.length;
    bytes += array.data.byteLength;
    bad += range.notFinite;
    return [name, array.dtype, `[${array.shape.join(", ")}]`, range.least, range.most, range.mean, range.notFinite];
  });
  return {
    kind,
    path,
    facts: [
      ...facts,
      { key: "tensorCount", label: "Arrays", value: tensors.size },
      { key: "numbers", label: "Numbers", value: numbers },
      { key: "bytes", label: "Bytes", value: bytes },
    ],
    tables: [{
      key: "tensors",
      title: "Arrays",
      columns: ["name", "type", "shape", "least", "most", "mean", "not finite"],
      rows,
    }],
    warnings: bad > 0 ? [`numbers that are not finite: ${bad}`] : [],
    maps: [],
  };
}

/** Tells what a checkpoint of denofold holds. */
export function inspectCheckpoint(path: string, bytes: Uint8Array): Inspection {
  const { params, trainer, facts } = decodeCheckpoint(bytes, path);
  const history = Array.isArray(facts.history) ? facts.history.length : undefined;
  const shown: Fact[] = [
    { key: "model", label: "Model", value: textOf(facts.model) },
    { key: "network", label: "Network", value: recognizeNetwork(params, facts) },
    {
      key: "denofold",
      label: "Written by",
      value: facts.denofold === undefined ? undefined : `denofold ${facts.denofold}`,
    },
    { key: "seed", label: "Seed", value: typeof facts.seed === "number" ? facts.seed : undefined },
    { key: "step", label: "Steps", value: trainer?.step ?? history },
    { key: "resumable", label: "Can be resumed", value: trainer ? "yes" : "no" },
    {
      key: "config",
      label: "Configuration",
      value: facts.config === undefined ? undefined : JSON.stringify(facts.config),
    },
    { key: "data", label: "Data", value: facts.data === undefined ? undefined : JSON.stringify(facts.data) },
  ];
  return inspectTensors(path, "checkpoint", params, shown);
}

/** Tells what a safetensors file of any other program holds. */
export function inspectSafetensors(path: string, { tensors, metadata }: SafetensorsFile): Inspection {
  const facts = Object.entries(metadata).map(([key, value]): Fact => ({
    key: `metadata.${key}`,
    label: key,
    value: value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value,
  }));
  const network = recognizeNetwork(tensors);
  const known: Fact[] = network === undefined ? [] : [{ key: "network", label: "Network", value: network }];
  return inspectTensors(path, "safetensors", tensors, [...known, ...facts]);
}

/** Tells what a feature file holds. */
export function inspectFeatures(path: string, bytes: Uint8Array, file: SafetensorsFile, maps: boolean): Inspection {
  const {
    id,
    sequence,
    label,
    relation,
    bound,
    chain,
    observedResidues,
    warnings,
    sources,
    features,
    supervised,
    version,
  } = parseFeatureFile(bytes, path);
  const depth = depthParts({ sequence, types: correctMsaRestypes(features.msa) }, maps);
  const arrays = inspectTensors(path, "features", file.tensors);
  const templates: FactTable = {
    key: "templates",
    title: "Templates",
    columns: ["template", "sum of probabilities"],
    rows: features.template_domain_names.map((name, t) => [name, features.template_sum_probs[t]]),
  };
  const files: FactTable = {
    key: "sources",
    title: "Made of",
    columns: ["file", "SHA-256"],
    rows: sources.map(({ path, sha256 }) => [path, sha256]),
  };
  const map = maps && supervised ? [distanceMap(chainOf(sequence, chain, supervised))] : [];
  return {
    kind: "features",
    path,
    facts: [
      { key: "id", label: "Target", value: id },
      { key: "sequence", label: "Sequence", value: sequence },
      { key: "residues", label: "Residues", value: sequence.length },
      { key: "label", label: "Label", value: label },
      { key: "bound", label: "Bound, left out", value: bound },
      { key: "relation", label: "Relation", value: relation },
      { key: "chain", label: "Chain", value: chain },
      { key: "observedResidues", label: "Observed", value: supervised ? observedResidues : undefined },
      { key: "templateCount", label: "Templates", value: features.template_domain_names.length },
      ...depth.facts,
      { key: "version", label: "Version", value: version },
    ],
    tables: [templates, ...depth.tables, files, ...arrays.tables],
    warnings: [...warnings, ...arrays.warnings],
    columns: depth.columns,
    maps: [...map, ...depth.maps],
  };
}

/** The chain that supervised features were made of, as far as the map needs it. */
function chainOf(
  sequence: string,
  id: string | undefined,
  atoms: { readonly all_atom_positions: Float32Array; readonly all_atom_mask: Float32Array },
): Chain {
  const n = sequence.length;
  return {
    id: id ?? "A",
    labelId: id ?? "A",
    sequence,
    residueNumbers: Int32Array.from({ length: n }, (_, i) => i + 1),
    insertionCodes: new Array<string>(n).fill(""),
    atomPositions: atoms.all_atom_positions,
    atomMask: atoms.all_atom_mask,
    bFactors: new Float32Array(n * ATOM_SLOTS),
  };
}

function rangeOf(array: NamedArray): { least?: number; most?: number; mean?: number; notFinite: number } {
  const data = array.dtype === "F64" ? array.data : toFloat32(array);
  let least = Infinity, most = -Infinity, sum = 0, notFinite = 0;
  for (const value of data) {
    const x = Number(value);
    if (!Number.isFinite(x)) {
      notFinite++;
      continue;
    }
    if (x < least) least = x;
    if (x > most) most = x;
    sum += x;
  }
  const count = data.length - notFinite;
  return count === 0 ? { notFinite } : { least, most, mean: sum / count, notFinite };
}

function textOf(value: unknown): string | undefined {
  return value === undefined ? undefined : typeof value === "string" ? value : JSON.stringify(value);
}
