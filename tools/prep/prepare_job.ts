/** One target of many: skipped if nothing changed, else prepared and written. */
import { join } from "node:path";
import type { BoundsPolicy } from "../data/bounds.ts";
import { templateName } from "../data/features/templates.ts";
import { parseHhr } from "../data/hhr.ts";
import { InputError } from "../errors.ts";
import { decodeText, readFileBytes, readFileMaybeGzip, writeFileAtomic } from "../files.ts";
import { sha256 } from "../sha256.ts";
import type { CollectedTarget } from "./list_targets.ts";
import { encodeFeatureFile, FEATURE_VERSION } from "./feature_file.ts";
import type { ManifestEntry } from "./manifest.ts";
import { type PreparedTarget, type PrepareOptions, prepareTarget } from "./prepare_target.ts";
import type { SourceFile, SourceReader } from "./sources.ts";

/** Choices that all targets share; plain data, so that workers can be sent them. */
export interface JobOptions {
  /** Folder for the feature files. */
  readonly out: string;
  /** Whether what leads to warnings of templates, chains and unknown residues is an error. */
  readonly strict: boolean;
  /** What becomes of labels that are bounds or estimates. @default "drop" */
  readonly bounds?: BoundsPolicy;
  /** Most templates. */
  readonly maxTemplates: number;
  /** Only templates released before this day. */
  readonly templatesBefore?: string;
  /** Paths of structures that may be templates, by PDB code in lower case. */
  readonly templates: ReadonlyMap<string, string>;
  /** How the rows of a complex's chains are paired. @default as published */
  readonly complex?: PrepareOptions["complex"];
}

/** A target to prepare. */
export interface Job {
  /** The target. */
  readonly target: CollectedTarget;
  /** Name of its feature file. */
  readonly file: string;
  /** What the manifest says of it. */
  readonly previous?: ManifestEntry;
}

/** How a job ended. */
export interface JobOutcome {
  /** Line of the manifest. */
  readonly entry: ManifestEntry;
  /** Whether it was done before and nothing changed. */
  readonly isUnchanged: boolean;
}

/**
 * Prepares a target, unless its features are there and nothing that they depend on has changed.
 *
 * What is wrong with the target is told in the entry, and so are errors of the program: neither stops other targets.
 */
export async function runJob(
  { target, file, previous }: Job,
  options: JobOptions,
  reader: SourceReader,
): Promise<JobOutcome> {
  const { id } = target;
  try {
    if (target.problem !== undefined) throw new InputError(target.problem);
    if (previous?.file === file && await isUpToDate(target, previous, options, reader)) {
      return { entry: previous, isUnchanged: true };
    }
    const { strict, bounds, maxTemplates, templatesBefore, templates, complex } = options;
    const findTemplate = (pdbId: string) => templates.get(pdbId);
    const prepared = await prepareTarget(
      target,
      { strict, bounds, maxTemplates, templatesBefore, findTemplate, complex },
      reader,
    );
    const bytes = encodeFeatureFile(prepared);
    await writeFileAtomic(join(options.out, file), bytes);
    const { sources, warnings, remarks, label, relation, bound } = prepared;
    const entry: ManifestEntry = {
      id,
      status: "ok",
      file,
      bytes: bytes.length,
      sha256: await sha256(bytes),
      fingerprint: await fingerprint(target, ownSources(target, sources), options),
      sources,
      label,
      relation,
      bound,
      counts: countsOf(prepared),
      warnings,
      remarks,
    };
    return { entry, isUnchanged: false };
  } catch (error) {
    const message = error instanceof InputError ? error.message : `unexpected error: ${error} (a bug in denofold)`;
    return { entry: { id, status: "failed", error: message }, isUnchanged: false };
  }
}

function countsOf({ sequence, features, depth, observedResidues }: PreparedTarget) {
  return { residues: sequence.length, observedResidues, templates: features.template_mask.length, ...depth };
}

/** Whether the feature file is there as it was written, and would be written the same again. */
async function isUpToDate(
  target: CollectedTarget,
  previous: ManifestEntry,
  options: JobOptions,
  reader: SourceReader,
): Promise<boolean> {
  if (previous.status !== "ok" || previous.file === undefined) return false;
  try {
    const own: SourceFile[] = [];
    for (const path of ownPaths(target)) own.push({ path, sha256: await reader.hash(path) });
    if (previous.fingerprint !== await fingerprint(target, own, options)) return false;
    const paths = new Set(ownPaths(target));
    for (const template of previous.sources?.filter(({ path }) => !paths.has(path)) ?? []) {
      if (await reader.hash(template.path) !== template.sha256) return false;
    }
    return previous.sha256 === await sha256(await readFileBytes(join(options.out, previous.file)));
  } catch (error) {
    if (error instanceof InputError) return false; // a file is gone: preparing it will tell
    throw error;
  }
}

/** Files of the target itself, and of its chains. */
function ownPaths({ structure, alignments = [], hits, chains = [] }: CollectedTarget): string[] {
  const own = [structure, ...alignments.map(({ path }) => path), hits].filter((path) => path !== undefined);
  return [...own, ...chains.flatMap(ownPaths)];
}

/** Those of the files that were read that are the target's own, each as often as it has them. */
function ownSources(target: CollectedTarget, sources: readonly SourceFile[]): SourceFile[] {
  return ownPaths(target).flatMap((own) => sources.find(({ path }) => path === own) ?? []);
}

/** Hash of all that the features depend on but the content of the templates. */
async function fingerprint(
  { id, sequence, chain, assembly, label, relation, remarks, alignments = [], hits: ownHits, chains }: CollectedTarget,
  own: readonly SourceFile[],
  { strict, bounds = "drop", maxTemplates, templatesBefore, templates, complex }: JobOptions,
): Promise<string> {
  const codes: string[] = [];
  for (const hits of [ownHits, ...chains?.map(({ hits }) => hits) ?? []]) {
    if (hits === undefined) continue;
    for (const hit of parseHhr(decodeText(await readFileMaybeGzip(hits), hits), hits).hits) {
      const code = templateName(hit)?.pdbId;
      if (code !== undefined && templates.has(code)) codes.push(code);
    }
  }
  const facts = {
    version: FEATURE_VERSION,
    options: { strict, bounds, maxTemplates, templatesBefore, ...(chains && { complex }) },
    target: {
      ...{ id, sequence, chain, assembly, label, relation, remarks, rows: alignments.map(({ row }) => row ?? null) },
      ...(chains && {
        chains: chains.map((
          { id, sequence, alignments = [] },
        ) => [id, sequence, alignments.map(({ row, part }) => part ?? row ?? null)]),
      }),
    },
    sources: own.map((source) => source.sha256),
    codes,
  };
  return await sha256(JSON.stringify(facts));
}
