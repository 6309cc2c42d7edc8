/** From the files of a complex's chains to its features. */
import type { Alignment } from "../data/alignment.ts";
import { alignmentDepth, depthSummary } from "../data/depth.ts";
import {
  type ChainInputs,
  type Complex,
  type ComplexOptions,
  makeComplexFeatures,
} from "../data/features/complex/complex_features.ts";
import {
  correctMsaRestypes,
  hhblitsToken,
  makeHhblitsProfile,
  makeMsaFeatures,
  type MsaFeatures,
} from "../data/features/msa.ts";
import { makeTargetFeat } from "../data/features/msa_feat.ts";
import { makeTemplateFeatures } from "../data/features/template_feats.ts";
import { stem } from "../data/file_kind.ts";
import { InputError } from "../errors.ts";
import { ATOM_SLOTS } from "../../model/protein/residues.ts";
import type { ComplexChain, PreparedTarget, PrepareOptions } from "./prepare_target.ts";
import type { TargetFeatures } from "./target_features.ts";
import type { ReadingLog, TargetAlignment, TargetInput } from "./read_target.ts";
import { readTarget } from "./read_target.ts";
import { experimentOf } from "./complex_experiment.ts";
import type { SourceReader } from "./sources.ts";

/** Alignments whose rows were paired, row by row, before: ColabFold's server and its kin. */
const PAIRED = /^paired|[_.-]paired/i;

/** Alignments that are only for pairing, as in the published pipeline. */
const FOR_PAIRING = /uniprot/i;

/** Prepares a chain by itself. */
type PrepareChain = (chain: TargetInput) => Promise<PreparedTarget>;

/**
 * Prepares a complex: each distinct chain by itself, once; then all together.
 *
 * Rows are paired one by one where every chain has an alignment that was paired before (`paired…`), else by the species of
 * UniProt's names: in alignments named after UniProt, which serve for nothing else, or where there is none in all of a
 * chain's. Where names tell no species nothing is paired, and that is said.
 *
 * @param target With chains, their alignments and hits; and the structure of all, if there is one.
 * @param prepare Prepares a chain.
 * @throws {InputError} If a chain cannot be prepared.
 */
export async function prepareComplex(
  target: TargetInput & { readonly chains: readonly TargetInput[] },
  options: PrepareOptions,
  reader: SourceReader,
  log: ReadingLog,
  prepare: PrepareChain,
): Promise<PreparedTarget> {
  const distinct = new Map<string, PreparedChain>();
  for (const chain of target.chains) {
    const key = keyOf(chain);
    if (!distinct.has(key)) distinct.set(key, await prepareChain(chain, reader, log, prepare));
  }
  const whole = joinChains(target, target.chains.map((chain) => distinct.get(keyOf(chain))!), options, log);
  return target.structure === undefined
    ? whole
    : { ...whole, ...await experimentOf(target.structure, target, whole, reader, log) };
}

const keyOf = ({ sequence, id }: TargetInput) => sequence ?? id;

/** A chain prepared by itself, and its rows to be paired with those of others. */
export interface PreparedChain {
  /** The chain as a target of its own. */
  readonly prepared: PreparedTarget;
  /** Rows that are paired; undefined where nothing tells how. */
  readonly pairable?: ChainInputs["pairable"];
  /** Whether these were paired before, row by row. */
  readonly isPaired: boolean;
}

/** A chain's alignments by what they serve for. */
export function alignmentsByUse(
  { alignments = [] }: TargetInput,
): Record<"own" | "paired" | "forPairing", TargetAlignment[]> {
  const useOf = ({ path, part }: TargetAlignment) =>
    part ? part.rows : PAIRED.test(stem(path)) ? "paired" : FOR_PAIRING.test(stem(path)) ? "forPairing" : "own";
  return { own: [], paired: [], forPairing: [], ...Object.groupBy(alignments, useOf) };
}

async function prepareChain(
  chain: TargetInput,
  reader: SourceReader,
  log: ReadingLog,
  prepare: PrepareChain,
): Promise<PreparedChain> {
  const { own, paired, forPairing } = alignmentsByUse(chain);
  const prepared = await prepare({ ...chain, alignments: own }).catch((error) => {
    throw error instanceof InputError ? new InputError(`Chain ${chain.id}: ${error.message}`) : error;
  });
  const pairable = paired.length > 0
    ? await rowsOf(chain, paired, reader, log)
    : await speciesOf(chain, forPairing.length > 0 ? forPairing : own, reader, log);
  return { prepared, pairable, isPaired: paired.length > 0 };
}

/**
 * Makes a complex of chains that are prepared.
 *
 * @param target With its chains as they were given.
 * @param prepared The chains; one object for all copies of a sequence.
 */
export function joinChains(
  { id, chains }: TargetInput & { readonly chains: readonly TargetInput[] },
  prepared: readonly PreparedChain[],
  options: Pick<PrepareOptions, "maxTemplates" | "complex">,
  log: Pick<ReadingLog, "warn">,
): PreparedTarget {
  const distinct = [...new Set(prepared)];
  const pairing = pairingOf(distinct, log);
  const inputs = prepared.map(({ prepared: { features, sequence }, pairable }): ChainInputs => ({
    ...{ sequence, pairable },
    ...{ msa: features, templates: features },
  }));
  const complex = makeComplexFeatures(inputs, { pairing, maxTemplates: options.maxTemplates || 1, ...options.complex });
  if (pairing !== "none" && complex.pairedRows === 1 && distinct.length > 1) {
    log.warn(
      pairing === "rows"
        ? "No row but the queries was paired: no row has residues of two chains"
        : "No row but the queries was paired: no species has rows in two chains",
    );
  }
  return wholeOf(id, complex, prepared.map(({ prepared }) => prepared), chains, log);
}

