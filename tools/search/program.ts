/** Other people's programs, run as subprocesses: where they are, which version, and what they say when they fail. */
import { InputError } from "../errors.ts";
import { findOnPath } from "../find_on_path.ts";

/** A program this project can call. */
export type ProgramName =
  | "mmseqs"
  | "jackhmmer"
  | "hmmsearch"
  | "hmmbuild"
  | "hhblits"
  | "hhsearch"
  | "mafft"
  | "clustalo"
  | "TMalign";

/** A program that was found. */
export interface Program {
  /** Name of the command. */
  readonly name: ProgramName;
  /** File of the program. */
  readonly path: string;
  /** Version as the program says it. */
  readonly version: string;
}

/** What is known of each program: the Debian package that has it and how it is asked for its version. */
const PROGRAMS: Record<ProgramName, { package: string; versionArgs: string[]; version: RegExp }> = {
  mmseqs: { package: "mmseqs2", versionArgs: ["version"], version: /^(\S+)\s*$/m },
  jackhmmer: { package: "hmmer", versionArgs: ["-h"], version: /^# HMMER (\S+)/m },
  hmmsearch: { package: "hmmer", versionArgs: ["-h"], version: /^# HMMER (\S+)/m },
  hmmbuild: { package: "hmmer", versionArgs: ["-h"], version: /^# HMMER (\S+)/m },
  hhblits: { package: "hhsuite", versionArgs: ["-h"], version: /^HHblits (\S+?):?\s*$/m },
  hhsearch: { package: "hhsuite", versionArgs: ["-h"], version: /^HHsearch (\S+?):?\s*$/m },
  mafft: { package: "mafft", versionArgs: ["--version"], version: /^v?(\d\S*)/m },
  clustalo: { package: "clustalo", versionArgs: ["--version"], version: /^(\d\S*)\s*$/m },
  TMalign: { package: "tm-align", versionArgs: ["-h"], version: /(?:\(Version (\S+)\)|running (TM-align) program)/ },
};

/** Most characters kept of what a program prints. */
const KEPT_OUTPUT = 1 << 16;

/** Whether a program is installed. */
export function isInstalled(name: ProgramName): boolean {
  return findOnPath([name]) !== undefined;
}

/**
 * Finds a program on `PATH` and asks for its version.
 *
 * @throws {InputError} If it is not installed, naming the Debian package that has it, or does not run.
 */
export async function findProgram(name: ProgramName): Promise<Program> {
  const known = PROGRAMS[name];
  const path = findOnPath([name]);
  if (path === undefined) {
    throw new InputError(
      `The program ${name} is not installed (looked for on PATH): on Debian and Ubuntu "apt install ${known.package}"`,
    );
  }
  const { output } = await run(path, known.versionArgs, {});
  const version = known.version.exec(output)?.slice(1).find((text) => text !== undefined);
  if (version === undefined) {
    throw new InputError(`${path} does not tell its version: ${JSON.stringify(lastLine(output))}`);
  }
  return { name, path, version };
}

/** Choices of {@linkcode runProgram}. */
export interface RunOptions {
  /** Ends the program when it aborts. */
  readonly signal?: AbortSignal;
  /** Environment variables besides those of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a program to its end.
 *
 * @throws {InputError} If it ends with another code than 0; the message has the last line that it printed.
 */
export async function runProgram(
  { name, path }: Pick<Program, "name" | "path">,
  args: readonly string[],
  options: RunOptions = {},
): Promise<void> {
  await programOutput({ name, path }, args, options);
}

/**
 * Runs a program to its end, and gives what it printed: the last 65,536 characters of its output, then those of its errors.
 *
 * @throws {InputError} As {@linkcode runProgram} does.
 */
export async function programOutput(
  { name, path }: Pick<Program, "name" | "path">,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, signal, output } = await run(path, args, options);
  if (options.signal?.aborted) throw new InputError(`${name} was interrupted`);
  if (code === 0) return output;
  const how = signal === undefined ? `code ${code}` : `the signal ${signal}`;
  throw new InputError(`${name} ended with ${how}: ${lastLine(output) || "it printed nothing"}`);
}

async function run(
  path: string,
  args: readonly string[],
  { signal, env }: RunOptions,
): Promise<{ code: number; signal: string | undefined; output: string }> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(path, {
      ...{ args: [...args], env: { LC_ALL: "C", ...env }, signal },
      ...{ stdin: "null", stdout: "piped", stderr: "piped" },
    }).spawn();
  } catch (error) {
    throw new InputError(`Cannot run ${path}: ${error instanceof Error ? error.message : error}`);
  }
  // What is said as an error counts more than what is said besides, so that it comes last.
  const [stdout, stderr, status] = await Promise.all([tail(child.stdout), tail(child.stderr), child.status]);
  return { code: status.code, signal: status.signal ?? undefined, output: `${stdout}\n${stderr}` };
}

/** The last characters of a stream. */
async function tail(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) text = (text + decoder.decode(bytes, { stream: true })).slice(-KEPT_OUTPUT);
  return text;
}

/** The last line that says something. */
function lastLine(output: string): string {
  const all = output.split(/[\r\n]+/).map((line) => line.trim()).filter((line) => /[A-Za-z]/.test(line));
  const lines = all.filter((line) => !/^Error: .* died$/.test(line)); // MMseqs2's steps, below what was wrong
  const said = lines.findLast((line) => /error|fail|cannot|could not|invalid|no such/i.test(line)) ?? lines.at(-1);
  return (said ?? all.at(-1) ?? "").slice(0, 500);
}
