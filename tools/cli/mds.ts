import { type Command, Option } from "commander";
import { basename, dirname, extname, resolve } from "node:path";
import { parseFasta } from "../data/fasta.ts";
import { type DistanceMatrix, readDistanceMatrix } from "../data/matrix.ts";
import type { Chain } from "../data/structure.ts";
import { InputError, UsageError } from "../errors.ts";
import { fileName, readFileMaybeGzip, writeTogether } from "../files.ts";
import { evaluateFold } from "../fold/evaluate.ts";
import { type Fold, foldDistances, type FoldOptions, type MirrorMode } from "../fold/fold.ts";
import { readTruth } from "../fold/read_truth.ts";
import { readWeights } from "../fold/read_weights.ts";
import { foldFiles } from "../fold/write_fold.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import {
  commandLine,
  deviceOption,
  nonNegativeInteger,
  positiveInteger,
  positiveNumber,
  tellRemarks,
} from "./_shared.ts";
import { folderForProfile, folderForRun, overwriteOption, refuseFiles } from "./_folder.ts";
import { foldLines } from "./_fold_text.ts";
import { addProfileOptions, type ProfileFlags, withProfile } from "./_profile_flags.ts";

const HELP = `
INPUT is a square symmetric matrix of distances in Å: .npy, .csv (with or without names) or .safetensors. The points are
the C-beta atoms of one chain (C-alpha for glycine) in its order, or with --atoms alpha the C-alpha atoms. C-alpha atoms
are derived from C-betas; the sequence says which residues are glycines.

Files, ID being the input's name: ID.cif, ID.pdb, ID_coordinates.npy (C-alpha, [N, 3]) and, with --truth, ID_metrics.json.
--out takes a folder, or names ending in .cif, .pdb and .npy of the files that are wanted.

Without --cap every distance counts the same (or as --weights says). With --cap, as for predictions of clamped distances,
near ones count more, and those above 0.8 of the cap only say that the points are at least so far apart.

Examples:
  denofold mds distances.npy --sequence MKTAYIAKQR --out folded
  denofold mds prediction/1znf_distances.npy --cap 20 --fasta 1znf.fasta --truth 1znf.cif --out folded
  denofold mds contacts.csv --atoms alpha --weights weights.csv --out trace.pdb trace.npy`;

/** Adds `denofold mds`. */
export function register(program: Command): void {
  const command = program.command("mds")
    .description("turn a matrix of distances into coordinates")
    .argument("<input>", "distances: .npy, .csv or .safetensors")
    .option("--tensor <name>", 'tensor of a .safetensors file (default: "distances", or the only one)')
    .option("--weights <file>", "how much each distance counts, a matrix of the same size; 0 for unknown ones")
    .option("--cap <angstrom>", "distances were clamped here", positiveNumber)
    .addOption(
      new Option("--atoms <kind>", "between which atoms the distances are").choices(["beta", "alpha"])
        .default("beta"),
    )
    .addOption(new Option("--sequence <letters>", "one letter a residue").conflicts("fasta"))
    .option("--fasta <file>", "the same from the first entry of a FASTA file")
    .option("--truth <structure>", "true structure, FILE or FILE:CHAIN, to compare with")
    .addOption(
      new Option("--mirror <mode>", "mirror image: by handedness, as it comes, or the other")
        .choices(["auto", "keep", "flip"]).default("auto"),
    )
    .option("--starts <n>", "random starts, besides that of classical scaling", nonNegativeInteger, 8)
    .option("--iterations <n>", "at most so many steps a start", positiveInteger, 500)
    .option("--seed <n>", "seed of the random starts", nonNegativeInteger, 0)
    .option(
      "--out <paths...>",
      "a folder (default: mds, or mds-2 where that holds a run, ...), or files .cif, .pdb, .npy",
    )
    .addOption(overwriteOption())
    .addOption(deviceOption())
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
  addProfileOptions(command);
}

interface Flags extends ProfileFlags {
  tensor?: string;
  weights?: string;
  cap?: number;
  atoms: "beta" | "alpha";
  sequence?: string;
  fasta?: string;
  truth?: string;
  mirror: MirrorMode;
  starts: number;
  iterations: number;
  seed: number;
  out?: string[];
  overwrite?: boolean;
  profileDir?: string;
  device: string;
  json?: boolean;
}

