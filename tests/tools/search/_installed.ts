/** Programs that tests need and a machine may lack. */
import { isInstalled, type ProgramName } from "../../../tools/search/program.ts";

/** Whether all of them are there; says which one is not, so that a test that ends early is not taken for one that ran. */
export async function installed(...names: ProgramName[]): Promise<boolean> {
  for (const name of names) {
    if (await isInstalled(name)) continue;
    console.log(`skipped: the program ${name} is not installed`);
    return false;
  }
  return true;
}
