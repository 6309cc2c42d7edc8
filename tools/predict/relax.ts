/** Relaxes predicted structures in a subprocess. */
import { join } from "node:path";
import { formatPdb } from "../data/write_pdb.ts";
import { readStructure } from "../data/read_structure.ts";
import { ATOM_SLOTS } from "../../model/protein/residues.ts";
import type { Structure } from "../data/structure.ts";
import { InputError } from "../errors.ts";
import { RELAX_PROGRAM } from "./relax_program.ts";

/** How structures are relaxed. */
export interface RelaxOptions {
  /** Python that has OpenMM and PDBFixer. @default the one that {@linkcode findRelaxPython} finds */
  readonly python?: string;
  /** Stiffness of the springs on heavy atoms, kcal/mol/Å². @default 10, AlphaFold's */
  readonly stiffness?: number;
  /** Energy at which the minimization ends, kcal/mol. @default 2.39, AlphaFold's */
  readonly tolerance?: number;
  /** Most steps of the minimization; 0 for no limit. @default 0 */
  readonly iterations?: number;
  /** Platform of OpenMM, such as `CPU`. @default the fastest there is */
  readonly platform?: string;
  /** Seconds after which it is given up. @default 3600 */
  readonly timeLimitSeconds?: number;
  /** Stops it. */
  readonly signal?: AbortSignal;
}

/** A relaxed structure. */
export interface Relaxed {
  /** The structure without its hydrogens; B-factors are those of the input. */
  readonly structure: Structure;
  /** Potential energy, kcal/mol. */
  readonly energyBefore: number;
  /** Potential energy, kcal/mol. */
  readonly energyAfter: number;
  /** Platform of OpenMM. */
  readonly platform: string;
  /** Version of OpenMM. */
  readonly openmm: string;
  /** Seconds that it took. */
  readonly seconds: number;
}

const HOW_TO_GET =
  "install python3-simtk and python3-pdbfixer (Debian, Ubuntu), or conda's openmm and pdbfixer, and name " +
  "that Python with --openmm-python";

/** Where Python is looked for: on the path, and the system's own behind another that comes before it. */
const PYTHONS = ["python3", "/usr/bin/python3", "python"];

/**
 * Finds a Python that has what relaxation needs.
 *
 * @param python The one to take. @default the first that has it
 * @throws {InputError} If there is none; the message says how to get it.
 */
export async function findRelaxPython(python?: string): Promise<string> {
  const code = "import pdbfixer\ntry:\n  import openmm\nexcept ImportError:\n  from simtk import openmm";
  let reason: string | undefined;
  for (const candidate of python === undefined ? PYTHONS : [python]) {
    try {
      const command = new Deno.Command(candidate, {
        args: ["-c", code],
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      });
      const { success, stderr } = await command.output();
      if (success) return candidate;
      reason ??= `${candidate}: ${new TextDecoder().decode(stderr).trim().split("\n").at(-1)}`;
    } catch {
      // There is no such program.
    }
  }
  throw new InputError(`Cannot relax: ${reason ?? `there is no program ${python ?? "python3"}`}; ${HOW_TO_GET}`);
}

/**
 * Relaxes a structure with OpenMM: Amber99SB, hydrogens added, heavy atoms held by springs.
 *
 * @throws {InputError} If OpenMM fails or takes too long.
 */
export async function relax(structure: Structure, options: RelaxOptions = {}): Promise<Relaxed> {
  const { stiffness = 10, tolerance = 2.39, iterations = 0, platform = "" } = options;
  const { timeLimitSeconds = 3600, signal } = options;
  const python = options.python ?? await findRelaxPython();
  const folder = await Deno.makeTempDir({ prefix: "denofold_relax_" });
  try {
    const job = {
      input: join(folder, "input.pdb"),
      output: join(folder, "output.pdb"),
      stiffness,
      tolerance,
      iterations,
      platform,
    };
    await Deno.writeTextFile(job.input, formatPdb(structure));
    const timer = AbortSignal.timeout(1000 * timeLimitSeconds);
    const process = new Deno.Command(python, {
      args: ["-c", RELAX_PROGRAM],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      signal: signal ? AbortSignal.any([timer, signal]) : timer,
    }).spawn();
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(job)));
    await writer.close();
    const { success, stdout, stderr } = await process.output();
    if (timer.aborted) {
      throw new InputError(`Relaxing ${structure.id} took more than ${timeLimitSeconds} s and was ended`);
    }
    if (signal?.aborted) throw new InputError(`Relaxing ${structure.id} was stopped`);
    if (!success) {
      const reason = new TextDecoder().decode(stderr).trim().split("\n").at(-1) ?? "no reason given";
      throw new InputError(`OpenMM could not relax ${structure.id}: ${reason}`);
    }
    const said = JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1) ?? "{}");
    return { ...said, structure: withInputsNames(await readStructure(job.output), structure) };
  } finally {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

/** The relaxed positions under the input's names and with its B-factors; added atoms take their residue's. */
function withInputsNames(relaxed: Structure, input: Structure): Structure {
  const chains = input.chains.map((chain, c) => {
    const found = relaxed.chains[c];
    if (found?.sequence !== chain.sequence) {
      throw new InputError(`OpenMM gave back other residues for chain ${chain.id} of ${input.id}`);
    }
    const bFactors = new Float32Array(found.atomMask.length);
    for (let at = 0; at < bFactors.length; at++) {
      if (!found.atomMask[at]) continue;
      const residue = Math.floor(at / ATOM_SLOTS);
      bFactors[at] = chain.atomMask[at] ? chain.bFactors[at] : chain.bFactors[residue * ATOM_SLOTS + 1];
    }
    return Object.freeze({ ...chain, atomPositions: found.atomPositions, atomMask: found.atomMask, bFactors });
  });
  return Object.freeze({ ...input, chains: Object.freeze(chains) });
}
