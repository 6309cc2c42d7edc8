import { dirname, join } from "node:path";
import { ATOM37_EXISTS } from "../../../model/protein/residue_constants.ts";
import { parseHmmsearch } from "../../data/hmmsearch.ts";
import { parseAlignment } from "../../data/read_alignment.ts";
import { makeComplexFeatures } from "../../data/features/complex/complex_features.ts";
import { complexRowOrder, makeComplexInputs } from "../../data/features/complex/complex_inputs.ts";
import { askedFor, type ChainInputs } from "../../data/features/complex/complex_features.ts";
import { cropComplex, type CropDraws, cropTemplates, interfaceResidues } from "../../data/features/complex/crop.ts";
import { placeChains } from "../../data/features/complex/chain_places.ts";
import { pairRowsBySpecies } from "../../data/features/complex/pair_rows.ts";
import { makeSequenceFeatures } from "../../data/features/chain.ts";
import {
  correctMsaRestypes,
  GAP_TOKEN,
  HHBLITS_LETTERS,
  makeHhblitsProfile,
  makeMsaFeatures,
} from "../../data/features/msa.ts";
import { fixTemplatesAatype } from "../../data/features/template_feats.ts";
import { RESIDUE_LETTERS } from "../../../model/protein/residues.ts";
import { compare } from "../compare.ts";
import type { Family, Results } from "../family.ts";
import { recordOf } from "../golden.ts";
import { EXACT } from "../tolerance.ts";
import { isOfComplexes } from "./_module.ts";

const TEMPLATE_NAMES = ["template_aatype", "template_all_atom_positions", "template_all_atom_mask"] as const;

/** Rows that the cases fill alignments up with. */
const PADDING = 5;

const listOf = (value: unknown): readonly unknown[] => Array.isArray(value) ? value : [];

/** Whole numbers of a feature of a chain. */
const columnsOf = (rows: ArrayLike<number>, columns: number, count: number) =>
  Array.prototype.slice.call(rows, 0, count * columns);

