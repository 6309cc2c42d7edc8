/** Files for the tests of data preparation. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Structures of zinc fingers and their alignment. */
export const FINGERS: string = fileURLToPath(new URL("../../../examples/zinc_fingers/", import.meta.url));

/** Calls with a new folder that has these files, and removes it afterwards. */
export async function withFiles<T>(
  files: Readonly<Record<string, string | Uint8Array>>,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, content] of Object.entries(files)) {
      const path = join(folder, name);
      await Deno.mkdir(join(path, ".."), { recursive: true });
      await (typeof content === "string" ? Deno.writeTextFile(path, content) : Deno.writeFile(path, content));
    }
    return await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** An alignment of a query and copies of it, each with one residue changed. */
export function familyOf(sequence: string, rows = 40): string {
  const row = (k: number) => sequence.slice(0, k % sequence.length) + "W" + sequence.slice(k % sequence.length + 1);
  return `>query\n${sequence}\n` + Array.from({ length: rows }, (_, k) => `>row${k}\n${row(k)}\n`).join("");
}
