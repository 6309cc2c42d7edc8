/** What the header of a PDB file says of the entry as a whole. */
import { stem } from "./file_kind.ts";
import type { Assembly } from "./structure.ts";

const MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" ");

/**
 * Entry, title, method, resolution, release and assemblies that a PDB file's header gives.
 *
 * @param header Records by their kind.
 * @param source Name of the file, for messages.
 * @param proteins Names of the protein chains, the only ones that assemblies list.
 */
export function readPdbFacts(
  header: ReadonlyMap<string, readonly string[]>,
  source: string,
  proteins: readonly string[],
) {
  const joined = (kind: string): string | undefined => {
    const lines = header.get(kind);
    return lines?.map((line) => line.slice(10, 80).trim()).join(" ").trim() || undefined;
  };
  const remarks = header.get("REMARK") ?? [];
  const resolution = remarks.map((line) => /^REMARK {3}2 RESOLUTION\. +(\d+\.?\d*|\.\d+) +ANGSTROM/.exec(line)?.[1])
    .find((written) => written !== undefined);
  const firstRelease = header.get("REVDAT")?.find((line) => Number(line.slice(7, 10)) === 1);
  const [, day, month, year] = /^(\d\d)-([A-Z]{3})-(\d\d)$/.exec(firstRelease?.slice(13, 22) ?? "") ?? [];
  const monthNumber = MONTHS.indexOf(month) + 1;
  const entry = header.get("HEADER")?.[0].slice(62, 66) ?? "";
  return {
    id: /^[1-9][0-9A-Za-z]{3}$/.test(entry) ? entry : stem(source),
    title: joined("TITLE"),
    method: joined("EXPDTA")?.toLowerCase(),
    resolutionAngstrom: Number(resolution) > 0 ? Number(resolution) : undefined,
    assemblies: Object.freeze(readAssemblies(remarks, proteins)),
    releaseDate: monthNumber === 0
      ? undefined
      : `${Number(year) < 70 ? "20" : "19"}${year}-${String(monthNumber).padStart(2, "0")}-${day}`,
  };
}

/** Assemblies of REMARK 350; every BIOMT1 line is a copy of the chains named before it. */
function readAssemblies(remarks: readonly string[], proteins: readonly string[]): Assembly[] {
  const assemblies: { id: string; details?: string; parts: { chains: string[]; copies: number }[] }[] = [];
  for (const record of remarks) {
    if (!record.startsWith("REMARK 350")) continue;
    const text = record.slice(11).trim();
    const id = /^BIOMOLECULE:\s*(\S.*)$/.exec(text)?.[1];
    if (id !== undefined) assemblies.push({ id, parts: [] });
    const assembly = assemblies.at(-1);
    if (assembly === undefined) continue;
    assembly.details ??= /^(?:AUTHOR DETERMINED BIOLOGICAL UNIT|SOFTWARE DETERMINED QUATERNARY STRUCTURE): *(\S.*)$/
      .exec(text)?.[1].toLowerCase();
    const [, start, names] = /^(APPLY THE FOLLOWING TO|AND) CHAINS:(.*)$/.exec(text) ?? [];
    if (start?.startsWith("APPLY")) assembly.parts.push({ chains: [], copies: 0 });
    const part = assembly.parts.at(-1);
    if (part === undefined) continue;
    part.chains.push(...(names?.split(",").map((name) => name.trim()).filter((name) => proteins.includes(name)) ?? []));
    if (text.startsWith("BIOMT1")) part.copies++;
  }
  return assemblies.map(({ id, details, parts }) => ({
    id,
    details,
    parts: parts.filter(({ chains }) => chains.length),
  }));
}
