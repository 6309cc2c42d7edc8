import assert from "node:assert/strict";
import { join } from "node:path";
import { shippedContents, shippedFolder } from "../../../tools/platform/shipped.ts";

for (const name of ["examples", "pretrained"] as const) {
  Deno.test(`shippedFolder() of the sources holds what shippedContents() embeds into a bundle: ${name}`, async () => {
    const folder = await shippedFolder(name);
    const contents = Object.entries(await shippedContents(name));
    assert.ok(contents.length > 0);
    for (const [path, content] of contents) {
      assert.ok(!path.startsWith("/") && !path.includes("\\"), path);
      const bytes = typeof content === "string"
        ? new TextEncoder().encode(content)
        : Uint8Array.fromBase64(content.base64);
      assert.deepEqual(await Deno.readFile(join(folder, path)), bytes, path);
    }
  });
}
