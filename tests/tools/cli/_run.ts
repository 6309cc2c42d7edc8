import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's root folder. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

/** How a program ended. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs Deno with arguments in the project's root, without colours, and returns what it printed. */
export async function runDeno(
  args: string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: options.cwd ?? ROOT,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", DENOFOLD_DEBUG: "", DENOFOLD_DEVICE: "", ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  // Deno says so when several processes of a test look at node_modules at once; no word of ours.
  const ours = text(stderr).replace(/^Blocking waiting for file lock.*\n/gm, "");
  return { code, stdout: text(stdout), stderr: ours };
}

/** Runs the command line from its sources. */
export function denofold(...args: string[]): Promise<Outcome> {
  return runDeno(["run", "-A", "tools/cli/main.ts", ...args]);
}
