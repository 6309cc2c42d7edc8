import { basename, dirname, join } from "node:path";
import { parseAlignment } from "../../data/read_alignment.ts";
import type { Alignment } from "../../data/alignment.ts";
import { takeRows } from "../../data/features/_rows.ts";
import { makeChainFeatures } from "../../data/features/chain.ts";
import { nearestNeighborClusters, summarizeClusters } from "../../data/features/clusters.ts";
import { makeMaskedMsa, maskedMsaProbabilities } from "../../data/features/masked_msa.ts";
import { correctMsaRestypes, makeHhblitsProfile, makeMsaFeatures } from "../../data/features/msa.ts";
import { makeDeletionFeatures, makeMsaFeat, makeTargetFeat, typesOfOneHot } from "../../data/features/msa_feat.ts";
import { fixTemplatesAatype, makeTemplateFeatures } from "../../data/features/template_feats.ts";
import { parseHhr } from "../../data/hhr.ts";
import { parseMmcif } from "../../data/mmcif.ts";
import { selectChain } from "../../data/structure.ts";
import { compare, type Comparison } from "../compare.ts";
import type { Family, Results } from "../family.ts";
import { type Golden, recordOf } from "../golden.ts";
import { EXACT, type Tolerance } from "../tolerance.ts";

/** Relative tolerance of forward results, and the part of the largest number that the absolute one is at least. */
const FORWARD: Tolerance = { rtol: 1e-4, atol: 0, atolOfMax: 2e-6 };

/** A case with the folder that its files lie in and all that its description says. */
interface FileCase {
  readonly folder: string;
  readonly description: Readonly<Record<string, unknown>>;
}

/** Chains of structures. */
const MMCIF: Family = {
  prefix: "mmcif",
  matches: (golden) => isOpenFoldData(golden) && fileCase(golden) !== undefined,
  async run(_device, golden) {
    const { path, parsed } = mmcifCase(golden);
    const structure = await parseMmcif(await Deno.readTextFile(path), path);
    const features = makeChainFeatures(selectChain(structure, textOf(parsed.chain_used)), structure.resolutionAngstrom);
    return results(features);
  },
  special(golden, ours) {
    const { parsed } = mmcifCase(golden);
    const letters = Array.from(textOf(parsed.sequence), (letter) => "ARNDCQEGHILKMFPSTWYV".indexOf(letter));
    const sequence = letters.map((type) => type < 0 ? 20 : type);
    return [compare("sequence", ours.get("out/aatype"), sequence, EXACT), ...compareFloats(golden, ours)];
  },
};

/** Files of alignments and of hits. */
const PARSED: Family = {
  prefix: "parsed",
  matches: (golden) => isOpenFoldData(golden) && fileCase(golden) !== undefined,
  async run(_device, golden) {
    const { folder, description } = need(golden);
    const path = join(folder, textOf(recordOf(listOf(description.files)[0]).name));
    const text = await Deno.readTextFile(path);
    if (Array.isArray(description.hits)) return hitResults(text, path);
    const { rows, deletions, names } = parseAlignment(text, path);
    const texts = listOf(description.descriptions).map((name) => textOf(name).split(/\s/)[0]);
    return new Map<string, ArrayLike<number>>([
      ["out/sequences_ascii", new TextEncoder().encode(rows.join(""))],
      ["out/deletion_matrix", deletions.flatMap((row) => Array.from(row))],
      ["names", [Number(names.join("\n") === texts.join("\n"))]],
    ]);
  },
  special(golden, ours) {
    const { description } = need(golden);
    if (!Array.isArray(description.hits)) return [compare("names", ours.get("names"), [1], EXACT)];
    const expected = description.hits.map(recordOf);
    const count = compare("hits", ours.get("hits"), [expected.length], EXACT);
    return [count, ...expected.flatMap((hit, k) => hitComparisons(hit, k, ours))];
  },
};

/** Alignments joined. */
const MAKE_MSA_FEATURES: Family = {
  prefix: "make_msa_features",
  matches: (golden) => isOpenFoldData(golden) && fileCase(golden) !== undefined,
  async run(_device, golden) {
    const { folder, description } = need(golden);
    const alignments: Alignment[] = [];
    for (const name of listOf(description.input_order)) {
      const path = join(folder, "files", basename(textOf(name)));
      alignments.push(parseAlignment(await Deno.readTextFile(path), path));
    }
    const features = makeMsaFeatures(alignments);
    const species = listOf(description.species).map(textOf);
    return new Map<string, ArrayLike<number>>([
      ["out/msa", features.msa],
      ["out/deletion_matrix_int", features.deletion_matrix_int],
      ["num_alignments", features.num_alignments],
      ["species", [Number(features.msa_species_identifiers.join("\n") === species.join("\n"))]],
    ]);
  },
  special(golden, ours) {
    const { description } = need(golden);
    const columns = golden.shape("out/msa")[1];
    return [
      compare("num_alignments", ours.get("num_alignments"), Array(columns).fill(description.num_alignments), EXACT),
      ...(Array.isArray(description.species) ? [compare("species", ours.get("species"), [1], EXACT)] : []),
    ];
  },
};

