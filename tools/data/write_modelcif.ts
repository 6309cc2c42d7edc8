/**
 * Writes ModelCIF: mmCIF of computed models, with what made them and how sure it is.
 *
 * Source: Vallat et al. (2023), "ModelCIF: An Extension of PDBx/mmCIF Data Representation for Computed Structure Models";
 * dictionary `mmcif_ma.dic` 1.4.
 */
import { decimal, items, loop } from "./_cif_text.ts";
import { ATOM_SLOTS, residueName, SLOT } from "../../model/protein/residues.ts";
import type { Chain, Structure } from "./structure.ts";
import { formatBlock, type MmcifNames } from "./_mmcif_block.ts";

/** A program that took part. */
export interface ModelSoftware {
  /** Name. */
  readonly name: string;
  /** Version. */
  readonly version: string;
  /** What it did. @default "model building" */
  readonly classification?: string;
  /** Where it is found. */
  readonly location?: string;
  /** Article that describes it. */
  readonly citation?: ModelCitation;
}

/** An article. */
export interface ModelCitation {
  /** Title of the article. */
  readonly title: string;
  /** Journal, abbreviated as PubMed does. */
  readonly journal: string;
  /** Year of publication. */
  readonly year: number;
  /** Family names and initials, such as `Jumper, J.`. */
  readonly authors: readonly string[];
  /** Volume of the journal. */
  readonly volume?: string;
  /** First page, or number of the article. */
  readonly firstPage?: string;
  /** Last page. */
  readonly lastPage?: string;
  /** Digital object identifier, without address. */
  readonly doi?: string;
}

/** What a model file says besides the atoms. */
export interface ModelCifOptions {
  /** Comment lines at the top. */
  readonly comments?: readonly string[];
  /** Programs, the one that made the coordinates first; none if that is not known. */
  readonly software: readonly ModelSoftware[];
  /** Name of the model, such as `model_1_ptm_pred_0`. @default "model" */
  readonly modelName?: string;
  /** Measures of the whole model besides the mean pLDDT, by their names and kinds, such as `pTM`. */
  readonly globalMetrics?: readonly { readonly name: string; readonly type: string; readonly value: number }[];
  /** Steps that led to the model, in order. @default one step of modeling */
  readonly steps?: readonly { readonly method: string; readonly details?: string }[];
}

/**
 * The text of a ModelCIF file. The B-factor column is the pLDDT (0 to 100) of each atom's residue, from which the mean and
 * the value of every residue are written as quality metrics; Mol* colours by them.
 *
 * @throws {RangeError} If a coordinate or pLDDT is not finite, or a pLDDT is outside 0 to 100.
 */
export function formatModelCif(structure: Structure, options: ModelCifOptions): string {
  const { comments } = options;
  return formatBlock(structure, { comments }, (names) => modelBlocks(structure, options, names));
}

