import assert from "node:assert/strict";
import { ensureAdapter } from "../../../tools/platform/driver.ts";
import { checkKernels } from "../../../tools/platform/kernel_check.ts";
import { linesOf } from "../../../tools/platform/own_process.ts";

Deno.test("a process that ends over a row ends that row, and the others go on in a new one", async () => {
  const { adapter } = await ensureAdapter();
  // The command line here is this file, which answers nothing.
  const { rows, ok } = await checkKernels(adapter, { device: "auto" });
  assert.equal(ok, false);
  for (const { textures, buffers, op } of rows.filter(({ op }) => !op.startsWith("all "))) {
    assert.equal(textures.status, "wrong", op);
    assert.match(buffers.wrong[0], /^the process that ran it ended \(exit code \d+\)/);
  }
});

Deno.test("linesOf() gives lines whatever the pieces, and the last one without its end", async () => {
  const pieces = ["a\nb", "c", "\n\nd"].map((text) => new TextEncoder().encode(text));
  const lines = [];
  for await (const line of linesOf(ReadableStream.from(pieces))) lines.push(line);
  assert.deepEqual(lines, ["a", "bc", "", "d"]);
});
