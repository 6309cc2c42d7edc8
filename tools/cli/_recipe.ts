/** Recipes: the flags of a command in a file, YAML or JSON, which is YAML too. */
import { type Command, InvalidArgumentError, type Option } from "commander";
import { isMap, isScalar, isSeq, LineCounter, parseDocument, stringify } from "yaml";
import { nearNames } from "../../core/mod.ts";
import { InputError } from "../errors.ts";
import { decodeText, readFileBytes } from "../files.ts";

/** What the keys of a recipe may be besides the names of flags. */
export interface RecipeNames {
  /** Other names of flags. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Flags that are no part of a recipe. */
  readonly without: readonly string[];
}

/**
 * Reads a recipe and sets the flags that were not given. Keys are names of flags, with `-` or `_`.
 *
 * @throws {InputError} If the file cannot be read, or a key or its value is none of the command's; the message names file
 * and line, and near names.
 */
export async function applyRecipe(command: Command, path: string, names: RecipeNames): Promise<void> {
  const options = optionsOf(command, names, ["long", "short"]);
  for (const { key, line, value } of await entriesOf(path)) {
    const place = `${path} line ${line}`;
    const plain = key.replaceAll("_", "-");
    const name = Object.hasOwn(names.aliases, plain) ? names.aliases[plain] : plain;
    const option = options.get(name);
    if (!option) {
      if (names.without.includes(name)) throw new InputError(`${place}: ${key} is no part of a recipe, give --${name}`);
      const near = nearNames(plain, [...options.keys(), ...Object.keys(names.aliases)], 3);
      throw new InputError(`${place}: there is no key ${key}${near.length ? `; near: ${near.join(", ")}` : ""}`);
    }
    const found = valueOf(option, value, (expected) => {
      throw new InputError(`${place}: ${key} is ${JSON.stringify(value)}, expected ${expected}`);
    });
    const attribute = option.attributeName();
    if (command.getOptionValueSource(attribute) !== "cli") {
      command.setOptionValueWithSource(attribute, found, "config");
    }
  }
}

/** The flags of a command as they are, as a recipe that can be given again. */
export function recipeText(command: Command, names: RecipeNames): string {
  const values = command.opts();
  const known = [...optionsOf(command, names)].flatMap(([name, option]) => {
    const value = values[option.attributeName()];
    if (option.negate) return value === false ? [[name, true] as const] : [];
    const isOnlySwitch = typeof value === "boolean" && !option.isBoolean(); // of a flag that takes a value, and its --no-
    return value === undefined || isOnlySwitch ? [] : [[name, value] as const];
  });
  return stringify(Object.fromEntries(known));
}

/** Options by name; those of two long names, as sizes have, by both where `short`, the first of them, is asked for too. */
function optionsOf(
  command: Command,
  { without }: RecipeNames,
  names: readonly ("long" | "short")[] = ["long"],
): Map<string, Option> {
  const named = command.options.flatMap((option) =>
    names.flatMap((which) => {
      const name = /^--(.+)/.exec(option[which] ?? "")?.[1];
      return name === undefined ? [] : [[name, option] as const];
    })
  );
  return new Map(named.filter(([name]) => !without.includes(name)));
}

async function entriesOf(path: string): Promise<{ key: string; line: number; value: unknown }[]> {
  const lines = new LineCounter();
  const text = decodeText(await readFileBytes(path), path);
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineOf = (at: number | undefined) => lines.linePos(at ?? 0).line;
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) throw new InputError(`${path} line ${lineOf(problem.pos[0])}: ${problem.message}`);
  const { contents } = document;
  if (contents === null) return [];
  if (!isMap(contents)) throw new InputError(`${path} line 1: expected keys with values, such as "epochs: 30"`);
  return contents.items.map(({ key, value }) => {
    const line = lineOf(isScalar(key) ? key.range?.[0] : undefined);
    if (!isScalar(key) || typeof key.value !== "string") {
      throw new InputError(`${path} line ${line}: expected the name of a flag`);
    }
    const plain = isScalar(value) || isSeq(value) || isMap(value) ? value.toJSON() : value ?? null;
    return { key: key.value, line, value: plain };
  });
}

/** A recipe's value as the flag has it. */
function valueOf(option: Option, value: unknown, refuse: (expected: string) => never): unknown {
  if (option.negate) return typeof value === "boolean" ? !value : refuse("true or false");
  if (option.isBoolean()) return typeof value === "boolean" ? value : refuse("true or false");
  if (option.presetArg !== undefined && typeof value === "boolean") return value ? option.presetArg : undefined;
  const isText = (item: unknown) => typeof item === "string";
  if (option.variadic) {
    if (isText(value)) return [value];
    return Array.isArray(value) && value.every(isText) ? value : refuse("text, or a list of texts");
  }
  if (option.argChoices) return option.argChoices.includes(value as string) ? value : refuse(oneOf(option.argChoices));
  if (!option.parseArg) return isText(value) ? value : refuse(`text${typeof value === "number" ? ", in quotes" : ""}`);
  const isFlags = [value].flat().every((item) => typeof item === "boolean");
  const isList = Array.isArray(value) && (isFlags || value.every(isText));
  let parsed: unknown;
  try {
    parsed = option.parseArg<unknown>(isList ? value.join(",") : String(value), undefined);
  } catch (error) {
    if (error instanceof InvalidArgumentError) refuse(error.message.replace(/^Expected |\.$/g, ""));
    throw error;
  }
  if (typeof parsed === "number" && typeof value !== "number") refuse("a number, without quotes");
  const isFlagged = isFlags && [parsed].flat().every((item) => typeof item === "boolean");
  return typeof parsed === "number" || isFlagged || (isList && !isFlags) || isText(value)
    ? parsed
    : refuse("text, or a list of texts");
}

function oneOf(choices: readonly string[]): string {
  return `one of ${choices.join(", ")}`;
}
