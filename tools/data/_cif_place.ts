/**
 * Finds places in the text of a CIF, for messages; Mol*'s reader does not keep them.
 *
 * Source: Hall, Allen and Brown (1991), "The Crystallographic Information File (CIF)".
 */

/** A word of the text. */
interface Token {
  readonly kind: "data" | "loop" | "name" | "value";
  readonly text: string;
  /** From 1. */
  readonly line: number;
  /** A quote or text field that does not end. */
  readonly open?: boolean;
}

/** White space, a comment, a text field, a quoted value, or a word; each at the place where the one before it ended. */
const TOKEN =
  /([ \t]+)|(\r\n|\n|\r)|(#[^\r\n]*)|(?<=^|[\r\n])(;[^]*?(?:(?:\r\n|\n|\r);|$(?![^])))|('[^\r\n]*?'(?=[ \t\r\n]|$(?![^]))|"[^\r\n]*?"(?=[ \t\r\n]|$(?![^])))|([^ \t\r\n]+)/gy;

function* tokensOf(text: string): Generator<Token> {
  let line = 1;
  for (const [written, space, end, comment, field, quoted, word] of text.matchAll(TOKEN)) {
    if (end !== undefined) line++;
    if (space !== undefined || end !== undefined || comment !== undefined) continue;
    const name = word?.toLowerCase();
    if (name?.startsWith("data_") || name?.startsWith("save_")) yield { kind: "data", text: written, line };
    else if (name === "loop_") yield { kind: "loop", text: written, line };
    else if (name?.startsWith("_")) yield { kind: "name", text: written, line };
    else {
      const open = field === undefined ? quoted === undefined && /^['"]/.test(written) : !/[\r\n];$/.test(field);
      yield { kind: "value", text: written, line, open };
    }
    if (field !== undefined) line += field.match(/\r\n|\n|\r/g)?.length ?? 0;
  }
}

/**
 * The line of a value.
 *
 * @param item Such as `atom_site.Cartn_x`.
 * @param row From 0.
 * @returns From 1; `undefined` if there is no such value.
 */
export function lineOfValue(text: string, item: string, row: number): number | undefined {
  const [category, wanted] = item.toLowerCase().split(".");
  let names: string[] = [];
  let values = 0;
  let inLoop = false;
  for (const { kind, text: written, line } of tokensOf(text)) {
    if (kind === "name") {
      if (!inLoop || values > 0) [names, values, inLoop] = [[], 0, false];
      names.push(written.toLowerCase());
    } else if (kind === "value") {
      // Mol* takes all items of a loop to be of the first one's category, and looks at what comes after it alone.
      const isIt = names[0]?.startsWith(`_${category}.`);
      const column = isIt ? names.findIndex((name) => name.slice(category.length + 2) === wanted) : -1;
      if (column >= 0 && values === row * names.length + column) return line;
      values++;
    } else [names, values, inLoop] = [[], 0, kind === "loop"];
  }
  return undefined;
}

/** What is first wrong with the text's form, and on which line; `undefined` if nothing is. */
export function faultOf(text: string): { readonly line: number; readonly found: string } | undefined {
  let names = 0, values = 0, start = 1;
  let inLoop = false, inBlock = false;
  const incomplete = () => {
    if (!inLoop) return names > values ? { line: start, found: "a name without a value" } : undefined;
    if (names === 0) return { line: start, found: "loop_ without names" };
    if (values > 0 && values % names === 0) return undefined;
    return { line: start, found: `a loop of ${names} names with ${values} values, expected whole rows` };
  };
  for (const { kind, text: written, line, open } of tokensOf(text)) {
    if (kind === "value") {
      if (open) return { line, found: "a quote or text field that does not end" };
      if (names === 0 || (!inLoop && values > 0)) {
        return { line, found: `${JSON.stringify(written.slice(0, 40))}, expected a name or loop_` };
      }
      values++;
      continue;
    }
    if (kind === "name" && inLoop && values === 0) {
      names++;
      continue;
    }
    const fault = incomplete();
    if (fault) return fault;
    if (kind === "data") inBlock = true;
    else if (!inBlock) return { line, found: `${JSON.stringify(written.slice(0, 40))} before the first data_` };
    [names, values, start, inLoop] = [kind === "name" ? 1 : 0, 0, line, kind === "loop"];
  }
  return incomplete();
}
