/**
 * Compares the implementations with golden data of other programs: `deno task oracle DIR [--without NAME] [--json]`.
 *
 * Exit code: 0 if nothing failed, 1 if something did or nothing was found, 2 for wrong usage.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { findCases, formatCounts, formatReport, runCases } from "./runner.ts";

const USAGE = "Usage: deno task oracle DIR [--without NAME] [--json]";

/** @returns The exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const json = args.includes("--json");
  const rest = args.filter((arg) => arg !== "--json");
  const at = rest.indexOf("--without"), [, without] = at < 0 ? [] : rest.splice(at, 2);
  if (rest.includes("--help") || rest.includes("-h")) {
    console.log(
      `${USAGE}\nRuns every golden case (NAME.safetensors with NAME.json) under DIR; with --json one object a line.\n` +
        "--without NAME passes over folders of that name.",
    );
    return 0;
  }
  const unknown = rest.find((arg) => arg.startsWith("-"));
  if (unknown || rest.length !== 1 || (at >= 0 && !without)) {
    console.error(`denofold: ${unknown ? `unknown flag ${unknown}` : "one folder is needed"}. ${USAGE}`);
    return 2;
  }
  try {
    const paths = await findCases(rest[0], without);
    if (paths.length === 0) throw new InputError(`Cannot find a golden case (*.safetensors) under ${rest[0]}`);
    const { adapter } = await ensureAdapter({ install: true });
    const device = await openDevice(adapter);
    if (!json) console.log(`Adapter: ${device.traits.description}`);
    const counts = await runCases(device, paths, (report, seconds) => {
      console.log(json ? JSON.stringify(report) : formatReport(report, seconds));
    });
    device.close();
    if (!json) console.log(formatCounts(counts));
    return counts.failed ? 1 : 0;
  } catch (error) {
    console.error(`denofold: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
