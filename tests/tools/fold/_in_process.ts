import { main } from "../../../tools/cli/main.ts";
import type { Outcome } from "../cli/_run.ts";

/**
 * Calls the command line in this process, which is faster than in one of its own; what it prints through `console` is
 * kept. Not for wrong usage, which is printed otherwise.
 */
export async function denofoldInProcess(...args: string[]): Promise<Outcome> {
  const printed = { log: "", error: "" };
  const { log, error } = console;
  console.log = (text: string) => void (printed.log += `${text}\n`);
  console.error = (text: string) => void (printed.error += `${text}\n`);
  try {
    return { code: await main(args), stdout: printed.log, stderr: printed.error };
  } finally {
    Object.assign(console, { log, error });
  }
}
