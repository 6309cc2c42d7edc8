import assert from "node:assert/strict";
import { join } from "node:path";
import { linear } from "../../../ops/mod.ts";
import { ensureAdapter } from "../../../tools/platform/driver.ts";
import { openKernelFile } from "../../../tools/platform/kernel_file.ts";
import { openVerified } from "../../../tools/platform/open_device.ts";
import { testDevice } from "../../_gpu.ts";
import { withCache as withFolder } from "./_cache.ts";

const { traits } = await testDevice();
const FILE = { name: "kernels", traits, valid: "test" };
const [A, B, C] = ["0123456789abcdef", "fedcba9876543210", "00000000ffffffff"];

/** What happens when a process ends. */
const end = () => globalThis.dispatchEvent(new Event("unload"));

/** With a cache folder of its own; what is still to be written is written at the end. */
const withCache = (run: (folder: string) => void | Promise<void>) =>
  withFolder(async (folder) => {
    try {
      await run(folder);
    } finally {
      end();
    }
  });

const filesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name);

Deno.test({
  name: "kernels found right are kept from process to process, with those that others found meanwhile",
  sanitizeOps: false,
  fn: () =>
    withCache((folder) => {
      const one = openKernelFile(FILE), two = openKernelFile(FILE);
      assert.equal(one.verdict(A), undefined);
      one.keep(A, "right");
      two.keep(B, "wrong");
      end();
      assert.deepEqual(filesIn(folder).length, 1);
      const next = openKernelFile(FILE);
      assert.deepEqual([A, B, C].map((hash) => next.verdict(hash)), ["right", "wrong", undefined]);
      assert.equal(openKernelFile({ ...FILE, valid: "another driver" }).verdict(A), undefined);
      const wider = { ...FILE, traits: { ...traits, subgroupSize: traits.subgroupSize + 1 } };
      assert.equal(openKernelFile(wider).verdict(A), undefined);
      next.clear(); // something that was right is wrong now
      next.keep(C, "right");
      end();
      const after = openKernelFile(FILE);
      assert.deepEqual([A, B, C].map((hash) => after.verdict(hash)), [undefined, undefined, "right"]);
    }),
});

Deno.test({
  name: "a damaged record is as good as none, and a cache that cannot be written does no harm",
  sanitizeOps: false,
  fn: () =>
    withCache((folder) => {
      const first = openKernelFile(FILE);
      first.keep(A, "right");
      end();
      const path = join(folder, filesIn(folder)[0]);
      for (const text of ["{", "null", "[]", '{"right":null}', '{"right":[1,{},"x"]}', `{"right":["${B}x"]}`]) {
        Deno.writeTextFileSync(path, text);
        const store = openKernelFile(FILE);
        assert.deepEqual([A, B].map((hash) => store.verdict(hash)), [undefined, undefined], text);
      }
      Deno.env.set("DENOFOLD_CACHE", join(path, "no folder"));
      const lost = openKernelFile(FILE);
      lost.keep(A, "right");
      end();
      assert.equal(lost.verdict(A), "right");
    }),
});

Deno.test({
  name: "a device opened again takes what it found right from the cache folder",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () =>
    withCache(async (folder) => {
      const log = (line: string) => assert.fail(line);
      const compute = async () => {
        const device = await openVerified((await ensureAdapter()).adapter, { log });
        linear(device.zeros([8, 32]), { weight: device.zeros([32, 32]) });
        await device.finish();
        device.close();
        end();
        const [file] = filesIn(folder);
        return JSON.parse(Deno.readTextFileSync(join(folder, file))).right as string[];
      };
      const right = await compute();
      assert.ok(right.length >= 2, `${right}`); // the loads and the product
      assert.deepEqual(await compute(), right);
      assert.deepEqual(filesIn(folder).length, 1);
    }),
});
