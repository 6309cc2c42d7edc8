/**
 * Sees to a driver and says which adapter it is; ends with code 1 if there is none.
 * With a command after it (`with_driver.ts deno test -A`), runs that command in an environment in which WebGPU finds the driver.
 *
 * @module
 */
import { dirname } from "node:path";
import { InputError } from "../errors.ts";
import { adapterName, ensureAdapter } from "./driver.ts";
import { cachedSwiftShader } from "./swiftshader.ts";

async function main(command: string[]): Promise<number> {
  const { adapter, notes } = await ensureAdapter({ install: true });
  for (const note of notes) console.error(note);
  console.error(`Adapter: ${adapterName(adapter)}`);
  const [program, ...args] = command;
  if (program === undefined) return 0;
  Deno.addSignalListener("SIGINT", () => {}); // The command gets it too and decides what to do.
  const child = new Deno.Command(program === "deno" ? Deno.execPath() : program, { args, env: environment() }).spawn();
  const { code } = await child.status;
  return code;
}

/** What the command needs beyond the variables that {@link ensureAdapter} has set in this process. */
function environment(): Record<string, string> {
  const swiftShader = cachedSwiftShader();
  if (!swiftShader || Deno.env.get("VK_DRIVER_FILES") !== swiftShader.icd) return {};
  const folders = [Deno.env.get("LD_LIBRARY_PATH"), dirname(swiftShader.loader)].filter((folder) => folder);
  return { LD_LIBRARY_PATH: folders.join(":") };
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    console.error(`denofold: ${error.message}`);
    Deno.exit(1);
  }
}
