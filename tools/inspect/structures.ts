/** What a structure holds. */
import { distanceTarget } from "../data/family.ts";
import { readStructure } from "../data/read_structure.ts";
import { remarkRows, warningsOf } from "../data/remarks.ts";
import { type Assembly, type Chain, type HeteroGroup, observedResidues, selectChain } from "../data/structure.ts";
import { InputError } from "../errors.ts";
import { type FactTable, type Inspection, type PairMap, remarkTable } from "./inspection.ts";
import type { InspectOptions } from "./inspect.ts";

/** Å: residues whose C-beta atoms are nearer are in contact. */
export const CONTACT = 8;

/** Larger distances are all shown alike. */
export const FAR = 20;

/** Neighbours in the sequence closer than this are always near. */
const MIN_SEPARATION = 6;

/** Most places of a hetero group that are listed. */
const SHOWN_PLACES = 6;

/** Maps of more residues are left out. */
export const MAX_MAP = 2000;

/**
 * Reads a structure and tells what it holds.
 *
 * @throws {InputError} If it cannot be read, or has no such chain or model.
 */
export async function inspectStructure(path: string, options: InspectOptions): Promise<Inspection> {
  const { chain: chainId, maps, model } = options;
  const structure = await readStructure(path, { model });
  const longest = structure.chains.reduce((a, b) => b.sequence.length > a.sequence.length ? b : a);
  const chosen = chainId === undefined ? longest : selectChain(structure, chainId);
  const unknown = structure.chains.reduce((sum, { sequence }) => sum + unknownResidues(sequence), 0);
  const { id, title, method, resolutionAngstrom, releaseDate, chains, models = [], heteroGroups = [] } = structure;
  return {
    kind: "structure",
    path,
    facts: [
      { key: "id", label: "Entry", value: id },
      { key: "title", label: "Title", value: title },
      { key: "method", label: "Method", value: method },
      { key: "resolutionAngstrom", label: "Resolution (Å)", value: resolutionAngstrom },
      { key: "releaseDate", label: "Released", value: releaseDate },
      { key: "models", label: "Models", value: models.length },
      { key: "proteinChains", label: "Protein chains", value: chains.length },
      { key: "heteroGroupCount", label: "Hetero groups", value: heteroGroups.length },
    ],
    tables: [
      {
        key: "chains",
        title: "Chains",
        columns: [
          "chain",
          "label",
          "residues",
          "observed",
          "unknown",
          "atoms",
          "numbers",
          "B-factor",
          "contacts",
          "sequence",
        ],
        rows: chains.map(chainRow),
      },
      ...heteroTable(heteroGroups),
      ...assemblyTable(structure.assemblies ?? []),
      ...remarkTable(remarkRows(structure)),
    ],
    warnings: [
      ...warningsOf(structure),
      ...(unknown > 0 ? [`residues with names that are not known, kept as X: ${unknown}`] : []),
    ],
    maps: maps ? [distanceMap(chosen)] : [],
  };
}

/** Hetero groups by their names; no table if there are none. */
function heteroTable(groups: readonly HeteroGroup[]): FactTable[] {
  if (groups.length === 0) return [];
  const rows = [...Map.groupBy(groups, ({ name }) => name)].map(([name, same]) => {
    const places = same.map(({ chainId, residueNumber, insertionCode }) =>
      `${chainId} ${residueNumber}${insertionCode}`
    );
    const more = places.length > SHOWN_PLACES ? `, … (${places.length - SHOWN_PLACES} more)` : "";
    const atoms = same.reduce((sum, { atomNames }) => sum + atomNames.length, 0);
    return [name, same.length, atoms, places.slice(0, SHOWN_PLACES).join(", ") + more];
  });
  return [{
    key: "heteroGroups",
    title: "Hetero groups (without water)",
    columns: ["name", "count", "atoms", "chain and number"],
    rows,
  }];
}

function assemblyTable(assemblies: readonly Assembly[]): FactTable[] {
  if (assemblies.length === 0) return [];
  const rows = assemblies.map(({ id, details, parts }) => [
    id,
    details,
    parts.reduce((sum, { chains, copies }) => sum + chains.length * copies, 0),
    parts.map(({ chains, copies }) => `${chains.join(", ")}${copies === 1 ? "" : ` × ${copies}`}`).join("; "),
  ]);
  return [{
    key: "assemblies",
    title: "Assemblies",
    columns: ["assembly", "details", "protein chains", "made of"],
    rows,
  }];
}

/** C-beta distances of a chain as a map. */
export function distanceMap(chain: Chain): PairMap {
  if (chain.sequence.length > MAX_MAP) {
    throw new InputError(
      `Chain ${chain.id} has ${chain.sequence.length} residues, a map is made of at most ${MAX_MAP}: choose another --chain`,
    );
  }
  const { distances, mask } = distanceTarget(chain, FAR);
  return {
    key: "distances",
    title: `Contact map of chain ${chain.id}`,
    lead: `Distances between C-beta atoms (C-alpha for glycine) in Å; dark below ${CONTACT} Å, a contact. ` +
      `Those above ${FAR} Å are shown alike, pairs that were not observed are left empty.`,
    sequence: chain.sequence,
    values: distances.map((distance, k) => mask[k] === 0 ? NaN : distance),
  };
}

function chainRow(chain: Chain): (string | number | undefined)[] {
  const { id, labelId, sequence, residueNumbers, insertionCodes, atomMask, bFactors } = chain;
  const n = sequence.length;
  let atoms = 0, bFactor = 0;
  for (let k = 0; k < atomMask.length; k++) {
    atoms += atomMask[k];
    bFactor += atomMask[k] * bFactors[k];
  }
  const number = (i: number) => `${residueNumbers[i]}${insertionCodes[i]}`;
  return [
    ...[id, labelId, n, observedResidues(chain), unknownResidues(sequence), atoms],
    `${number(0)}-${number(n - 1)}`,
    bFactor / atoms,
    n > MAX_MAP ? undefined : contacts(chain),
    sequence,
  ];
}

function contacts(chain: Chain): number {
  const { distances, mask } = distanceTarget(chain, FAR);
  const n = chain.sequence.length;
  let count = 0;
  for (let i = 0; i < n; i++) {
    for (let j = i + MIN_SEPARATION; j < n; j++) {
      if (mask[i * n + j] !== 0 && distances[i * n + j] < CONTACT) count++;
    }
  }
  return count;
}

function unknownResidues(sequence: string): number {
  return sequence.replace(/[^X]/g, "").length;
}
