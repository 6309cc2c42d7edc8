import { join } from "node:path";

/** Endings of programs. */
const ENDINGS = Deno.build.os === "windows" ? [".exe", ".cmd", ""] : [""];

/** The file of the first of these programs that is on `PATH`; `undefined` if none is. */
export function findOnPath(commands: readonly string[]): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":").filter((path) =>
    path !== ""
  );
  for (const command of commands) {
    for (const folder of folders) {
      for (const ending of ENDINGS) {
        const path = join(folder, command + ending);
        if (isFile(path)) return path;
      }
    }
  }
  return undefined;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
