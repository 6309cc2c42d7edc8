/** Rewrites lines of text in ways that mean nothing. */
import type { Mt19937 } from "../../tools/data/mt19937.ts";
import { below, pick } from "./mutate.ts";

/** What was done to a file, in words. */
export type Done = string[];

/** True one time of `n`. */
export function once(dice: Mt19937, n: number): boolean {
  return below(dice, n) === 0;
}

/** The same things in another order. */
export function shuffled<T>(dice: Mt19937, all: readonly T[]): T[] {
  const out = [...all];
  for (let i = out.length - 1; i > 0; i--) {
    const j = below(dice, i + 1);
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

/** Lines as a file: LF, CRLF or CR, with or without an end of the last line and a byte order mark. */
export function joinLines(dice: Mt19937, lines: readonly string[], done: Done): Uint8Array {
  const end = pick(dice, ["\n", "\n", "\r\n", "\r"]);
  if (end !== "\n") done.push(`ends ${JSON.stringify(end)}`);
  const isOpen = once(dice, 4);
  if (isOpen) done.push("last line open");
  const mark = once(dice, 5) ? "\uFEFF" : "";
  if (mark !== "") done.push("byte order mark");
  return new TextEncoder().encode(mark + lines.join(end) + (isOpen ? "" : end));
}

/** A text in pieces of random lengths. */
export function wrapped(dice: Mt19937, text: string, least = 1): string[] {
  const parts: string[] = [];
  for (let at = 0; at < text.length;) {
    const length = least + below(dice, 1 << (1 + below(dice, 6)));
    parts.push(text.slice(at, at += length));
  }
  return parts.length > 0 ? parts : [""];
}

/** A decimal number written in another way that means the same. */
export function renumbered(dice: Mt19937, text: string): string {
  const [, sign, whole, decimals = ""] = /^([+-]?)(\d+)(?:\.(\d*))?$/.exec(text) ?? [];
  if (whole === undefined) return text;
  switch (below(dice, 5)) {
    case 0:
      return `${sign}${whole}.${decimals}${"0".repeat(1 + below(dice, 3))}`;
    case 1:
      return `${sign || "+"}${whole}${decimals === "" ? "" : `.${decimals}`}`;
    case 2:
      return `${sign}${whole}${decimals}${pick(dice, ["e", "E"])}-${decimals.length}`;
    case 3:
      return `${sign}0${whole}${decimals === "" ? "" : `.${decimals}`}`;
    default:
      return text;
  }
}

/** Letters in small or large, by chance. */
export function recased(dice: Mt19937, text: string): string {
  const style = below(dice, 3);
  return Array.from(text, (letter) => {
    const isSmall = style === 0 || (style === 1 && once(dice, 2));
    return isSmall ? letter.toLowerCase() : letter.toUpperCase();
  }).join("");
}