function modelBlocks(structure: Structure, options: ModelCifOptions, names: MmcifNames): string[] {
  const { chains } = structure;
  const { id, labels, sequences, entityOf } = names;
  const { software, modelName = "model", globalMetrics = [], steps = [{ method: "modeling" }] } = options;
  const citations = software.flatMap(({ citation }) => citation === undefined ? [] : [citation]);
  const modelData = sequences.length + 1;
  const group = software.length > 0 ? 1 : undefined;
  const local = chains.flatMap((chain, c) => residueRows(chain, labels[c]));
  const mean = local.reduce((sum, { value }) => sum + value, 0) / local.length;
  const kinds = [
    { name: "pLDDT", type: "pLDDT", mode: "global" },
    { name: "pLDDT", type: "pLDDT", mode: "local" },
    ...globalMetrics.map(({ name, type }) => ({ name, type, mode: "global" })),
  ];
  const globals = [{ metric: 1, value: mean }, ...globalMetrics.map(({ value }, k) => ({ metric: k + 3, value }))];
  return [
    items("audit_conform", {
      dict_name: "mmcif_ma.dic",
      dict_version: "1.4.6",
      dict_location: "https://raw.githubusercontent.com/ihmwg/ModelCIF/master/dist/mmcif_ma.dic",
    }),
    ...citationBlocks(citations),
    loop(
      "software",
      "pdbx_ordinal name classification version type location citation_id",
      software.map(({ name, version, classification = "model building", location, citation }, s) => {
        const article = citation === undefined ? undefined : citations.indexOf(citation) + 1;
        return [s + 1, name, classification, version, "program", location, article];
      }),
    ),
    loop("ma_software_group", "ordinal_id group_id software_id", software.map((_, s) => [s + 1, 1, s + 1])),
    loop("ma_data", "id name content_type", [
      ...sequences.map((_, e) => [e + 1, `sequence ${e + 1}`, "target"]),
      [modelData, modelName, "model coordinates"],
    ]),
    loop("ma_target_entity", "entity_id data_id origin", sequences.map((_, e) => [e + 1, e + 1, "other"])),
    loop(
      "ma_target_entity_instance",
      "asym_id entity_id details",
      chains.map((chain, c) => [labels[c], entityOf(chain), `chain ${chain.id}`]),
    ),
    loop(
      "ma_protocol_step",
      "ordinal_id protocol_id step_id method_type details software_group_id",
      steps.map(({ method, details }, s) => [s + 1, 1, s + 1, method, details, group]),
    ),
    items("ma_model_list", {
      ordinal_id: 1,
      model_id: 1,
      model_group_id: 1,
      model_name: modelName,
      model_group_name: id,
      data_id: modelData,
      model_type: "Ab initio model",
    }),
    loop(
      "ma_qa_metric",
      "id name type mode software_group_id",
      kinds.map(({ name, type, mode }, k) => [k + 1, name, type, mode, group]),
    ),
    loop(
      "ma_qa_metric_global",
      "ordinal_id model_id metric_id metric_value",
      globals.map(({ metric, value }, k) => [k + 1, 1, metric, metric === 1 ? decimal(value, 2) : decimal(value, 4)]),
    ),
    loop(
      "ma_qa_metric_local",
      "ordinal_id model_id label_asym_id label_seq_id label_comp_id metric_id metric_value",
      local.map(({ label, number, name, value }, k) => [k + 1, 1, label, number, name, 2, decimal(value, 2)]),
    ),
  ];
}

function citationBlocks(citations: readonly ModelCitation[]): string[] {
  return [
    loop(
      "citation",
      "id title journal_abbrev journal_volume page_first page_last year pdbx_database_id_DOI",
      citations.map(({ title, journal, volume, firstPage, lastPage, year, doi }, c) => {
        return [c + 1, title, journal, volume, firstPage, lastPage, year, doi];
      }),
    ),
    loop(
      "citation_author",
      "citation_id name ordinal",
      citations.flatMap(({ authors }, c) => authors.map((name, a) => [c + 1, name, a + 1])),
    ),
  ];
}

/** pLDDT of each residue that has atoms: that of its C-alpha, else of its first atom. */
function residueRows(chain: Chain, label: string): { label: string; number: number; name: string; value: number }[] {
  const rows: { label: string; number: number; name: string; value: number }[] = [];
  for (let residue = 0; residue < chain.sequence.length; residue++) {
    const from = residue * ATOM_SLOTS;
    const mask = chain.atomMask.subarray(from, from + ATOM_SLOTS);
    const slot = mask[SLOT.CA] !== 0 ? SLOT.CA : mask.findIndex((there) => there !== 0);
    if (slot < 0) continue;
    const value = chain.bFactors[from + slot];
    if (!(value >= 0 && value <= 100)) {
      throw new RangeError(
        `Cannot write residue ${
          residue + 1
        } of chain ${chain.id} as ModelCIF: its pLDDT is ${value}, expected 0 to 100`,
      );
    }
    rows.push({ label, number: residue + 1, name: residueName(chain.sequence[residue]), value });
  }
  return rows;
}
