/** The trained network that ships with denofold. */
import { join } from "node:path";
import { shippedFolder } from "../platform/shipped.ts";
import { MODEL_FILE } from "./trained_model.ts";

/** Its folder in `pretrained/`. */
const NAME = "small";

/** The network's folder; undefined where none ships. */
export async function shippedModel(): Promise<string | undefined> {
  const folder = join(await shippedFolder("pretrained"), NAME);
  return await Deno.stat(join(folder, MODEL_FILE)).then(() => folder, () => undefined);
}
