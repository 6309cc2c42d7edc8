/** Small databases of real proteins and of the same letters shuffled. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Key } from "../../../core/random.ts";
import { formatFasta } from "../../../tools/data/fasta.ts";
import { parseA3m } from "../../../tools/data/a3m.ts";
import { FINGERS_MSA } from "../fold/_fingers.ts";
import { type Need, need, programs } from "../../_needs.ts";

/** Cytochromes c of yeast, horse and tuna. Source: cytc.aln of Debian's theseus-examples 3.3.0-14. */
export const CYTOCHROMES: Readonly<Record<string, string>> = {
  "1yeb_A":
    "TEFKAGSAKKGATLFKTRCQQCHTIEEGGPNKVGPNLHGIFGRHSGQVKGYSYTDANINKNVKWDEDSMSEYLTNPKKYIPGTKMAFGGLKKEKDRNDLITYLKKACE",
  "1cih_A":
    "TEFKAGSAKKGATLFKTRCLQCHTVEKGGPHKVGPNLHGIFGAHSGQAEGYSYTDAIIKKNVLWDENNMSEYLTNPKKYIPGTKMASGGLKKEKDRNDLITYLKKAAE",
  "1m60_A": "GDVEKGKKIFVQKCAQCHTVEKGGKHKTGPNLHGLFGRKTGQAPGFTYTDANKNKGITWKEETLMEYLENPKKYIPGTKMIFAGIKKKTEREDLIAYLKKATNE",
  "1lfm_A": "GDVAKGKKTFVQKCAQCHTVENGGKHKVGPNLWGLFGRKTGQAEGYSYTDANKSKGIVWNNDTLMEYLENPKKYIPGTKMIFAGIKKKGERQDLVAYLKSATS",
};

/** The fingers of the example alignment, without gaps, under names of chains. */
export function fingerSequences(): Record<string, string> {
  const { names, aligned } = parseA3m(Deno.readTextFileSync(FINGERS_MSA), FINGERS_MSA);
  return Object.fromEntries(names.map((name, r) => [`${name}_A`, aligned[r].replaceAll("-", "")]));
}

/** Entries and, after them, the letters of the first ones in random order, named `decoy…`. */
export function withDecoys(
  entries: Readonly<Record<string, string>>,
  seed: number,
  count = Infinity,
): Record<string, string> {
  const keys = Key.fromSeed(seed).split(Object.keys(entries).length);
  const decoys = Object.entries(entries).slice(0, count).map(([name, sequence], k) => {
    const order = keys[k].permutation(sequence.length);
    return [`decoy_${name}`, order.map((at) => sequence[at]).join("")];
  });
  return { ...entries, ...Object.fromEntries(decoys) };
}

/** Writes entries as FASTA. */
export async function writeFasta(path: string, entries: Readonly<Record<string, string>>): Promise<string> {
  await Deno.writeTextFile(path, formatFasta(Object.entries(entries).map(([name, sequence]) => ({ name, sequence }))));
  return path;
}

/** Where Debian puts cstranslate, for the processor's instructions. */
const CSTRANSLATE = ["avx2", "sse4.1", "plain"].map((kind) => `/usr/libexec/hhsuite/cstranslate-${kind}`);

/** HH-suite whole: its search programs, and cstranslate, which its databases are made with. */
export function hhSuite(program: "hhblits" | "hhsearch"): Need {
  const needs = programs(program, "hhmake", "ffindex_build");
  if (needs.missing || !programs("cstranslate").missing) return needs;
  return need("programs", CSTRANSLATE.some((path) => existsSync(path)), "cstranslate of HH-suite is not installed");
}

/** Builds a database of HH-suite, one profile an entry. */
export async function buildHhDatabase(
  folder: string,
  entries: Readonly<Record<string, string>>,
): Promise<string> {
  const [alignments, profiles] = ["a3m", "hhm"].map((name) => join(folder, name));
  await Promise.all([alignments, profiles].map((path) => Deno.mkdir(path)));
  for (const [name, sequence] of Object.entries(entries)) {
    const file = await writeFasta(join(alignments, `${name}.a3m`), { [name]: sequence });
    assert.ok(await runs("hhmake", ["-i", file, "-o", join(profiles, `${name}.hhm`), "-v", "0"]), "hhmake fails");
  }
  const database = join(folder, "db");
  for (const [kind, from] of [["a3m", alignments], ["hhm", profiles]]) {
    const files = [`${database}_${kind}.ffdata`, `${database}_${kind}.ffindex`];
    assert.ok(await runs("ffindex_build", ["-s", ...files, from]), "ffindex_build fails");
  }
  const data = "/usr/share/hhsuite/data";
  const settings = ["-x", "0.3", "-c", "4", "-b", "-I", "a3m", "-f"];
  const states = ["-A", `${data}/cs219.lib`, "-D", `${data}/context_data.lib`];
  const args = ["-i", `${database}_a3m`, "-o", `${database}_cs219`, ...settings, ...states];
  for (const program of ["cstranslate", ...CSTRANSLATE]) if (await runs(program, args)) return database;
  assert.fail("no cstranslate of HH-suite runs here");
}

async function runs(program: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
