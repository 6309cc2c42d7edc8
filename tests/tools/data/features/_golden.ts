/** Golden cases of OpenFold, where they lie beside the checkout. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeSafetensors } from "../../../../model/weights/safetensors.ts";
import { Golden } from "../../../../tools/oracle/golden.ts";

/** Folder of the golden cases. */
export const GOLDEN: string = fileURLToPath(new URL("../../../../../shared/oracle/openfold", import.meta.url));

/** Whether they are there; prints why the tests that need them are skipped if not. */
export const hasGolden: boolean = existsSync(join(GOLDEN, "data"));
if (!hasGolden) console.log(`no golden cases at ${GOLDEN}: the tests that need them are skipped`);

/** Reads a case, so that it tells its folder and its description; one without tensors has none. */
export function readGolden(path: string): Golden {
  const tensors = `${path}.safetensors`;
  const bytes = existsSync(tensors) ? Deno.readFileSync(tensors) : encodeSafetensors(new Map());
  const text = Deno.readTextFileSync(`${path}.json`);
  return Object.defineProperties(new Golden(text, bytes, path), {
    file: { value: path },
    description: { value: JSON.parse(text) },
  });
}
