/** From a target's files to its features. */
import { makeAlignment } from "../data/alignment.ts";
import { type BoundsPolicy, labelText, type Relation } from "../data/bounds.ts";
import type { DepthSummary } from "../data/depth.ts";
import { type ChainFeatures, makeChainFeatures } from "../data/features/chain.ts";
import { makeTemplateFeatures, type TemplateFeatures } from "../data/features/template_feats.ts";
import { makeTemplates, type Templates } from "../data/features/templates.ts";
import { type HhrHit, parseHhr } from "../data/hhr.ts";
import type { ComplexOptions } from "../data/features/complex/complex_features.ts";
import { prepareComplex } from "./prepare_complex.ts";
import { fileAndLine, type RemarkRow, remarkRow, remarkText } from "../data/remarks.ts";
import { type Chain, observedResidues, type Structure } from "../data/structure.ts";
import { InputError } from "../errors.ts";
import { decodeText, unpackMaybeGzip } from "../files.ts";
import { makeTargetFeatures, type TargetFeatures } from "./target_features.ts";
import { noteRemarks, type ReadingLog, readSourceStructure, readTarget, type TargetInput } from "./read_target.ts";
import { type SourceFile, SourceReader } from "./sources.ts";

/** Choices of {@linkcode prepareTarget}. */
export interface PrepareOptions {
  /** What becomes of a label that is a bound or an estimate. @default "drop" */
  readonly bounds?: BoundsPolicy;
  /** Missing templates and other things that lead to warnings are errors. @default false */
  readonly strict?: boolean;
  /** Most templates. @default 4 */
  readonly maxTemplates?: number;
  /** Only templates released before this day, `YYYY-MM-DD`. @default all */
  readonly templatesBefore?: string;
  /** Paths of structures that are templates of every target, before those of hits. @default none */
  readonly ownTemplates?: readonly string[];
  /** Path of the structure of a PDB code (lower case). @default there is none */
  readonly findTemplate?: (pdbId: string) => string | undefined;
  /** How the rows of a complex's chains are paired. @default as published */
  readonly complex?: Pick<ComplexOptions, "pairing" | "mode" | "maxRowsPerChain">;
}

/** A chain of a complex, in the order of its features. */
export interface ComplexChain {
  /** Its name. */
  readonly name: string;
  /** Its residues. */
  readonly residues: number;
  /** Its place among the chains as they were given. */
  readonly input: number;
  /** Its name in the structure that was given. @default chains are named A, B, … in files */
  readonly label?: string;
}

/** A target, prepared. */
export interface PreparedTarget {
  /** Name. */
  readonly id: string;
  /** One letter a residue; of a complex all chains, in the order of its features. */
  readonly sequence: string;
  /** Chains of a complex, in that order: copies of a sequence stand together. @default it is none */
  readonly chains?: readonly ComplexChain[];
  /** What a model shall learn to predict, if it was given. */
  readonly label?: number;
  /** How the value stands to the label, or to `bound`, where it was not measured exactly. */
  readonly relation?: Relation;
  /** A bound or estimate that was left out of the labels. */
  readonly bound?: number;
  /** Features that need no structure. */
  readonly features: TargetFeatures;
  /** Supervised features, where a structure was given. */
  readonly supervised?: ChainFeatures;
  /** Name of the structure's chain. */
  readonly chain?: string;
  /** Numbers and insertion codes of the residues in the structure that was given; not kept in feature files. */
  readonly numbering?: Pick<Chain, "residueNumbers" | "insertionCodes">;
  /** Day on which the structure was released, `YYYY-MM-DD`. */
  readonly releaseDate?: string;
  /** Residues of which the structure shows the C-alpha atom. */
  readonly observedResidues: number;
  /** Depth of the alignment. */
  readonly depth: DepthSummary;
  /** What is doubtful, a sentence each. */
  readonly warnings: readonly string[];
  /** What was done with all that is unusual; not kept in feature files. @default not known */
  readonly remarks?: readonly RemarkRow[];
  /** Every file that was read, with its hash. */
  readonly sources: readonly SourceFile[];
}

/**
 * Reads a target's files and makes its features.
 *
 * @param target What is known of it.
 * @param options Choices.
 * @param reader Reads files; give one to all targets so that alignments of a family are read once. @default a new one
 * @throws {InputError} As {@linkcode readTarget} does; with `strict` also where there would be a warning about a template, a
 * chain or an unknown residue.
 *
 * @example
 * ```ts
 * import { encodeFeatureFile, parseFeatureFile, prepareTarget } from "@denofold/denofold/tools";
 * import assert from "node:assert/strict";
 *
 * const target = await prepareTarget({ id: "small", sequence: "MKTAYIAKQR" });
 * assert.equal(target.depth.sequences, 1);
 * const { features } = parseFeatureFile(encodeFeatureFile(target), "small.safetensors");
 * assert.deepEqual(features.aatype, target.features.aatype);
 * ```
 */
