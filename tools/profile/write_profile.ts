import { join } from "node:path";
import type { Profile } from "../../core/mod.ts";
import { writeFileAtomic } from "../files.ts";
import { renderProfile } from "./html.ts";
import type { ProfileData } from "./profile_data.ts";
import { traceOf } from "./trace.ts";

/**
 * Writes a profile's files: its data, the trace, the page, and what else belongs to it.
 *
 * @param more Files besides, by name.
 * @returns Their paths.
 * @throws {InputError} If the folder cannot be written.
 */
export async function writeProfile(
  folder: string,
  profile: Profile,
  data: ProfileData,
  more: Iterable<readonly [string, string]> = [],
): Promise<string[]> {
  const made = new Map<string, string>([
    ["profile.json", `${JSON.stringify(data)}\n`],
    ["profile.trace.json", `${JSON.stringify(traceOf(profile, data.workload))}\n`],
    ["profile.html", await renderProfile(data)],
    ...more,
  ]);
  const files: string[] = [];
  for (const [name, text] of made) {
    const file = join(folder, name);
    await writeFileAtomic(file, text);
    files.push(file);
  }
  return files;
}
