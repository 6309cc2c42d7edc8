/** Folders of runs: none is written over another, nor are files of two mixed. */
import { Option } from "commander";
import { join, resolve } from "node:path";
import { InputError } from "../errors.ts";

/** Name of the file that tells what a split is made of. */
export const SPLIT_FILE = "split.json";

/** Files that a command of this kind writes, whatever it runs on. */
const FIXED: ReadonlySet<string> = new Set([
  ...["checkpoint.safetensors", "best.safetensors", "model.safetensors", "loss_history.csv", "recipe.json"],
  ...["performance_summary.json", "report.html", "metrics.json", "leave_one_out.json", "leave_one_out.csv"],
  ...["score.html", "score.json", "residues.csv", "attention.html", "attention.safetensors"],
  ...["profile.json", "profile.trace.json", "profile.html", SPLIT_FILE],
]);

/** Files that tell the names of targets: those of distances and those of coordinates. */
const TELLS_TARGET = /^(.+)_(?:distances|coordinates)\.npy$/;

/** Files that a run writes for every target, after the target's name. */
const OF_TARGETS = [
  ".cif",
  ".pdb",
  "_distances.npy",
  "_distances.png",
  "_coordinates.npy",
  "_metrics.json",
  "_residues.csv",
] as const;

/** The flag that lets a run take the place of another. */
export function overwriteOption(): Option {
  return new Option("--overwrite", "remove the files of the run that the folder holds, instead of ending");
}

/**
 * The folder for the files of a run. Where the user names none and the usual one holds a run, it is the first of `NAME-2`,
 * `NAME-3`, … that holds none.
 *
 * @param given What the user named.
 * @param usual Where the user names none.
 * @throws {InputError} If the folder that the user named holds another run, unless that is to be overwritten.
 */
export async function folderForRun(
  given: string | undefined,
  usual: string,
  { overwrite = false, flag = "--out" }: { readonly overwrite?: boolean; readonly flag?: string } = {},
): Promise<string> {
  const folder = given ?? usual;
  const files = await filesOfRun(folder);
  if (files.length === 0) return folder;
  if (overwrite) {
    for (const file of files) await Deno.remove(file);
    return folder;
  }
  if (given !== undefined) {
    throw new InputError(
      `${folder} holds another run (${
        files.length > 1 ? `${base(files[0])} and more` : base(files[0])
      }): give another ` +
        `folder by ${flag}, or --overwrite to remove its files`,
    );
  }
  for (let k = 2;; k++) {
    const other = `${usual}-${k}`;
    if ((await filesOfRun(other)).length === 0) return other;
  }
}

/** The folder of a run's profile: that of the run, or another that holds no run. */
export async function folderForProfile(
  given: string | undefined,
  out: string,
  { overwrite }: { readonly overwrite?: boolean },
): Promise<string> {
  if (given === undefined || resolve(given) === resolve(out)) return out;
  return await folderForRun(given, given, { overwrite, flag: "--profile-dir" });
}

/**
 * Sees that a folder in which a command goes on with its own work holds no run of another command.
 *
 * @param own Files that the command itself writes there.
 * @throws {InputError} If it does.
 */
export async function refuseOtherRun(folder: string, own: readonly string[]): Promise<void> {
  const other = (await filesOfRun(folder)).map(base).find((name) => !own.includes(name));
  if (other === undefined) return;
  throw new InputError(`${folder} holds a run of another command (${other}): give another folder by --out`);
}

/**
 * Sees that none of some files is there yet.
 *
 * @throws {InputError} If one is, unless it is to be overwritten.
 */
export async function refuseFiles(
  paths: readonly string[],
  { overwrite = false }: { readonly overwrite?: boolean },
): Promise<void> {
  for (const path of overwrite ? [] : paths) {
    if (await Deno.stat(path).then(() => true, () => false)) {
      throw new InputError(`${path} is there already: give another name, or --overwrite to replace it`);
    }
  }
}

/** Files in a folder that a run has written, those of the structures of a leave-one-out run among them. */
async function filesOfRun(folder: string): Promise<string[]> {
  const names = await namesIn(folder);
  if (names === undefined) return [];
  const { files, folders } = names;
  const targets = files.flatMap((name) => TELLS_TARGET.exec(name)?.[1] ?? []);
  const own = new Set(targets.flatMap((id) => OF_TARGETS.map((ending) => id + ending)));
  if (files.includes(SPLIT_FILE)) {
    for (const set of await setsOf(join(folder, SPLIT_FILE))) own.add(`${set}.csv`).add(`${set}.fasta`);
  }
  const found = files.filter((name) => FIXED.has(name) || own.has(name)).map((name) => join(folder, name));
  if (!files.includes("leave_one_out.json")) return found.sort();
  const inside = await Promise.all(folders.map((name) => filesOfRun(join(folder, name))));
  return [...found.sort(), ...inside.flat()];
}

/** Names of the sets of a split; none if the file does not say. */
async function setsOf(path: string): Promise<string[]> {
  try {
    const { sets } = JSON.parse(await Deno.readTextFile(path));
    return Array.isArray(sets) ? sets.flatMap((set) => typeof set?.name === "string" ? [set.name] : []) : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

async function namesIn(folder: string): Promise<{ files: string[]; folders: string[] } | undefined> {
  const files: string[] = [], folders: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) (isDirectory ? folders : files).push(name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
  return { files, folders };
}

function base(path: string): string {
  return path.split(/[\\/]/).pop() ?? path;
}