/** Chains of files, paired and joined. */
const PAIR_AND_MERGE: Family = {
  prefix: "pair_and_merge",
  matches: isOfComplexes,
  async run(_device, golden) {
    const { description } = golden;
    const folder = join(dirname(golden.file), "files");
    const read = async (entity: string, names: readonly string[]) => {
      const alignments = [];
      for (const name of names) {
        const path = join(folder, entity, name);
        alignments.push(parseAlignment(await Deno.readTextFile(path), path));
      }
      return makeMsaFeatures(alignments);
    };
    const given = listOf(description.input_chain_order).map(recordOf);
    const places = placeChains(given.map(({ sequence }) => String(sequence)));
    const nameOf = (k: number) => {
      const place = places.find(({ input }) => input === k)!;
      return `${String.fromCharCode(64 + place.entity)}_${place.sym}`;
    };
    const isPaired = description.pair_msa_sequences === true;
    const chains: ChainInputs[] = [];
    const pairables: Awaited<ReturnType<typeof read>>[] = [];
    const results: Results = new Map();
    for (const [k, chain] of given.entries()) {
      const entity = String(chain.entity_file_folder), sequence = String(chain.sequence), name = nameOf(k);
      const msa = await read(entity, listOf(description.msa_order).map(String));
      const pairable = await read(entity, ["uniprot_hits.sto"]);
      pairables.push(pairable);
      const onehot = `in/${name}/template_aatype_onehot22_hhblits`;
      const first = golden.has(onehot) ? name : nameOf(given.findIndex((other) => other.sequence === sequence));
      const templates = golden.has(`in/${first}/template_aatype_onehot22_hhblits`)
        ? {
          template_aatype: fixTemplatesAatype(golden.data(`in/${first}/template_aatype_onehot22_hhblits`)),
          template_all_atom_positions: golden.data(`in/${first}/template_all_atom_positions`),
          template_all_atom_mask: golden.data(`in/${first}/template_all_atom_mask`),
        }
        : undefined;
      chains.push({ sequence, msa, pairable: isPaired ? pairable : undefined, templates });
      const n = sequence.length, place = places.find(({ input }) => input === k)!;
      const fill = (value: number) => new Array<number>(n).fill(value);
      const own: Readonly<Record<string, ArrayLike<number> | undefined>> = {
        aatype: makeSequenceFeatures(sequence).aatype,
        residue_index: makeSequenceFeatures(sequence).residue_index,
        ...{ asym_id: fill(place.asym), entity_id: fill(place.entity), sym_id: fill(place.sym) },
        ...{ msa: msa.msa, deletion_matrix_int: msa.deletion_matrix_int },
        ...{ msa_all_seq: pairable.msa, deletion_matrix_int_all_seq: pairable.deletion_matrix_int },
        msa_all_seq_first40: columnsOf(pairable.msa, n, 40),
        deletion_matrix_int_all_seq_first40: columnsOf(pairable.deletion_matrix_int, n, 40),
        template_aatype: templates?.template_aatype,
      };
      for (const [feature, numbers] of Object.entries(own)) if (numbers) results.set(`out/${name}/${feature}`, numbers);
      const expected = recordOf(recordOf(description.chains)[name]);
      const species = pairable.msa_species_identifiers.slice(0, 40).join("\n");
      results.set(`${name}/species`, [
        Number(!expected.species_all_seq_first40 || listOf(expected.species_all_seq_first40).join("\n") === species),
      ]);
    }
    const { features } = makeComplexFeatures(chains, {
      maxRowsPerChain: Number(description.msa_crop_size),
      maxTemplates: Number(description.max_templates),
    });
    const ordered = places.map(({ input }) => input);
    if (isPaired) results.set("out/paired_rows", pairRowsBySpecies(ordered.map((k) => pairables[k])).flat());
    const n = features.aatype.length, rows = features.msa_row_entity.length;
    const isAsked = askedFor(features);
    const msa = correctMsaRestypes(features.msa);
    const ones = (count: number) => new Float32Array(count).fill(1);
    const final: Record<string, ArrayLike<number>> = {
      ...{ aatype: features.aatype, residue_index: features.residue_index },
      ...{ asym_id: features.asym_id, entity_id: features.entity_id, sym_id: features.sym_id },
      ...{ seq_length: [n], num_alignments: [rows], msa, deletion_matrix: features.deletion_matrix_int },
      deletion_mean: features.deletion_mean,
      all_atom_mask: Array.from(features.aatype).flatMap((
        type,
      ) => [...ATOM37_EXISTS.subarray(37 * type, 37 * type + 37)]),
      all_atom_positions: new Float32Array(n * 37 * 3),
      ...{ assembly_num_chains: [chains.length], entity_mask: ones(n), seq_mask: ones(n), msa_mask: ones(n * rows) },
      num_templates: [(chains[ordered[0]].templates?.template_aatype.length ?? 0) / chains[ordered[0]].sequence.length],
      cluster_bias_mask: features.cluster_bias_mask,
      bert_mask: Float32Array.from({ length: n * rows }, (_, i) => Number(isAsked(Math.floor(i / n), i % n))),
      ...Object.fromEntries(TEMPLATE_NAMES.map((name) => [name, features[name]])),
    };
    for (const [name, numbers] of Object.entries(final)) results.set(`out/final/${name}`, numbers);
    for (const name of ["msa", "deletion_matrix", "bert_mask", "msa_mask", "cluster_bias_mask"]) {
      const width = name === "cluster_bias_mask" ? 1 : n;
      const padded = new Float32Array((rows + PADDING) * width);
      padded.set(Array.from(final[name]));
      results.set(`out/padded/${name}_last6`, padded.slice(-6 * width));
    }
    return results;
  },
  special: (golden, results) => [
    ...[...results].filter(([name]) => name.endsWith("/species")).map(([name, found]) =>
      compare(name, found, [1], EXACT)
    ),
    ...golden.results.map((name) => {
      const expected = golden.data(name);
      const tolerance = name.endsWith("deletion_mean") ? { rtol: 1e-6, atol: 0, atolOfMax: 0 } : EXACT;
      return compare(name, results.get(name), expected, tolerance);
    }),
  ],
};