/** From raw rows to what the network reads, with given choices. */
const MSA_FEAT: Family = {
  prefix: "msa_feat",
  matches: isOpenFoldData,
  run(_device, golden) {
    const columns = golden.shape("in/msa_hhblits")[1];
    const aatype = typesOfOneHot(golden.data("in/aatype_onehot"), golden.shape("in/aatype_onehot")[1]);
    const msa = correctMsaRestypes(golden.data("in/msa_hhblits"));
    const profile = makeHhblitsProfile(msa, columns);
    const deletions = golden.data("in/deletion_matrix");
    const selected = golden.data("in/sel_indices");
    const others = golden.data("in/extra_indices");
    const truth = takeRows(msa, columns, selected);
    const masking = { mask: golden.data("in/bert_mask"), tokens: golden.data("in/bert_msa") };
    const masked = makeMaskedMsa(truth, profile, masking);
    const centers = { msa: masked.msa, deletions: takeRows(deletions, columns, selected) };
    const extra = { msa: takeRows(msa, columns, others), deletions: takeRows(deletions, columns, others) };
    const assignment = nearestNeighborClusters(centers, extra, columns);
    const summary = summarizeClusters(centers, extra, assignment, columns);
    const cropped = golden.data("in/crop_extra_indices");
    const extraDeletions = makeDeletionFeatures(takeRows(extra.deletions, columns, cropped));
    return results({
      aatype,
      msa_restypes: msa,
      hhblits_profile: profile,
      masked_msa_categorical_probs: maskedMsaProbabilities(truth, profile),
      extra_cluster_assignment: assignment,
      ...summary,
      msa_feat: makeMsaFeat(centers.msa, centers.deletions, summary),
      target_feat: makeTargetFeat(aatype),
      extra_msa: takeRows(extra.msa, columns, cropped),
      extra_has_deletion: extraDeletions.has_deletion,
      extra_deletion_value: extraDeletions.deletion_value,
    });
  },
  special: compareFloats,
};

/** Templates from their atoms. */
const TEMPLATE_TRANSFORMS: Family = {
  prefix: "template_transforms",
  matches: isOpenFoldData,
  run(_device, golden) {
    const atoms = {
      template_aatype: fixTemplatesAatype(golden.data("in/template_aatype_onehot22_hhblits")),
      template_all_atom_positions: golden.data("in/template_all_atom_positions"),
      template_all_atom_mask: golden.data("in/template_all_atom_mask"),
    };
    return results({ ...makeTemplateFeatures(atoms, golden.shape("out/template_aatype")[1]) });
  },
  special: compareFloats,
};

/** OpenFold's data pipeline. */
export const OPENFOLD_DATA: readonly Family[] = [MMCIF, PARSED, MAKE_MSA_FEATURES, MSA_FEAT, TEMPLATE_TRANSFORMS];

function isOpenFoldData({ source }: Golden): boolean {
  return /^(?:openfold\/data\/|data_transforms\.)/.test(source);
}

/** Folder and description, where the runner tells them. */
function fileCase(golden: Golden): FileCase | undefined {
  if (!("file" in golden && typeof golden.file === "string" && "description" in golden)) return undefined;
  return { folder: dirname(golden.file), description: recordOf(golden.description) };
}

function need(golden: Golden): FileCase {
  const found = fileCase(golden);
  if (found === undefined) throw new TypeError("the golden case does not tell its folder");
  return found;
}

function mmcifCase(golden: Golden): { path: string; parsed: Readonly<Record<string, unknown>> } {
  const { folder, description } = need(golden);
  const path = join(folder, textOf(recordOf(listOf(description.files)[0]).name));
  return { path, parsed: recordOf(description.parsed) };
}

function hitResults(text: string, path: string): Results {
  const { hits } = parseHhr(text, path);
  const encoder = new TextEncoder();
  return new Map<string, ArrayLike<number>>([
    ["hits", [hits.length]],
    ...hits.flatMap((hit, k): [string, ArrayLike<number>][] => [
      [`hits/${k}/index`, [hit.index]],
      [`hits/${k}/name`, encoder.encode(hit.name)],
      [`hits/${k}/aligned_cols`, [hit.alignedColumns]],
      [`hits/${k}/sum_probs`, [hit.sumProbs]],
      [`hits/${k}/query`, encoder.encode(hit.query)],
      [`hits/${k}/hit_sequence`, encoder.encode(hit.hitSequence)],
      [`hits/${k}/indices_query`, hit.queryIndices],
      [`hits/${k}/indices_hit`, hit.hitIndices],
    ]),
  ]);
}

function hitComparisons(hit: Readonly<Record<string, unknown>>, k: number, ours: Results): Comparison[] {
  return Object.entries(hit).map(([key, value]) => {
    const expected = typeof value === "string"
      ? new TextEncoder().encode(value)
      : (Array.isArray(value) ? value : [value]).map(Number);
    return compare(`hits/${k}/${key}`, ours.get(`hits/${k}/${key}`), expected, EXACT);
  });
}

/** Float tensors: exact where the description says so or all numbers are 0 or 1, else as all forward results. */
function compareFloats(golden: Golden, ours: Results): Comparison[] {
  const stated = fileCase(golden)?.description;
  const errors = recordOf(stated?.err_f32_vs_f64);
  return golden.results.map((name) => {
    const expected = golden.data(name);
    const error = errors[name.replace(/^out\//, "")];
    const tolerance = error === 0 || expected.every((x) => x === 0 || x === 1)
      ? EXACT
      : { ...FORWARD, atol: typeof error === "number" ? 10 * error : 0 };
    return compare(name, ours.get(name), expected, tolerance, { valid: golden.valid(name) });
  });
}

function results(features: object): Results {
  return new Map(Object.entries(features).map(([name, numbers]) => [`out/${name}`, numbers]));
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
