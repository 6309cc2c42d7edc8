import { fileURLToPath } from "node:url";

/** The folder of golden data beside the checkout, `openfold/model` say; undefined where it is not there. */
export function goldenFolder(group: string): string | undefined {
  const path = fileURLToPath(new URL(`../../shared/oracle/${group}`, import.meta.url));
  try {
    return Deno.statSync(path).isDirectory ? path : undefined;
  } catch {
    return undefined;
  }
}