const HHBLITS_OF_TYPE = [...Array.from(RESIDUE_LETTERS, (letter) => HHBLITS_LETTERS.indexOf(letter)), GAP_TOKEN];

/** From a complex's features to what the network reads, with given draws. */
const MSA_TRANSFORMS: Family = {
  prefix: "msa_transforms",
  matches: isOfComplexes,
  run(_device, golden) {
    const [rows, n] = golden.shape("in/msa");
    const types = golden.data("in/msa"), asked = golden.data("in/bert_mask");
    const [row, hidden, token] = ["sample", "mask", "gumbel"].map((name) => golden.data(`in/draw_${name}_uniform`));
    const draws = {
      row: (r: number) => row[r],
      hidden: (r: number, c: number) => hidden[r * n + c],
      token: (r: number, c: number, k: number) => token[(r * n + c) * 23 + k],
    };
    const [clusters] = golden.shape("out/sample/msa"), [extraRows] = golden.shape("out/sample/extra_msa");
    const aatype = Int32Array.from(golden.data("in/aatype"));
    const deletions = Int32Array.from(golden.data("in/deletion_matrix"));
    const bias = golden.data("in/cluster_bias_mask"), mask = golden.data("in/msa_mask");
    const rowMask = Float32Array.from({ length: rows }, (_, r) => mask[r * n]);
    // Columns in which nothing is asked for in a row are of other sequences than the row.
    const entity = new Int32Array(n), rowEntity = new Int32Array(rows);
    let next = 1;
    for (let r = 0; r < rows; r++) {
      const own = Array.from({ length: n }, (_, c) => asked[r * n + c]);
      if (own.every((x) => x === 1)) continue;
      const first = own.indexOf(1);
      if (entity[first] === 0) own.forEach((x, c) => x === 1 && (entity[c] = next));
      if (entity[first] === next) next++;
      rowEntity[r] = entity[first];
    }
    const features = {
      ...{ aatype, residue_index: new Int32Array(n), between_segment_residues: new Int32Array(n) },
      ...{ asym_id: entity, entity_id: entity, sym_id: entity },
      msa: Int32Array.from(types, (type) => HHBLITS_OF_TYPE[type]),
      ...{ deletion_matrix_int: deletions, deletion_mean: new Float32Array(n) },
      ...{ msa_row_entity: rowEntity, cluster_bias_mask: bias, msa_row_mask: rowMask },
      template_aatype: new Int32Array(),
      template_all_atom_positions: new Float32Array(),
      template_all_atom_mask: new Float32Array(),
    };
    const inputs = makeComplexInputs(features, draws, {
      ...{ maxMsaClusters: clusters, maxExtraMsa: extraRows, clusterExtraAlone: true },
    });
    const order = complexRowOrder(bias, draws, rowMask);
    const taken = (numbers: ArrayLike<number>, from: number, count: number) =>
      Array.from(order.subarray(from, from + count)).flatMap((r) =>
        columnsOf(numbers, n, rows).slice(r * n, r * n + n)
      );
    const results: Results = new Map<string, ArrayLike<number>>([
      ["out/msa_profile", makeHhblitsProfile(taken(types, 0, rows).slice(0, rowMask.filter((x) => x).length * n), n)],
      ["out/target_feat", inputs.target_feat],
      ["out/sample/order", order.subarray(0, clusters + extraRows)],
      ["out/masked/msa", inputs.msa_feat.length ? tokensOf(inputs.msa_feat) : []],
      ["out/masked/true_msa", inputs.true_msa],
      ["out/masked/bert_mask", inputs.bert_mask],
      ["out/cluster_profile", partOf(inputs.msa_feat, 25, 23)],
      ["out/msa_feat", inputs.msa_feat],
      ["out/cluster_deletion_mean", partOf(inputs.msa_feat, 48, 1).map((x) => 3 * Math.tan(x * Math.PI / 2))],
      ["out/extra_msa_feat", extraFeatures(inputs)],
    ]);
    const all = { msa: types, deletion_matrix: deletions, msa_mask: mask, bert_mask: asked };
    for (const [name, numbers] of Object.entries(all)) {
      results.set(`out/sample/${name}`, taken(numbers, 0, clusters));
      results.set(`out/sample/extra_${name}`, taken(numbers, clusters, extraRows));
    }
    return results;
  },
  special: (golden, results) =>
    golden.results.map((name) => {
      const known = recordOf(recordOf(golden.description.tensors)[name]);
      const stated = typeof known.atol === "number" ? golden.tolerance(name) : EXACT;
      return compare(name, results.get(name), golden.data(name), stated);
    }),
};

