/**
 * Parts of the published package that are made ahead of its sources: the finished pages of the reports, the examples and the
 * trained network. `deno task package` makes them; a checkout does without, it builds pages and reads examples itself.
 */
import { InputError } from "./errors.ts";

/** Folder of the parts, from the root of the package. */
export const PARTS_FOLDER = "dist/package";

/** Names of the parts. */
export type PackagePart =
  | "report_page"
  | "profile_page"
  | "attention_page"
  | "predict_page"
  | "finetune_page"
  | "web_page"
  | "examples"
  | "pretrained";

/**
 * Reads a part, from wherever this module was loaded.
 *
 * @throws {InputError} If it is not there.
 */
export async function readPackagePart(part: PackagePart): Promise<unknown> {
  const url = new URL(`../${PARTS_FOLDER}/${part}.json`, import.meta.url).href;
  try {
    return (await import(url, { with: { type: "json" } })).default;
  } catch (error) {
    throw new InputError(
      `Cannot load ${url}: ${
        error instanceof Error ? error.message : error
      }. Use the published package, the single-file ` +
        "program or a checkout of the sources",
    );
  }
}
