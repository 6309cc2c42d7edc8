/**
 * Pairs residues by structure, through the program TM-align.
 *
 * Source: Zhang and Skolnick (2005), "TM-align: a protein structure alignment algorithm based on the TM-score".
 */
import { join } from "node:path";
import { alphaCarbons, type Chain, traceStructure } from "../data/structure.ts";
import { formatPdb } from "../data/write_pdb.ts";
import { InputError } from "../errors.ts";
import { findProgram, programOutput } from "../search/program.ts";
import { inTemporaryFolder } from "../search/search_files.ts";
import type { ResiduePairs } from "./pair_residues.ts";

/**
 * The residues that TM-align lays on each other; those without a C-alpha atom are in no pair.
 *
 * @throws {InputError} If the program is not installed or fails, or a chain has fewer than 5 C-alpha atoms.
 */
export async function tmAlign(model: Chain, reference: Chain, signal?: AbortSignal): Promise<ResiduePairs> {
  const program = await findProgram("TMalign");
  return await inTemporaryFolder(async (folder) => {
    const traces = [model, reference].map(traceOf);
    for (const [k, { text }] of traces.entries()) await Deno.writeTextFile(join(folder, `${k}.pdb`), text);
    const files = traces.map((_, k) => join(folder, `${k}.pdb`));
    const rows = alignmentOf(await programOutput(program, files, { signal }));
    if (rows === undefined) throw new InputError("TMalign printed no alignment");
    return pairsOf(rows[0], rows[1], traces[0].residues, traces[1].residues);
  });
}

/** The chain's C-alpha atoms, numbered from 1, and which residues they are of. */
function traceOf(chain: Chain): { text: string; residues: number[] } {
  const { positions, mask } = alphaCarbons(chain);
  const residues = Array.from(mask.keys()).filter((i) => mask[i] === 1);
  if (residues.length < 5) {
    throw new InputError(`Chain ${chain.id} has ${residues.length} C-alpha atoms, TM-align needs 5 or more`);
  }
  const structure = traceStructure({
    id: "trace",
    sequence: residues.map((i) => chain.sequence[i]).join(""),
    positions: Float32Array.from(residues.flatMap((i) => [...positions.subarray(3 * i, 3 * i + 3)])),
  });
  return { text: formatPdb(structure), residues };
}

/** The two rows of the alignment in what TM-align prints: three lines after that which explains the marks. */
export function alignmentOf(output: string): [string, string] | undefined {
  const lines = output.split("\n");
  const at = lines.findIndex((line) => line.startsWith('(":" denotes'));
  if (at < 0 || lines.length < at + 4) return undefined;
  const [one, other] = [lines[at + 1].trim(), lines[at + 3].trim()];
  return one.length === other.length && one !== "" ? [one, other] : undefined;
}

function pairsOf(one: string, other: string, ones: readonly number[], others: readonly number[]): ResiduePairs {
  const pairs: (readonly [number, number])[] = [];
  let i = 0, j = 0;
  for (let column = 0; column < one.length; column++) {
    const [has, hasOther] = [one[column] !== "-", other[column] !== "-"];
    if (has && hasOther) pairs.push([ones[i], others[j]]);
    if (has) i++;
    if (hasOther) j++;
  }
  if (i !== ones.length || j !== others.length) throw new InputError("TMalign's alignment lacks residues it was given");
  return pairs;
}
