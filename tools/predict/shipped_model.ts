/** The trained network that ships with denofold. */
import { join } from "node:path";
import { shippedFolder } from "../platform/shipped.ts";
import { MODEL_FILE } from "./trained_model.ts";

/** Its folder among those of trained networks. */
const NAME = "small";

/**
 * The network's folder; undefined where none ships.
 *
 * @param root Folder of trained networks. @default `pretrained/`, as it ships
 */
export async function shippedModel(root?: string): Promise<string | undefined> {
  const folder = join(root ?? await shippedFolder("pretrained"), NAME);
  return await Deno.stat(join(folder, MODEL_FILE)).then(() => folder, () => undefined);
}