export async function prepareTarget(
  target: TargetInput,
  options: PrepareOptions = {},
  reader: SourceReader = new SourceReader(),
): Promise<PreparedTarget> {
  const { id } = target;
  const sources: SourceFile[] = [];
  const remarks: RemarkRow[] = [...target.remarks ?? []];
  const warnings = remarks.map(remarkText);
  const log: ReadingLog = {
    remark: (row) => remarks.push(row),
    source: (file) => sources.push(file),
    warn: (message) => warnings.push(message),
    doubt(message) {
      if (options.strict) throw new InputError(message);
      warnings.push(message);
    },
  };
  const { chains } = target;
  if (chains) {
    const complex = await prepareComplex(
      { ...target, chains },
      options,
      reader,
      log,
      (chain) => prepareTarget(chain, options, reader),
    );
    return {
      ...complex,
      warnings,
      remarks: [...remarks, ...complex.remarks ?? []],
      sources: merged(complex.sources, sources),
    };
  }
  const label = labelOf(target, options.bounds ?? "drop", log);
  const { sequence, structure, chain, alignments } = await readTarget(target, reader, log);
  const given = alignments.length > 0 ? alignments : [makeAlignment("the sequence alone", [id], [sequence])];
  const { features, depth, warnings: doubts } = makeTargetFeatures(sequence, given);
  for (const doubt of doubts) log.warn(doubt);
  const templates = await readTemplates(target.hits, sequence, options, reader, log);
  return {
    id,
    sequence,
    ...label,
    features: { ...features, ...templates },
    supervised: chain && makeChainFeatures(chain, structure?.resolutionAngstrom),
    chain: chain?.id,
    numbering: chain && { residueNumbers: chain.residueNumbers, insertionCodes: chain.insertionCodes },
    releaseDate: structure?.releaseDate,
    observedResidues: chain ? observedResidues(chain) : 0,
    depth,
    warnings,
    remarks,
    sources,
  };
}

/** Files of two lists, each once. */
function merged(first: readonly SourceFile[], more: readonly SourceFile[]): SourceFile[] {
  return [...new Map([...first, ...more].map((file) => [file.path, file])).values()];
}

/** The label that is learnt, and what is known of it. */
function labelOf(
  { id, label, relation, place = id }: TargetInput,
  bounds: BoundsPolicy,
  log: ReadingLog,
): Pick<PreparedTarget, "label" | "relation" | "bound"> {
  if (label === undefined || relation === undefined) return { label };
  const found = `the label is ${relation === "~" ? "an estimate" : "a bound"}, ${labelText(label, relation)}`;
  const done = {
    drop: "left out of regression, --bounds keep or censored takes it",
    keep: "taken for the value",
    censored: "kept with its relation",
  }[bounds];
  log.remark(
    remarkRow({
      ...{ kind: "bound", ...fileAndLine(place), found, unit: "label", done },
      ...{ isLeftOut: bounds === "drop", isUsual: bounds === "censored" },
    }),
  );
  if (bounds !== "censored") log.warn(`The ${found.slice(4)}: ${done}`);
  return bounds === "drop" ? { relation, bound: label } : { label, relation };
}

async function readTemplates(
  path: string | undefined,
  sequence: string,
  { strict, maxTemplates, templatesBefore, findTemplate, ownTemplates = [] }: PrepareOptions,
  reader: SourceReader,
  log: ReadingLog,
): Promise<Templates & TemplateFeatures> {
  let hits: readonly HhrHit[] = [];
  if (path !== undefined) {
    const { bytes, sha256 } = await reader.read(path);
    log.source({ path, sha256 });
    const hhr = parseHhr(decodeText(unpackMaybeGzip(bytes, path), path), path);
    noteRemarks(hhr, log);
    hits = hhr.hits;
  }
  const find = async (pdbId: string): Promise<Structure | undefined> => {
    const file = findTemplate?.(pdbId);
    return file === undefined ? undefined : await readSourceStructure(file, reader, log);
  };
  const own: Structure[] = [];
  for (const path of ownTemplates) {
    try {
      own.push(await readSourceStructure(path, reader, log));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      leaveOut(`The template ${path} cannot be used: ${error.message}`, path, log);
    }
  }
  const made = await makeTemplates(sequence, hits, find, {
    strict,
    maxTemplates,
    releasedBefore: templatesBefore,
    own,
  });
  for (const warning of made.warnings) leaveOut(warning, path ?? "own templates", { ...log, doubt: log.warn });
  return { ...made.templates, ...makeTemplateFeatures(made.templates, sequence.length) };
}

/** Takes note of a template that cannot be used. */
function leaveOut(found: string, file: string, log: ReadingLog): void {
  log.remark(remarkRow({ kind: "template", file, found, unit: "template", done: "left out", isLeftOut: true }));
  log.doubt(found);
}
