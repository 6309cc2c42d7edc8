/** Targets that ColabFold's alignments of complexes tell, or complete. */
import { chainLetters } from "../data/_mmcif_block.ts";
import { complexHeader, type ComplexPart } from "../data/complex_a3m.ts";
import { linesOf } from "../data/_lines.ts";
import { readPiecesMaybeGzip } from "../files.ts";
import type { CollectedTarget } from "./list_targets.ts";
import type { TargetAlignment } from "./read_target.ts";
import { SourceReader } from "./sources.ts";

/** Whether an alignment is that of a complex: by its first line. */
export async function isOfComplex(path: string): Promise<boolean> {
  for await (const { text } of linesOf(readPiecesMaybeGzip(path), path)) {
    if (text.trim() !== "") return complexHeader(text) !== undefined;
  }
  return false;
}

/**
 * Gives complexes the alignments of all their chains in one file. Where nothing says which targets there are, the files do:
 * each is a complex, its chains with their copies in its order.
 *
 * @param listed Chains of complexes and single chains, as tables and FASTA files list them.
 * @param nameOf The name of the complex that a file belongs to, of those given; undefined where it belongs to none.
 * @param options.makeTargets Whether files make targets of their own.
 * @returns The targets with their alignments, and the files that belong to none.
 */
export async function withComplexAlignments(
  listed: readonly CollectedTarget[],
  files: readonly string[],
  nameOf: (path: string, names: readonly string[]) => string | undefined,
  { makeTargets }: { readonly makeTargets: boolean },
): Promise<{ targets: CollectedTarget[]; unused: string[] }> {
  const reader = new SourceReader();
  const names = [...new Set(listed.map(({ id, complex }) => complex ?? id))];
  const targets = [...listed], unused: string[] = [];
  for (const path of files) {
    const name = nameOf(path, names);
    if (name === undefined && !makeTargets) {
      unused.push(path);
      continue;
    }
    const { parts } = await reader.complex(path);
    if (makeTargets) targets.push(...chainsOf(nameOf(path, [])!, parts, path));
    else give(targets, name!, parts, path);
  }
  return { targets, unused };
}

/** Both kinds of rows of a chain. */
function alignmentsOf(path: string, parts: readonly ComplexPart[], chain: number): TargetAlignment[] {
  const own: TargetAlignment = { path, part: { chain, rows: "own" } };
  return parts[chain].paired ? [own, { path, part: { chain, rows: "paired" } }] : [own];
}

function chainsOf(complex: string, parts: readonly ComplexPart[], path: string): CollectedTarget[] {
  const chains = parts.flatMap(({ sequence, copies }, k) => new Array<[string, number]>(copies).fill([sequence, k]));
  return chains.map(([sequence, k], at) => ({
    ...{ id: `${complex}_${chainLetters(at)}`, sequence, sequenceSource: path, place: path, complex },
    alignments: alignmentsOf(path, parts, k),
  }));
}

/** Gives the chains of a listed target their parts, or says why they are not those of the file. */
function give(targets: CollectedTarget[], name: string, parts: readonly ComplexPart[], path: string): void {
  const own = targets.flatMap((target, k) => (target.complex ?? target.id) === name ? [{ target, k }] : []);
  const place = own[0].target.place ?? name;
  const counts = (sequence: string) => own.filter(({ target }) => target.sequence === sequence).length;
  const is = (count: number) => count === 1 ? "is 1" : `are ${count}`;
  const found = own.filter(({ target }) => !parts.some(({ sequence }) => sequence === target.sequence));
  const odd = parts.findIndex(({ sequence, copies }) => counts(sequence) !== copies);
  const problem = found.length > 0
    ? `${path} has chains of ${parts.map(({ sequence }) => sequence.length).join(", ")} residues, ${
      found.map(({ target }) => `${target.id} (${target.sequence?.length ?? 0} residues)`).join(", ")
    } of ${place} is none of them`
    : odd >= 0
    ? `${path} has ${parts[odd].copies} of its chain ${odd + 1} (${parts[odd].sequence.length} residues), there ${
      is(counts(parts[odd].sequence))
    } in ${place}`
    : undefined;
  for (const { target, k } of own) {
    const at = parts.findIndex(({ sequence }) => sequence === target.sequence);
    targets[k] = problem !== undefined
      ? { ...target, problem: target.problem ?? problem }
      : { ...target, alignments: [...target.alignments ?? [], ...alignmentsOf(path, parts, at)] };
  }
}
