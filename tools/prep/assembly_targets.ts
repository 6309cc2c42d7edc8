/** Structures as complexes: the chains of an assembly. */
import { stem } from "../data/file_kind.ts";
import { readStructure } from "../data/read_structure.ts";
import { InputError } from "../errors.ts";
import type { CollectedTarget } from "./list_targets.ts";
import { ASYMMETRIC } from "./read_target.ts";

/**
 * The chains of a structure's assembly as those of one complex, `ID_A`, `ID_B`, and `ID_A-2` for a second copy; a target of
 * its own where there is one. What cannot be read comes with its problem.
 *
 * @param assembly Its number, or "asymmetric" for the chains as they stand.
 */
export async function assemblyTargets(path: string, assembly: string): Promise<CollectedTarget[]> {
  const id = stem(path);
  try {
    const { chains } = await readStructure(path, { assembly: assembly === ASYMMETRIC ? undefined : assembly });
    if (chains.length === 1) return [{ id, structure: path, chain: chains[0].id, place: path }];
    return chains.map(({ id: chain, sequence }): CollectedTarget => ({
      ...{ id: `${id}_${chain}`, sequence, sequenceSource: path, place: path },
      ...{ complex: id, chain },
    }));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return [{ id, place: path, problem: error.message }];
  }
}