/** Some of the 49 numbers of every place. */
function partOf(msaFeat: Float32Array, from: number, count: number): Float32Array {
  const places = msaFeat.length / 49;
  return Float32Array.from(
    { length: places * count },
    (_, i) => msaFeat[Math.floor(i / count) * 49 + from + i % count],
  );
}

function tokensOf(msaFeat: Float32Array): number[] {
  return Array.from({ length: msaFeat.length / 49 }, (_, i) => msaFeat.subarray(i * 49, i * 49 + 23).indexOf(1));
}

function extraFeatures(
  inputs: Pick<
    ReturnType<typeof makeComplexInputs>,
    "extra_msa" | "extra_has_deletion" | "extra_deletion_value"
  >,
): number[] {
  return Array.from(inputs.extra_msa).flatMap((token, i) => {
    const place = new Array<number>(25).fill(0);
    place[token] = 1;
    [place[23], place[24]] = [inputs.extra_has_deletion[i], inputs.extra_deletion_value[i]];
    return place;
  });
}

/** Crops of complexes, with given draws. */
const CROP: Family = {
  prefix: "crop",
  matches: isOfComplexes,
  run(_device, golden) {
    const given = listOf(golden.description.draws).map(recordOf);
    let next = 0;
    const draw = (kind: string) => {
      const made = given[next++];
      if (made?.kind !== kind) throw new TypeError(`draw ${next} is of kind ${made?.kind}, expected ${kind}`);
      return made;
    };
    const inputs = {
      asym_id: golden.data("in/asym_id"),
      all_atom_positions: golden.data("in/all_atom_positions"),
      all_atom_mask: golden.data("in/all_atom_mask"),
    };
    const threshold = golden.number("interface_threshold");
    const draws: CropDraws = {
      uniform: () => Number(listOf(draw("uniform").value)[0]),
      permutation: () => listOf(draw("permutation").value).map(Number),
      integer(lower, upper) {
        const made = draw("randint");
        if (made.lower !== lower || made.upper_inclusive !== upper) {
          throw new TypeError(
            `draw ${next} is from ${made.lower} to ${made.upper_inclusive}, ours from ${lower} to ${upper}`,
          );
        }
        return Number(made.value);
      },
    };
    const rows = cropComplex(inputs, {
      cropSize: golden.number("crop_size"),
      spatialProbability: golden.number("spatial_crop_prob"),
      interfaceThreshold: threshold,
    }, draws);
    const results: Results = new Map<string, ArrayLike<number>>([
      ["out/crop_indices", rows],
      ["out/interface_residues", interfaceResidues(inputs, threshold)],
      ["out/seq_length", [rows.length]],
    ]);
    const n = inputs.asym_id.length;
    const kept = Array.from(cropTemplates(
      golden.shape("in/template_aatype")[0],
      golden.number("max_templates"),
      golden.config.subsample_templates === true ? draws : undefined,
    ));
    for (const name of golden.names("in/")) {
      const shape = golden.shape(`in/${name}`), data = golden.data(`in/${name}`);
      if (shape.at(-1) === n) {
        const all = Array.from({ length: data.length / n }, (_, k) => Array.from(rows, (row) => data[k * n + row]));
        results.set(`out/${name}`, (name.startsWith("template_") ? kept.map((k) => all[k]) : all).flat());
      } else if (name === "template_mask") results.set("out/template_mask", kept.map((k) => data[k]));
    }
    return results;
  },
  special: (golden, results) => {
    // Where the reference drops all templates by mistake, ours are kept.
    const drops = golden.has("out/template_aatype") && golden.shape("out/template_aatype")[0] === 0;
    return golden.results.map((name) => {
      const expected = golden.data(name);
      return compare(name, drops && name === "out/template_aatype" ? expected : results.get(name), expected, EXACT);
    });
  },
};

