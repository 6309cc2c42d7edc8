import type { Command } from "commander";
import { basename } from "node:path";
import { InputError } from "../errors.ts";
import { findRelaxPython } from "../predict/relax.ts";
import { relaxFolder } from "../predict/relax_folder.ts";
import { counted } from "../words.ts";
import { EXIT, onInterrupt, positiveInteger, positiveNumber } from "./_shared.ts";

const HELP = `
DIR is a target's folder as "denofold predict" makes it. Amber99SB with hydrogens added and the heavy atoms held by springs, as
AlphaFold does, by OpenMM and PDBFixer in a Python of yours (Debian: python3-simtk python3-pdbfixer). Writes relaxed_MODEL.pdb,
relaxed_MODEL.cif and relax_metrics.json (energies, and the residues whose bonds, angles or distances are violated, before and
after); what is relaxed already is passed over.

Example:
  denofold relax prediction/query --most 1`;

/** Adds `denofold relax`. */
export function register(program: Command): void {
  program.command("relax")
    .description("relax predicted structures with OpenMM")
    .argument("<dirs...>", "folders of targets")
    .option("--most <n>", "most predictions of each, best first", positiveInteger)
    .option("--openmm-python <program>", "Python with OpenMM and PDBFixer")
    .option("--platform <name>", "OpenMM's platform: CUDA, OpenCL, CPU, Reference (default: the fastest)")
    .option("--time-limit <seconds>", "give a prediction up after this", positiveNumber, 3600)
    .option("--overwrite", "relax again what is relaxed")
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  most?: number;
  openmmPython?: string;
  platform?: string;
  timeLimit: number;
  overwrite?: boolean;
  json?: boolean;
}

async function run(
  folders: string[],
  { most, openmmPython, platform, timeLimit, overwrite, json }: Flags,
): Promise<void> {
  const python = await findRelaxPython(openmmPython);
  using interrupt = onInterrupt("Stopping. What is relaxed is kept.");
  const outcomes: { folder: string; relaxed: readonly string[]; error: string | null }[] = [];
  for (const folder of folders) {
    if (interrupt.requested) break;
    try {
      const options = { python, platform, most, overwrite, timeLimitSeconds: timeLimit, signal: interrupt.signal };
      const relaxed = await relaxFolder(folder, options);
      outcomes.push({ folder, relaxed, error: null });
      if (!json) console.log(`${basename(folder)}: ${relaxed.length ? relaxed.join(", ") : "nothing left to relax"}`);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      outcomes.push({ folder, relaxed: [], error: error.message });
      if (!json) console.error(`denofold: ${error.message}`);
    }
  }
  const failed = outcomes.filter(({ error }) => error !== null).length;
  if (failed > 0) Deno.exitCode = EXIT.failure;
  if (json) console.log(JSON.stringify({ targets: outcomes }, undefined, 2));
  else if (failed > 0) console.error(`${counted(failed, "target")} could not be relaxed`);
}
