/**
 * Makes the parts of the package that are made ahead, `dist/package/*.json`: `deno task package`; before `deno publish`.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeTogether } from "./files.ts";
import { type PackagePart, PARTS_FOLDER } from "./package_part.ts";
import { shippedContents } from "./platform/shipped.ts";
import { builtAssets } from "./report/page_assets.ts";

/**
 * Makes all parts.
 *
 * @param root Folder of the package.
 * @returns Paths of the files.
 */
export async function makePackageParts(root: string): Promise<string[]> {
  const parts: Record<PackagePart, object> = {
    report_page: await builtAssets("report"),
    profile_page: await builtAssets("profile"),
    attention_page: await builtAssets("attention"),
    predict_page: await builtAssets("predict"),
    finetune_page: await builtAssets("finetune"),
    web_page: await builtAssets("web"),
    examples: await shippedContents("examples"),
    pretrained: await shippedContents("pretrained"),
  };
  const files = Object.entries(parts).map(([part, value]) => [`${part}.json`, JSON.stringify(value)] as const);
  return await writeTogether(join(root, PARTS_FOLDER), new Map(files));
}

if (import.meta.main) {
  const root = join(dirname(fileURLToPath(import.meta.url)), "..");
  for (const path of await makePackageParts(root)) console.log(path);
}