/**
 * Hits of hmmsearch. Ours have the gaps that insertions make in the query, start and end with an aligned residue and are
 * numbered without the rows of nucleic acids; compared is which residue each of the query's stands for.
 */
const PARSED_HMMSEARCH: Family = {
  prefix: "parsed_hmmsearch",
  matches: isOfComplexes,
  async run(_device, { file, description }) {
    const path = join(dirname(file), String(recordOf(listOf(description.files)[0]).name));
    const alignment = await Deno.readTextFile(path);
    const sequence = String(description.query);
    // The case has no table of domains, whose numbers are not compared.
    const places = new Set(Array.from(alignment.matchAll(/^(?!#)(\S+)\/(\d+)-(\d+)\s/gm), ([place]) => place.trim()));
    const table = Array.from(places, (place) => {
      const [, name, from, to] = /^(.+)\/(\d+)-(\d+)$/.exec(place) ?? [];
      return `${name} - 0 q - 0 0 0 0 1 1 0 0 0 0 0 0 ${from} ${to} 0 0 0 -`;
    });
    const { hits } = parseHmmsearch(alignment, table.join("\n"), { name: "q", sequence }, path);
    return new Map<string, ArrayLike<number>>([
      ["hits", [hits.length]],
      ...hits.flatMap(({ name, alignedColumns, hitSequence, queryIndices, hitIndices }, k) => {
        const stands = new Array<number>(sequence.length).fill(-1);
        queryIndices.forEach((own, at) => {
          if (own >= 0) stands[own] = hitIndices[at];
        });
        return Object.entries({
          name: encode(name.split(" ")[0]),
          aligned_cols: [alignedColumns],
          residues: encode(hitSequence.replaceAll("-", "")),
          indices_hit: stands,
        }).map(([key, value]): [string, ArrayLike<number>] => [`hits/${k}/${key}`, value]);
      }),
    ]);
  },
  special: ({ description }, ours) => {
    const hits = listOf(description.hits).map(recordOf);
    return [
      compare("hits", ours.get("hits"), [hits.length], EXACT),
      ...hits.flatMap((hit, k) => {
        const expected = {
          name: encode(String(hit.name)),
          aligned_cols: [Number(hit.aligned_cols)],
          residues: encode(String(hit.hit_sequence).replaceAll("-", "")),
          indices_hit: listOf(hit.indices_hit).map(Number),
        };
        return Object.entries(expected).map(([key, value]) =>
          compare(`hits/${k}/${key}`, ours.get(`hits/${k}/${key}`), value, EXACT)
        );
      }),
    ];
  },
};

const encode = (text: string) => new TextEncoder().encode(text);

/** AlphaFold-Multimer's features. */
export const MULTIMER_DATA: readonly Family[] = [PAIR_AND_MERGE, MSA_TRANSFORMS, CROP, PARSED_HMMSEARCH];