async function run(input: string, flags: Flags): Promise<void> {
  const isFolder = checkOut(flags.out, input);
  const matrix = await readDistanceMatrix(input, flags.tensor);
  if (matrix.n < 2) throw new InputError(`${input} has 1 point, expected at least 2`);
  const weights = flags.weights === undefined ? undefined : await readWeights(flags.weights, matrix.n);
  const chain = flags.truth === undefined ? undefined : await readTruth(flags.truth, tellRemarks);
  const sequence = await readSequence(flags, matrix, input, chain);
  const wanted = await wantedFiles(flags, isFolder);
  const folder = "folder" in wanted ? wanted.folder : dirname(wanted.paths[0]);
  const profileDir = await folderForProfile(flags.profileDir, folder, flags);
  const { adapter, notes } = await ensureAdapter({ device: flags.device, install: true });
  if (!flags.json) { for (const note of notes) console.error(note); }
  const device = await openDevice(adapter);
  try {
    const id = fileName(basename(input).replace(/\.gz$/i, "").replace(/(_distances)?\.(npy|csv|safetensors)$/i, ""));
    const { atoms, starts, iterations, seed, mirror, cap = Infinity } = flags;
    const options = { id, sequence, distances: matrix.values, weights, cap, atoms, starts, iterations, seed, mirror };
    const { result: fold, files: profiled } = await withProfile(flags, device, {
      ...{ name: "mds", settings: { points: matrix.n, starts, iterations }, silent: flags.json },
      folder: profileDir,
    }, () => folded({ ...options, device }));
    const compared = chain && { chain, evaluation: evaluateFold(fold, chain) };
    const files = foldFiles(id, { fold, truth: compared, origin: `Made by: ${commandLine()}` });
    files.delete(`${id}_distances.npy`);
    files.delete(`${id}_distances.png`);
    const paths = [...await write(wanted, files), ...profiled];
    const methods = compared ? [{ label: "Coordinates", values: compared.evaluation.values }] : [];
    if (flags.json) {
      const { stress1, runs, lowerBounds, components } = fold;
      const facts = { id, sequence, stress1, runs, lowerBounds, components, mirror: fold.mirror };
      console.log(JSON.stringify({ ...facts, methods, files: paths }, undefined, 2));
    } else {
      console.log(foldLines(fold, methods, paths));
    }
  } finally {
    device.close();
  }
}

/** Where the files go: a folder, or one path for each kind of file. */
type Wanted = { readonly folder: string } | { readonly paths: readonly string[] };

const FILE_KINDS = [".cif", ".pdb", ".npy"];

/** Whether `--out` names a folder, or is left out; else it names files, of one kind each. */
function checkOut(out: readonly string[] | undefined, input: string): boolean {
  if (out === undefined) return true;
  const kinds = out.map((path) => FILE_KINDS.find((kind) => path.toLowerCase().endsWith(kind)));
  if (out.length === 1 && kinds[0] === undefined) return true;
  out.forEach((path, k) => {
    if (kinds[k] === undefined) {
      throw new UsageError(`--out ${path} does not end in .cif, .pdb or .npy; give one folder, or such files`);
    }
    if (kinds.indexOf(kinds[k]) < k) {
      throw new UsageError(`--out names two ${kinds[k]} files, expected one of each kind`);
    }
    if (resolve(path) === resolve(input)) throw new UsageError(`--out ${path} would overwrite the input`);
  });
  return false;
}

async function wantedFiles({ out, overwrite }: Flags, isFolder: boolean): Promise<Wanted> {
  if (out === undefined || isFolder) return { folder: await folderForRun(out?.[0], "mds", { overwrite }) };
  await refuseFiles(out, { overwrite });
  return { paths: out };
}

async function write(wanted: Wanted, files: Map<string, Uint8Array | string>): Promise<string[]> {
  if ("folder" in wanted) return await writeTogether(wanted.folder, files);
  const byFolder = new Map<string, Map<string, Uint8Array | string>>();
  for (const path of wanted.paths) {
    const data = [...files].find(([name]) => name.endsWith(extname(path).toLowerCase()))?.[1];
    if (data === undefined) {
      throw new InputError(`Cannot write ${path}: the format does not hold so many residues or such coordinates`);
    }
    const folder = dirname(path);
    byFolder.set(folder, (byFolder.get(folder) ?? new Map()).set(basename(path), data));
  }
  const written: string[] = [];
  for (const [folder, some] of byFolder) written.push(...await writeTogether(folder, some));
  return written;
}

async function folded(options: FoldOptions): Promise<Fold> {
  try {
    return await foldDistances(options);
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(error.message);
    throw error;
  }
}

/** The sequence that was given, else that of the true structure, else unknown residues. */
async function readSequence(
  { sequence, fasta, truth }: Flags,
  { n }: DistanceMatrix,
  input: string,
  chain: Chain | undefined,
): Promise<string> {
  const check = (found: string, owner: string): string => {
    if (found.length === n) return found;
    throw new InputError(`${owner} has ${found.length} residues, but ${input} has distances of ${n} points`);
  };
  if (fasta !== undefined) {
    const [first] = parseFasta(new TextDecoder().decode(await readFileMaybeGzip(fasta)), fasta);
    return check(first.sequence, `Sequence "${first.name}" of ${fasta}`);
  }
  if (sequence !== undefined) {
    const letters = sequence.toUpperCase();
    const wrong = /[^A-Z]/.exec(letters);
    if (wrong) {
      throw new UsageError(`--sequence has ${JSON.stringify(wrong[0])} at ${wrong.index + 1}, expected letters`);
    }
    return check(letters, "The sequence");
  }
  if (chain) return check(chain.sequence, `Chain ${chain.id} of ${truth}`);
  return "X".repeat(n);
}
