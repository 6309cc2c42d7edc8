/**
 * Makes `examples/zinc_fingers`: C2H2 zinc fingers as small mmCIF files, and the alignment of their sequences.
 *
 * The PDB files are those of Debian package mustang-testdata; the aligner, mafft, sees the sequences alone:
 *
 *     deno run -A tools/data/make_zinc_fingers.ts /usr/share/doc/mustang-testdata/examples/pdbs
 */
import { InputError } from "../errors.ts";
import { makeFolder, writeFileAtomic } from "../files.ts";
import { parseA3m } from "./a3m.ts";
import { formatFasta } from "./fasta.ts";
import { pairFamily } from "./family.ts";
import { parseMmcif } from "./mmcif.ts";
import { readStructure } from "./read_structure.ts";
import { selectChain, type Structure } from "./structure.ts";
import { formatMmcif } from "./write_mmcif.ts";

/** Names of the fingers; a digit after the entry's name counts its fingers. */
const FINGERS = "1ard 1bbo 1paa 1sp1 1sp2 1zaa1 1zaa2 1zaa3 1zfd 1znf 1znm 2drp1 2drp2 3znf 5znf".split(" ");

/** Files whose names are not those of the fingers. */
const FILE_NAMES: Readonly<Record<string, string>> = { "1bbo": "1bboN" };

const PACKAGE = "Debian package mustang-testdata 3.2.4-1";
const ALIGNER = ["mafft", "--localpair", "--maxiterate", "1000", "--thread", "1", "--quiet"];

/** Makes the files from those of one folder. */
export async function makeZincFingers(from: string, to: string): Promise<void> {
  await makeFolder(to);
  const structures: Structure[] = [];
  for (const id of FINGERS) {
    const name = `${FILE_NAMES[id] ?? id}.pdb`;
    const chain = selectChain(await readStructure(`${from}/${name}`));
    const [first, last] = [chain.residueNumbers[0], chain.residueNumbers.at(-1)];
    const entry = id.slice(0, 4).toUpperCase();
    const title = `C2H2 zinc finger of PDB entry ${entry}, residues ${first} to ${last}`;
    const structure = { id, source: name, title, chains: [{ ...chain, id: "A", labelId: "A" }] };
    const text = formatMmcif(structure, {
      comments: [
        `${title}: protein atoms of this finger alone; coordinates and residue numbers as there, NH1 and NH2 of arginines named by rule.`,
        `Source: file ${name} of ${PACKAGE}; PDB entry https://doi.org/10.2210/pdb${entry.toLowerCase()}/pdb`,
        "Made by tools/data/make_zinc_fingers.ts",
      ],
      related: [{ database: "PDB", id: entry, details: `residues ${first} to ${last}` }],
    });
    await writeFileAtomic(`${to}/${id}.cif`, text);
    structures.push(await parseMmcif(text, `${to}/${id}.cif`));
  }

  const sequences = structures.map((structure) => ({ name: structure.id, sequence: selectChain(structure).sequence }));
  const aligned = parseA3m(await align(formatFasta(sequences)), "mafft's output");
  const rows = aligned.names.map((name, row) => ({ name, sequence: aligned.aligned[row] }));
  const text = formatFasta(rows, 0);
  pairFamily(
    structures.map((structure) => ({ structure, chain: selectChain(structure) })),
    parseA3m(text, "the alignment"),
  );
  await writeFileAtomic(`${to}/zinc_fingers.a3m`, text);
}

async function align(fasta: string): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".fasta" });
  try {
    await Deno.writeTextFile(file, fasta);
    const [program, ...options] = ALIGNER;
    const { success, stdout, stderr } = await new Deno.Command(program, { args: [...options, file] }).output();
    if (!success) throw new InputError(`${program} failed: ${new TextDecoder().decode(stderr).trim()}`);
    return new TextDecoder().decode(stdout);
  } finally {
    await Deno.remove(file);
  }
}

if (import.meta.main) {
  if (Deno.args.length !== 1) {
    console.error("Usage: deno run -A tools/data/make_zinc_fingers.ts FOLDER_OF_PDB_FILES");
    Deno.exit(2);
  }
  await makeZincFingers(
    Deno.args[0],
    decodeURIComponent(new URL("../../examples/zinc_fingers", import.meta.url).pathname),
  );
}
