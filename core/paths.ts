/** Patterns of dotted paths: which parameters of a network are meant. */

/**
 * Whether a path such as `evoformer.blocks.3.msa_att_row.mha.linear_q` fits a pattern. Patterns are parts between dots:
 * `*` stands for any letters of a part, `**` for any number of whole parts, `{a,b}` for one of several, `{44..47}` for
 * one of these numbers. A pattern of one part fits the last part of a path, as `linear_q` does that of the path above.
 *
 * @example
 * ```ts
 * import { pathMatcher } from "@denofold/denofold";
 * import assert from "node:assert/strict";
 *
 * const lastBlocks = pathMatcher("evoformer.blocks.{44..47}.**");
 * assert(lastBlocks("evoformer.blocks.44.msa_att_row.mha.linear_q.weight"));
 * assert(!lastBlocks("evoformer.blocks.4.msa_att_row.mha.linear_q.weight"));
 * assert(pathMatcher("linear_{q,v}")("evoformer.blocks.4.msa_att_row.mha.linear_v"));
 * ```
 * @throws {SyntaxError} If the pattern is empty, has an empty part or braces that do not close.
 */
export function pathMatcher(pattern: string): (path: string) => boolean {
  const parts = splitParts(pattern).map((part) => (part === "**" ? part : partOf(part, pattern)));
  const [only] = parts;
  if (parts.length === 1 && only !== "**") return (path) => only.test(lastPart(path));
  const fits = (names: readonly string[], name: number, part: number): boolean => {
    if (part === parts.length) return name === names.length;
    const wanted = parts[part];
    if (wanted === "**") return fits(names, name, part + 1) || (name < names.length && fits(names, name + 1, part));
    return name < names.length && wanted.test(names[name]) && fits(names, name + 1, part + 1);
  };
  return (path) => fits(path.split("."), 0, 0);
}

/**
 * The paths that fit any of some patterns, in their order.
 *
 * @param what What the paths are of, for the error.
 * @throws {RangeError} If one of the patterns fits none; near ones are told.
 */
export function matchPaths(paths: readonly string[], patterns: readonly string[], what = "path"): string[] {
  const matchers = patterns.map((pattern) => {
    const matches = pathMatcher(pattern);
    if (paths.some(matches)) return matches;
    const near = nearNames(pattern, pattern.includes(".") ? paths : paths.map(lastPart));
    throw new RangeError(`No ${what} fits the pattern ${pattern}${near.length ? `; near: ${near.join(", ")}` : ""}`);
  });
  return paths.filter((path) => matchers.some((matches) => matches(path)));
}

/**
 * Of some names, those most like one, the nearest first: by the letters to insert, leave out or replace, at most half of
 * the longer name's.
 *
 * @param most How many at most. @default 5
 */
export function nearNames(name: string, names: Iterable<string>, most = 5): string[] {
  return [...new Set(names)]
    .map((other) => ({ other, distance: editDistance(name, other) }))
    .filter(({ other, distance }) => distance <= Math.max(name.length, other.length) / 2)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map(({ other }) => other);
}

/** Source: Wagner and Fischer (1974), "The string-to-string correction problem". */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + Number(a[i - 1] !== b[j - 1])));
    }
    row = next;
  }
  return row[b.length];
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

/** Parts between the dots that are not in braces. */
function splitParts(pattern: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const letter of pattern) {
    if (letter === "{") depth++;
    if (letter === "}") depth--;
    if (letter === "." && depth === 0) parts.push("");
    else parts[parts.length - 1] += letter;
    if (depth < 0 || depth > 1) break;
  }
  if (depth !== 0) throw new SyntaxError(`The pattern ${pattern} has braces that do not close, or stand in each other`);
  if (parts.includes("")) throw new SyntaxError(`The pattern "${pattern}" has an empty part between its dots`);
  return parts;
}

/** The regular expression of a part. */
function partOf(part: string, pattern: string): RegExp {
  const text = part.split(/(\{[^}]*\})/).map((piece) => {
    if (!piece.startsWith("{")) return piece.split("*").map(escaped).join("[^.]*");
    const choices = piece.slice(1, -1).split(",").flatMap((choice) => {
      const range = choice.match(/^(\d+)\.\.(\d+)$/);
      if (!range) return [choice];
      const [from, to] = [Number(range[1]), Number(range[2])];
      if (from > to) {
        throw new SyntaxError(`The pattern ${pattern} has a range that ends before it begins: {${choice}}`);
      }
      return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);
    });
    return `(?:${choices.map(escaped).join("|")})`;
  });
  return new RegExp(`^${text.join("")}$`);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