/** How rows can be paired, and why not. */
function pairingOf(
  chains: readonly PreparedChain[],
  log: Pick<ReadingLog, "warn">,
): NonNullable<ComplexOptions["pairing"]> {
  if (chains.length < 2) return "none"; // copies of one sequence stand side by side
  const lacking = chains.filter(({ pairable }) => !pairable).map(({ prepared }) => prepared.id);
  if (chains.every(({ isPaired }) => isPaired)) return "rows";
  if (chains.some(({ isPaired }) => isPaired)) {
    const missing = chains.filter(({ isPaired }) => !isPaired).map(({ prepared }) => prepared.id);
    log.warn(`Rows are not paired: ${missing.join(", ")} has no alignment that was paired before, others have`);
    return "none";
  }
  if (lacking.length === 0) return "species";
  log.warn(
    `Rows are not paired: no row of ${
      lacking.join(", ")
    } names its species, as UniProt's names do (tr|A0A001|A0A001_HUMAN)`,
  );
  return "none";
}

/** Rows with their species; undefined where none is known. */
async function speciesOf(
  chain: TargetInput,
  alignments: readonly TargetAlignment[],
  reader: SourceReader,
  log: ReadingLog,
): Promise<MsaFeatures | undefined> {
  if (alignments.length === 0) return undefined;
  const quiet: ReadingLog = { ...log, warn() {}, remark() {}, doubt() {} }; // what was read as an alignment was told then
  const { alignments: views } = await readTarget(
    { ...chain, hits: undefined, structure: undefined, alignments },
    reader,
    quiet,
  );
  const features = makeMsaFeatures(views);
  return features.msa_species_identifiers.some((species) => species !== "") ? features : undefined;
}

/** Rows as they stand, of which equal ones must stay. */
async function rowsOf(
  chain: TargetInput,
  alignments: readonly TargetAlignment[],
  reader: SourceReader,
  log: ReadingLog,
): Promise<ChainInputs["pairable"]> {
  const { alignments: views } = await readTarget(
    { ...chain, hits: undefined, structure: undefined, alignments },
    reader,
    log,
  );
  const rows = views.flatMap(({ rows }: Alignment) => rows), deletions = views.flatMap(({ deletions }) => deletions);
  return {
    msa: Int32Array.from(rows.flatMap((row) => Array.from(row, hhblitsToken))),
    deletion_matrix_int: Int32Array.from(deletions.flatMap((row) => Array.from(row))),
    msa_species_identifiers: rows.map(() => ""),
  };
}

/** The complex as a target. */
function wholeOf(
  id: string,
  { features: own, places }: Complex,
  prepared: readonly PreparedTarget[],
  chains: readonly TargetInput[],
  { warn }: Pick<ReadingLog, "warn">,
): PreparedTarget {
  const n = own.aatype.length, rows = own.msa_row_entity.length;
  const types = correctMsaRestypes(own.msa);
  const templates = makeTemplateFeatures(own, n);
  const T = templates.template_mask.length;
  const there = templates.template_mask.map((_, t) => {
    const atoms = own.template_all_atom_mask.subarray(t * n * ATOM_SLOTS, (t + 1) * n * ATOM_SLOTS);
    return Number(atoms.some((mask) => mask !== 0));
  });
  const features: TargetFeatures = {
    ...own,
    num_alignments: new Int32Array(n).fill(rows),
    msa_species_identifiers: [],
    ...templates,
    template_mask: there,
    template_sum_probs: new Float32Array(T),
    template_domain_names: new Array<string>(T).fill(""),
    template_sequence: new Array<string>(T).fill(""),
    seq_length: new Int32Array(n).fill(n),
    seq_mask: new Float32Array(n).fill(1),
    target_feat: makeTargetFeat(own.aatype, own.between_segment_residues),
    hhblits_profile: makeHhblitsProfile(types, n),
  };
  const once = <T>(
    values: readonly T[],
    key: (value: T) => string,
  ) => [...new Map(values.map((v) => [key(v), v])).values()];
  for (const chain of once(prepared, (chain) => chain.id)) {
    for (const warning of chain.warnings) warn(`${chain.id}: ${warning}`);
  }
  return {
    id,
    sequence: places.map(({ input }) => prepared[input].sequence).join(""),
    chains: places.map(({ input }): ComplexChain => ({
      name: chains[input].id,
      residues: prepared[input].sequence.length,
      input,
    })),
    features,
    observedResidues: 0,
    depth: depthSummary(alignmentDepth(types, n)),
    warnings: [],
    remarks: once(prepared.flatMap(({ remarks = [] }) => remarks), (row) => JSON.stringify(row)),
    sources: once(prepared.flatMap(({ sources }) => sources), ({ path }) => path),
  };
}
