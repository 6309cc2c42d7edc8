import assert from "node:assert/strict";
import { join } from "node:path";
import { crc32c, EventFile } from "../../../tools/finetune/tensorboard.ts";

Deno.test("crc32c() gives the values of RFC 3720 and of the check of its catalogue", () => {
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
});

/** The file of these very calls as TensorBoard 2.21's `EventAccumulator` reads it: scalars and the start of a session. */
const READ = [
  "1a00000000000000129bd82d093bdf0740fc54d94110001a0d627261696e2e4576656e743a328ae294be100000000000000095fb",
  "fe18093bdf0740fc54d94110ac023a0208018bfe69da2c00000000000000f4aecc45093bdf4740fc54d94110ad022a1e0a110a0a",
  "747261696e2f6c6f737315000020400a090a026c72150000c07fc872d386",
].join("");

Deno.test("an event file is records of version, start and scalars, byte for byte what TensorBoard reads", async () => {
  const folder = await Deno.makeTempDir();
  try {
    {
      using events = await EventFile.create(folder, 300, 1700000000123);
      await events.scalars(301, { "train/loss": 2.5, "lr": NaN }, 1700000001123);
      await events.scalars(302, {}, 1700000002123);
    }
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assert.deepEqual(names, ["events.out.tfevents.1700000000.denofold.123.300"]);
    const bytes = await Deno.readFile(join(folder, names[0]));
    assert.equal(bytes.toHex(), READ);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
