import { type Command, Option } from "commander";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { readStructure } from "../data/read_structure.ts";
import { warningsOf } from "../data/remarks.ts";
import { selectChain, type Structure } from "../data/structure.ts";
import { InputError, UsageError } from "../errors.ts";
import { writeTogether } from "../files.ts";
import { type Pairing, PAIRINGS } from "../score/pair_residues.ts";
import { scoreStructures } from "../score/score.ts";
import { scoreFiles, scoreText } from "../score/score_files.ts";
import { folderForRun, overwriteOption } from "./_folder.ts";
import { onInterrupt, tellRemarks } from "./_shared.ts";

const HELP = `
MODEL and REFERENCE are mmCIF, BinaryCIF or PDB, FILE or FILE:CHAIN. Chains are paired by their sequences (of equal ones
those of one name), or as --chains says. Residues are paired
  sequence  one to one where the sequences are as long and much alike, else by their best local alignment
  number    by the authors' numbers and insertion codes
  tm-align  by the structures themselves, with the program TM-align ("apt install tm-align")

lDDT is measured of C-alpha atoms and of all heavy atoms; in the latter, names of atoms that are alike (OD1 and OD2 of Asp, the
rings of Phe and Tyr, ...) are exchanged where that keeps more distances, and stereochemistry is not checked.
All measures refer to the residues of the reference that have a C-alpha atom: what the model lacks counts as wrong in lDDT,
TM-score and GDT, and is left out of RMSDs. Several chains are measured one by one, and all together under one
superposition.

Files in DIR: score.html (with the error along each chain), score.json, residues.csv.

Examples:
  denofold score ranked_0.pdb 1abc.cif:A --out score
  denofold score model.cif native.pdb --chains A=B,B=A
  denofold score 1znf.pdb 1ard.pdb --align tm-align`;

/** Adds `denofold score`. */
export function register(program: Command): void {
  program.command("score")
    .description(
      "compare two structures: RMSD, lDDT of C-alpha and of all atoms, TM-score and GDT, by chain and by residue",
    )
    .argument("<model>", "structure to judge, FILE or FILE:CHAIN")
    .argument("<reference>", "true structure, FILE or FILE:CHAIN")
    .addOption(new Option("--align <how>", "what pairs residues").choices(PAIRINGS).default("sequence"))
    .option("--chains <pairs>", "chains to compare, MODEL=REFERENCE, with commas between", chainPairs)
    .option("--out <dir>", "folder for page, JSON and CSV (default: none is written)")
    .addOption(overwriteOption())
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  align: Pairing;
  chains?: [string, string][];
  out?: string;
  overwrite?: boolean;
  json?: boolean;
}

async function run(modelPath: string, referencePath: string, flags: Flags): Promise<void> {
  const { align, chains, json } = flags;
  const [model, reference] = [await read(modelPath), await read(referencePath)];
  tellRemarks(model, reference);
  using interrupt = onInterrupt("Stopping.");
  const score = await scoreStructures(model, reference, { pairing: align, chains, signal: interrupt.signal });
  const out = flags.out === undefined ? undefined : await folderForRun(flags.out, flags.out, flags);
  const warnings = [model, reference].flatMap(warningsOf);
  const files = out === undefined ? [] : await writeTogether(out, scoreFiles(score, config.version, warnings));
  if (json) return console.log(JSON.stringify({ ...score, warnings, files }, undefined, 2));
  console.log(scoreText(score));
  if (out !== undefined) {
    console.log(`\nFiles:\n${files.map((file) => `   ${file}`).join("\n")}`);
    console.log(`\nOpen ${join(out, "score.html")} in a browser.`);
  }
}

/** A structure, or the one chain of it that is named. */
async function read(argument: string): Promise<Structure> {
  const isFile = await Deno.stat(argument).then(() => true, () => false);
  const [, path, chainId] = /^(.+?)(?::([^:/\\]+))?$/.exec(argument) ?? ["", argument, undefined];
  if (isFile || chainId === undefined) return await readStructure(argument);
  const structure = await readStructure(path);
  return { ...structure, chains: [selectChain(structure, chainId)] };
}

function chainPairs(text: string): [string, string][] {
  const pairs = text.split(",").map((pair): [string, string] => {
    const [model, reference, more] = pair.split("=").map((name) => name.trim());
    if (!model || !reference || more !== undefined) {
      throw new UsageError(`--chains ${text}: expected pairs MODEL=REFERENCE with commas between, such as A=A,B=C`);
    }
    return [model, reference];
  });
  for (const k of [0, 1]) {
    const names = pairs.map((pair) => pair[k]);
    const twice = names.find((name, i) => names.indexOf(name) < i);
    if (twice !== undefined) throw new InputError(`--chains ${text}: chain ${twice} stands in two pairs`);
  }
  return pairs;
}
