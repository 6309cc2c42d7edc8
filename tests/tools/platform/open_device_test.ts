import assert from "node:assert/strict";
import { join } from "node:path";
import { Device } from "../../../core/mod.ts";
import { matmulTiles, tilesToTime } from "../../../ops/matmul_tiles.ts";
import { DECISIONS, FAMILY_OPS, MATMUL_CLASSES, tune, type Tuning, tuningOf } from "../../../ops/mod.ts";
import { familiesOf } from "../../../ops/tuning.ts";
import { openDevice, prepareTuning, retune } from "../../../tools/platform/open_device.ts";
import { ensureAdapter } from "../../../tools/platform/driver.ts";
import { installedLavapipe } from "../../../tools/platform/lavapipe.ts";
import { chooseVectorWidth, hasAvx512 } from "../../../tools/platform/vector_width.ts";
import { gpuTest } from "../../_gpu.ts";
import { denofold } from "../cli/_run.ts";
import { withCache } from "./_cache.ts";

/** A fresh handle with the built-in parameters; `gpu` makes it pass for a real one. */
const fresh = ({ gpu, traits }: Device, { software = traits.software } = {}) =>
  new Device(gpu, { ...traits, software });

/** The last tile for all products: not what is built in. */
function other(device: Device): Tuning {
  const tile = matmulTiles(device.traits).at(-1)!;
  return { ...tuningOf(device), matmul: { large: tile, small: tile, long: tile }, attention: "plain" };
}

const kept = (folder: string) =>
  [...Deno.readDirSync(folder)].map(({ name }) => name).filter((n) => n.startsWith("tun"));

gpuTest("tune() times every way, and sets and returns the fastest", async (shared) => {
  const device = fresh(shared);
  const { tuning, measured } = await tune(device);
  const { traits } = device;
  const ways = {
    loads: traits.loadPaths,
    ...Object.fromEntries(MATMUL_CLASSES.map((name) => [name, tilesToTime(traits, name)])),
    ...Object.fromEntries(FAMILY_OPS.map((op) => [op, familiesOf(traits, op)])),
  };
  assert.deepEqual(tuningOf(device), tuning);
  for (const decision of DECISIONS) {
    const own = measured.filter((row) => row.decision === decision);
    const offered = ways[decision as keyof typeof ways];
    assert.deepEqual(own.map(({ way }) => way), offered.length > 1 ? offered : [], decision);
    if (own.length === 0) continue;
    for (const { ms } of own) assert.ok(ms > 0 && Number.isFinite(ms), `${decision}: ${ms} ms`);
    const used = JSON.stringify(Object.assign({}, tuning, tuning.matmul)[decision]);
    const chosen = own.find(({ way }) => JSON.stringify(way) === used)!;
    const least = Math.min(...own.map(({ ms }) => ms));
    assert.ok(chosen.ms <= 1.15 * least, `${decision}: ${chosen.ms} ms chosen, ${least} ms fastest`);
  }
});

gpuTest(
  "a GPU is timed once, within its budget; the next device uses what was kept",
  (shared) =>
    withCache(async (folder) => {
      const lines: string[] = [];
      const log = (line: string) => void lines.push(line);
      const device = fresh(shared, { software: false });
      const { measured } = await tune(fresh(shared), { budgetMs: 0 });
      const decisions = measured.map(({ decision }) => decision);
      assert.equal(new Set(decisions).size, decisions.length, "a spent budget leaves the first way of each decision");
      for (const name of MATMUL_CLASSES) assert.ok(decisions.includes(name), name);
      await prepareTuning(device, { log, budgetMs: 0 });
      assert.match(lines.join("\n"), /^Timing kernels on .+, once \(about 0 seconds\) …$/);
      assert.equal(kept(folder).length, 1);
      const [file] = kept(folder);
      const content = JSON.parse(await Deno.readTextFile(join(folder, file)));
      content.tuning = other(device);
      await Deno.writeTextFile(join(folder, file), JSON.stringify(content));
      const next = fresh(shared, { software: false });
      await prepareTuning(next, { log });
      assert.deepEqual(tuningOf(next), other(device));
      assert.equal(lines.length, 1);
    }),
);

gpuTest(
  "damaged files and tiles that are unknown are ignored and written anew",
  (shared) =>
    withCache(async (folder) => {
      const { tuning } = await retune(fresh(shared), 0);
      const path = join(folder, kept(folder)[0]);
      const stale = { tuning: structuredClone(tuning) as { matmul: { long: { rows: number } } } };
      stale.tuning.matmul.long.rows = 7;
      for (const text of ["{", "null", "[]", '{"tuning":null}', JSON.stringify(stale)]) {
        await Deno.writeTextFile(path, text);
        const device = fresh(shared);
        await prepareTuning(device);
        assert.deepEqual(tuningOf(device).matmul.long, matmulTiles(device.traits)[0], text);
      }
      const anew = await retune(fresh(shared), 0);
      assert.deepEqual(JSON.parse(await Deno.readTextFile(path)).tuning, anew.tuning);
    }),
);

gpuTest(
  "a software driver is not timed, but what was measured on demand is used",
  (shared) =>
    withCache(async (folder) => {
      const { adapter } = await ensureAdapter();
      const log = () => assert.fail("nothing should be timed");
      const first = await openDevice(adapter, { log });
      assert.deepEqual(kept(folder), []);
      assert.deepEqual(tuningOf(first).matmul.large, matmulTiles(first.traits)[0]);
      first.close();
      const { tuning } = await retune(fresh(shared), 0);
      const second = await openDevice((await ensureAdapter()).adapter, { log });
      assert.deepEqual(tuningOf(second), tuning);
      second.close();
    }),
);

Deno.test("denofold doctor --tune prints the tiles, and times the vector widths between which there is a choice", () =>
  withCache(async (folder) => {
    const { code, stdout, stderr } = await denofold("doctor", "--tune");
    assert.equal(code, 0, stderr);
    const lavapipe = installedLavapipe();
    if (lavapipe && hasAvx512() && /^adapter +llvmpipe/m.test(stdout)) {
      const { times } = chooseVectorWidth(lavapipe, undefined);
      assert.ok(times && times[256] > 0 && times[512] > 0, JSON.stringify(times));
      assert.match(stdout, new RegExp(`^vectors .*256 bits ${times[256]} ms, 512 bits ${times[512]} ms\\)$`, "m"));
      assert.match(stderr, /^(Timing an Evoformer block with vectors of \d+ bits .*\n){2}$/);
    }
    assert.match(stdout, /\n *kernels +way +ms *\n[^]*\n *long products .* used/);
    assert.equal(kept(folder).length, 1);
  }));
