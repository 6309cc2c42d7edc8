/** What is to be predicted, from what the user names. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { parseSafetensors } from "../../model/weights/safetensors.ts";
import { InputError } from "../errors.ts";
import { readFileBytes } from "../files.ts";
import { collectTargets } from "../prep/collect_targets.ts";
import { isFeatureHeader } from "../prep/feature_file.ts";
import type { PredictTarget } from "./run.ts";

/** Targets and what belongs to them. */
export interface PredictInputs {
  readonly targets: readonly PredictTarget[];
  /** Paths of structures that may be templates, by PDB code. */
  readonly templates: ReadonlyMap<string, string>;
  /** Files that no target uses, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Targets among files and folders: feature files of `denofold prep`, and what `collectTargets` finds among the others.
 *
 * @param options `asOne`: whether all sequences of a FASTA file are the chains of one complex (@default false); `assembly`: which
 * assembly's chains the structures of complexes have (@default the chains as they stand).
 * @throws {InputError} As `collectTargets` does, and if two targets have one name.
 */
export async function predictTargets(
  inputs: readonly string[],
  templates?: readonly string[],
  { asOne = false, assembly }: { readonly asOne?: boolean; readonly assembly?: string } = {},
): Promise<PredictInputs> {
  const featureFiles: string[] = [], others: string[] = [];
  for (const input of inputs) {
    const found = await stat(input).catch(() => undefined);
    if (found?.isDirectory()) {
      const own = (await Array.fromAsync(Deno.readDir(input))).filter(({ name }) => name.endsWith(".safetensors"));
      if (own.length > 0) featureFiles.push(...own.map(({ name }) => join(input, name)).sort());
      else others.push(input);
    } else if (input.endsWith(".safetensors")) featureFiles.push(input);
    else others.push(input);
  }
  const prepared = await Promise.all(featureFiles.map(featureTarget));
  const collected = others.length > 0
    ? await collectTargets(others, { templates, complexes: true, asOne, assembly })
    : { targets: [], templates: new Map<string, string>(), notes: [] };
  const targets = [...prepared, ...collected.targets];
  const names = new Map<string, number>();
  for (const { id } of targets) names.set(id.toLowerCase(), (names.get(id.toLowerCase()) ?? 0) + 1);
  for (const { id } of targets) {
    if (names.get(id.toLowerCase())! > 1) {
      throw new InputError(`There are two targets of the name ${id}: their results would be in one folder`);
    }
  }
  return { ...collected, targets };
}

async function featureTarget(path: string): Promise<PredictTarget> {
  try {
    const { metadata } = parseSafetensors(await readFileBytes(path), path);
    if (isFeatureHeader(metadata)) return { id: metadata.domain_name, featureFile: path };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new InputError(error.message);
  }
  throw new InputError(`${path} holds no features; \`denofold prep\` makes them, and weights go to --weights`);
}
