/** Golden cases of OpenFold, where they lie beside the checkout. */
import { existsSync } from "node:fs";
import { encodeSafetensors } from "../../../../model/weights/safetensors.ts";
import { Golden } from "../../../../tools/oracle/golden.ts";
import { golden } from "../../../_needs.ts";

/** Folder of the golden cases. */
export const GOLDEN: ReturnType<typeof golden> = golden("openfold");

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
