/**
 * Runs README.md from the first to the last line, every command and script as it is written, in a copy of the checkout:
 * `deno task readme [--list] [--lines 91-100] [--without PATTERN]`. Says what it does not run, and why; ends with `N passed, N failed`.
 *
 * A block of ```sh is run line by line by bash in one folder, the copy's, in which the data that the README speaks of
 * (`affinities.csv`, `structures/`, `alignments/`) are those of `examples/`; `denofold` is the command line of the sources. A
 * block of ```ts is run as a script, against the sources.
 *
 * @module
 */
import { dirname, join, relative } from "node:path";
import { findOnPath } from "../find_on_path.ts";
import { filesOf } from "../prep/walk.ts";

const ROOT = join(import.meta.dirname ?? ".", "..", "..");

/** What is not run, and why. */
const LEFT_OUT: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/\btask test\b|\btask ok\b|\btask test:/, "the tests are a step of their own"],
  [
    /\bweights download \w|--weights weights\/|weights\/[\w-]+\.(?:pt|npz)/,
    "needs published weights, which are downloaded",
  ],
  [/\bdemo --hold-out\b/, "is the demo once more, of another finger"],
  [/--leave-one-out/, "takes half an hour; its parts are tested"],
  [/\bmsa-server\b/, "sends sequences to a server"],
];

/** A command or a script of the README. */
export interface ReadmeStep {
  /** Line of README.md, from 1. */
  readonly line: number;
  /** A command for bash, or a script. */
  readonly kind: "sh" | "ts";
  /** As written. */
  readonly text: string;
  /** Why it is not run; undefined where it is. */
  readonly reason?: string;
}

/** Commands and scripts of a Markdown text, in order. */
export function readmeSteps(markdown: string): ReadmeStep[] {
  const steps: ReadmeStep[] = [];
  let block: { kind: string; first: number; lines: string[] } | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    const fence = /^```(\w*)\s*$/.exec(line);
    if (fence === null) {
      block?.lines.push(line);
      continue;
    }
    if (block === undefined) {
      block = { kind: fence[1], first: index + 2, lines: [] };
      continue;
    }
    const { kind, first, lines } = block;
    block = undefined;
    if (kind === "ts") steps.push({ line: first, kind, text: lines.join("\n") });
    if (kind !== "sh") continue;
    for (const [k, command] of lines.entries()) {
      if (command.trim() === "" || command.trim().startsWith("#")) continue;
      const reason = LEFT_OUT.find(([pattern]) => pattern.test(command))?.[1];
      steps.push({ line: first + k, kind, text: command.trim(), ...(reason && { reason }) });
    }
  }
  return steps;
}

/** Files of the checkout that git knows; where there is no git, all but what is made. */
async function checkoutFiles(): Promise<string[]> {
  if (findOnPath(["git"]) === undefined) {
    const made = new Set(["node_modules", "dist", "coverage", "runs", "demo", "folded", "artifacts"]);
    return (await filesOf(ROOT)).map((path) => relative(ROOT, path)).filter((path) =>
      !path.split("/").some((part) => made.has(part))
    );
  }
  const args = ["-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"];
  const listed = await new Deno.Command("git", { args, cwd: ROOT }).output();
  if (!listed.success) throw new Error("git cannot list the files of the checkout");
  return new TextDecoder().decode(listed.stdout).split("\0").filter((path) => path !== "");
}

/** Makes the copy: what git knows of the checkout, its packages, the data of the README, and `denofold`. */
async function makeCopy(folder: string): Promise<Record<string, string>> {
  for (const path of await checkoutFiles()) {
    const to = join(folder, path);
    await Deno.mkdir(dirname(to), { recursive: true });
    await Deno.copyFile(join(ROOT, path), to).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // removed, and not yet committed
    });
  }
  await Deno.symlink(join(ROOT, "node_modules"), join(folder, "node_modules")).catch(() => {});
  const examples = join(folder, "examples");
  await Deno.copyFile(join(examples, "affinities", "affinities.csv"), join(folder, "affinities.csv"));
  for (const name of ["structures", "alignments"]) await Deno.mkdir(join(folder, name));
  for await (const { name } of Deno.readDir(join(examples, "zinc_fingers"))) {
    const kind = name.endsWith(".cif") ? "structures" : name.endsWith(".a3m") ? "alignments" : undefined;
    if (kind) await Deno.copyFile(join(examples, "zinc_fingers", name), join(folder, kind, name));
  }
  const bin = join(folder, "bin");
  await Deno.mkdir(bin);
  const script = (command: string) => `#!/bin/sh\nexec ${command} "$@"\n`;
  const programs: Record<string, string> = {
    denofold: `"${Deno.execPath()}" run -A "${join(folder, "tools/cli/main.ts")}"`,
  };
  for (const [name, command] of Object.entries(programs)) {
    await Deno.writeTextFile(join(bin, name), script(command), { mode: 0o755 });
  }
  if (findOnPath(["npx"]) === undefined) {
    console.log("There is no npx: its Deno is the one that runs this.");
    const text = `#!/bin/sh\nshift 2 # -y deno@VERSION\nexec "${Deno.execPath()}" "$@"\n`;
    await Deno.writeTextFile(join(bin, "npx"), text, { mode: 0o755 });
  }
  const path = [bin, dirname(Deno.execPath()), Deno.env.get("PATH") ?? ""].join(":");
  const installs = join(folder, "installed"); // `deno install -g` refuses where a run before has installed
  return { PATH: path, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", DENO_INSTALL_ROOT: installs };
}

async function runStep(
  step: ReadmeStep,
  folder: string,
  env: Record<string, string>,
  number: number,
): Promise<boolean> {
  let args = ["-c", step.text];
  if (step.kind === "ts") {
    const file = `readme_${number}.ts`;
    await Deno.writeTextFile(join(folder, file), step.text);
    args = ["-c", `deno run -A ${file}`];
  }
  const { success } = await new Deno.Command("bash", { args, cwd: folder, env, stdin: "null" }).spawn().status;
  return success;
}

if (import.meta.main) {
  const steps = readmeSteps(await Deno.readTextFile(join(ROOT, "README.md")));
  for (const { line, text, reason } of steps) {
    if (reason) console.log(`skipped [system] README.md line ${line}: ${text.split("\n")[0]}\t${reason}`);
  }
  const [, from = 0, to = Infinity] = /(\d+)-(\d+)/.exec(Deno.args[Deno.args.indexOf("--lines") + 1] ?? "") ?? [];
  const without = Deno.args.includes("--without") ? Deno.args[Deno.args.indexOf("--without") + 1] : undefined;
  const wanted = steps.filter(({ reason, line, text }) => {
    if (reason !== undefined || line < Number(from) || line > Number(to)) return false;
    return without === undefined || !new RegExp(without).test(text);
  });
  if (Deno.args.includes("--list")) {
    for (const { line, kind, text } of wanted) console.log(`${line}\t${kind}\t${text.split("\n")[0]}`);
    Deno.exit(0);
  }
  const folder = await Deno.makeTempDir({ prefix: "denofold_readme_" });
  let failed = 0;
  try {
    const env = await makeCopy(folder);
    for (const [number, step] of wanted.entries()) {
      const start = performance.now();
      console.log(`\nREADME.md line ${step.line}: ${step.text.split("\n")[0]}`);
      const isRight = await runStep(step, folder, env, number);
      console.log(`${isRight ? "ok" : "FAILED"} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
      if (!isRight) failed++;
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  console.log(`\n${wanted.length - failed} passed, ${failed} failed`);
  if (failed > 0) Deno.exit(1);
}
