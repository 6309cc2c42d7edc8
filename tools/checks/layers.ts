/**
 * Checks that the layers keep apart: imports point one way (core → ops → model → finetune → tools), packages are imported
 * in tools/ and tests/ alone, and what also runs in browsers uses no API of Deno or Node.
 *
 * @module
 */
import { dirname, join, normalize } from "node:path/posix";

/** A line that breaks a rule. */
export interface Offence {
  /** Path from the project's root. */
  file: string;
  /** Counted from one. */
  line: number;
  /** What is wrong with it. */
  text: string;
}

/** From the lowest to the highest; a layer imports itself and lower ones. */
const LAYERS = ["core", "ops", "model", "finetune", "tools"];
/** The root module stands between finetune and tools. */
const ROOT_MODULE = LAYERS.indexOf("tools") - 0.5;

/**
 * Checks one TypeScript file.
 *
 * @param file Path from the project's root, with `/`.
 * @param text Its text.
 * @param packages Bare names that `deno.json` maps to packages.
 */
export function checkFile(file: string, text: string, packages: readonly string[]): Offence[] {
  const offences: Offence[] = [];
  const offend = (at: number, what: string) =>
    offences.push({ file, line: text.slice(0, at).split("\n").length, text: what });
  const level = levelOf(file);
  const portable = level < LAYERS.indexOf("tools");
  for (const match of blank(text, false).matchAll(/(?:\bfrom|\bimport\s*\(|\bimport)\s*(["'])([^"'\n]+)\1/g)) {
    const specifier = match[2];
    const at = match.index + match[0].length;
    const wrong = specifier.startsWith(".")
      ? wrongFile(file, level, normalize(join(dirname(file), specifier)))
      : wrongPackage(specifier, portable, packages);
    if (wrong) offend(at, `${wrong}: "${specifier}"`);
  }
  if (portable) {
    for (const match of blank(text, true).matchAll(/\bDeno\s*(\?\.|\.|\[)/g)) {
      offend(match.index, "uses the API of Deno, which browsers lack; only tools/ may");
    }
  }
  return offences;
}

function levelOf(file: string): number {
  const folder = file.includes("/") ? file.slice(0, file.indexOf("/")) : "";
  if (folder === "") return ROOT_MODULE;
  const level = LAYERS.indexOf(folder);
  return level >= 0 ? level : LAYERS.length; // tests/ and others may import all layers
}

function wrongFile(file: string, level: number, target: string): string | undefined {
  const targetLevel = levelOf(target);
  if (targetLevel <= level) return undefined;
  if (target === "deno.json" && level >= LAYERS.indexOf("tools")) return undefined;
  return `${file.split("/")[0]} may not import ${target.split("/")[0]} (core → ops → model → finetune → tools)`;
}

function wrongPackage(specifier: string, portable: boolean, packages: readonly string[]): string | undefined {
  if (portable) return "only tools/ and tests/ import packages and builtins of Node";
  if (specifier.startsWith("node:")) return undefined;
  if (packages.some((name) => specifier === name || specifier.startsWith(`${name}/`))) return undefined;
  return "packages are imported by a bare name that deno.json maps to npm";
}

const TOKEN = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`/g;

/**
 * Comments and strings become spaces, so that places in the text stay the same. What an import names stays; templates
 * stay on request, for the code that may be in them.
 */
function blank(text: string, keepTemplates: boolean): string {
  let code = "";
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    code += text.slice(code.length, index);
    const kept = token.startsWith("`")
      ? keepTemplates
      : !token.startsWith("/") && /\b(from|import\s*\(|import)\s*$/.test(code);
    code += kept ? token : token.replace(/[^\n]/g, " ");
  }
  return code + text.slice(code.length);
}

/** Checks all TypeScript files of a project. */
export async function checkLayers(root: string): Promise<Offence[]> {
  const config: { imports?: Record<string, string> } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  const offences: Offence[] = [];
  const packages = Object.keys(config.imports ?? {});
  for (const file of await typeScriptFiles(root, "")) {
    offences.push(...checkFile(file, await Deno.readTextFile(join(root, file)), packages));
  }
  return offences;
}

async function typeScriptFiles(root: string, folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(root, folder))) {
    const path = join(folder, name);
    const wanted = folder !== "" || LAYERS.includes(name) || name === "tests";
    if (isDirectory && wanted) files.push(...await typeScriptFiles(root, path));
    else if (name.endsWith(".ts")) files.push(path);
  }
  return files.sort();
}

if (import.meta.main) {
  const offences = await checkLayers(join(import.meta.dirname ?? ".", "..", ".."));
  for (const { file, line, text } of offences) console.error(`${file}:${line}: ${text}`);
  if (offences.length > 0) Deno.exit(1);
  console.error("The layers keep apart.");
}
