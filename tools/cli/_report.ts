import { DeviceLostError, OutOfMemoryError } from "../../core/_failures.ts";
import { WrongKernelError } from "../../core/kernels.ts";
import { NumericsError } from "../../core/numerics.ts";
import { InputError, UsageError } from "../errors.ts";
import { EXIT } from "./_shared.ts";

/**
 * Prints in one line on stderr why a command ended; with the environment variable `DENOFOLD_DEBUG` the stack trace too.
 *
 * @returns The exit code.
 */
export function reportError(error: unknown): number {
  const message = (error instanceof Error ? error.message : String(error)).trim().replace(/\s*\n\s*/g, " ");
  if (Deno.env.get("DENOFOLD_DEBUG")) console.error(error);
  else if (isExpected(error)) console.error(`denofold: ${message}`);
  else console.error(`denofold: unexpected error: ${message} (a bug in denofold; DENOFOLD_DEBUG=1 shows where)`);
  return error instanceof UsageError ? EXIT.usage : EXIT.failure;
}

/** Whether the input or the machine is at fault, and the message says all there is to say. */
function isExpected(error: unknown): boolean {
  return [InputError, UsageError, SyntaxError, DeviceLostError, OutOfMemoryError, NumericsError, WrongKernelError].some(
    (kind) => error instanceof kind,
  );
}
