import assert from "node:assert/strict";
import { join } from "node:path";
import { Uint8ArrayReader, Uint8ArrayWriter, ZipWriter } from "@zip.js/zip.js";
import { bytesSource } from "../../../model/weights/byte_source.ts";
import { encodeNpy } from "../../../model/weights/npy.ts";
import { openfoldWeights } from "../../../model/weights/openfold_weights.ts";
import type { NamedArray } from "../../../model/weights/safetensors.ts";
import type { WeightEntry } from "../../../model/weights/weight_file.ts";
import { InputError } from "../../../tools/errors.ts";
import { compareWeights } from "../../../tools/weights/compare_weights.ts";
import { convertWeights, weightFormat } from "../../../tools/weights/convert_weights.ts";
import { openWeights, readWeights } from "../../../tools/weights/open_weights.ts";
import { writeWeights } from "../../../tools/weights/write_weights.ts";
import { golden, needing } from "../../_needs.ts";

const ARRAYS: Record<string, NamedArray> = {
  "evoformer.blocks.0.msa_att_row.linear_z.weight": {
    dtype: "F32",
    shape: [2, 3],
    data: Float32Array.of(1, -0, NaN, 4, 5e-40, 6),
  },
  "evoformer.blocks.0.msa_att_row.mha.linear_q.weight": {
    dtype: "F32",
    shape: [4, 3],
    data: Float32Array.from({ length: 12 }, (_, i) => i / 7),
  },
  "evoformer.linear.bias": { dtype: "F16", shape: [5], data: Uint16Array.of(0, 1, 0x7e01, 0xffff, 0x3c00) },
};

const entries: WeightEntry[] = Object.entries(ARRAYS).map(([name, array]) => ({
  name,
  ...array,
  read: () => Promise.resolve(array),
}));

const bitsOf = ({ data }: NamedArray) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

async function temporary(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("weights go through every format and back with the same bits, and the same weights make the same bytes", () =>
  temporary(async (folder) => {
    for (const ending of ["safetensors", "pt", "npz"]) {
      const path = join(folder, `w.${ending}`), again = join(folder, `again.${ending}`);
      const file = {
        source: "memory",
        format: "safetensors" as const,
        entries: new Map(entries.map((e) => [e.name, e])),
        metadata: {},
      };
      await convertWeights(openfoldWeights(file), path, weightFormat(path)!);
      await convertWeights(openfoldWeights(file), again, weightFormat(path)!);
      assert.deepEqual(await Deno.readFile(path), await Deno.readFile(again), ending);
      using opened = await openWeights(path);
      const weights = openfoldWeights(opened.file);
      assert.deepEqual([...weights.entries.keys()].sort(), Object.keys(ARRAYS).sort());
      for (const [name, expected] of Object.entries(ARRAYS)) {
        const array = await weights.entries.get(name)!.read();
        assert.deepEqual([array.dtype, [...array.shape]], [expected.dtype, expected.shape]);
        assert.deepEqual(bitsOf(array), bitsOf(expected), `${name} in ${ending}`);
      }
    }
    assert.deepEqual([...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".tmp")), []);
  }));

Deno.test("packed archives are unpacked, and damage in them is told", async () => {
  const zip = new ZipWriter(new Uint8ArrayWriter(), { level: 6, useWebWorkers: false });
  const array: NamedArray = { dtype: "F32", shape: [1000], data: new Float32Array(1000).fill(3) };
  await zip.add("x.npy", new Uint8ArrayReader(encodeNpy(array)));
  const bytes = await zip.close();
  assert(bytes.length < 1000);
  const file = await readWeights(bytesSource(bytes, "p.npz"));
  assert.deepEqual((await file.entries.get("x")!.read()).data, array.data);
  const broken = bytes.slice();
  broken[60] ^= 255;
  await assert.rejects(
    async () => await (await readWeights(bytesSource(broken, "p.npz"))).entries.get("x")!.read(),
    (error: Error) => (error instanceof InputError || error instanceof SyntaxError) && /p\.npz/.test(error.message),
  );
});

Deno.test("what is no file of weights is refused in one line that says what it begins with", () =>
  temporary(async (folder) => {
    const refused = async (name: string, bytes: Uint8Array, message: RegExp) => {
      const path = join(folder, name);
      await Deno.writeFile(path, bytes);
      await assert.rejects(openWeights(path), (error: Error) => {
        assert(error instanceof InputError, error.stack);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    };
    await refused("empty.pt", new Uint8Array(), /is empty/);
    await refused(
      "text.npz",
      new TextEncoder().encode("hello world, no weights"),
      /begins with "hello wo", expected safetensors/,
    );
    await refused("old.pt", Uint8Array.of(0x80, 2, 0x8a, 10, 1, 2, 3, 4, 5), /before version 1\.6/);
    await refused("cut.pt", Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 0, 0, 0, 0), /as a zip archive/);
    await assert.rejects(openWeights(join(folder, "none.pt")), /no such file/);
    await assert.rejects(openWeights(folder), /is a folder/);
    // every truncation of a good file is told
    const path = join(folder, "good.pt");
    await writeWeights(path, "torch", entries);
    const whole = await Deno.readFile(path);
    for (let length = 0; length < whole.length; length += 37) {
      await assert.rejects(readWeights(bytesSource(whole.slice(0, length), "cut.pt")), InputError);
    }
  }));

Deno.test("a file that cannot be converted leaves nothing behind, and an old one as it was", () =>
  temporary(async (folder) => {
    const path = join(folder, "out.npz");
    await Deno.writeTextFile(path, "old");
    const bad: WeightEntry = { ...entries[0], name: "affinity_head.linear.weight" };
    const file = { source: "tuned.pt", format: "torch" as const, entries: new Map([[bad.name, bad]]), metadata: {} };
    await assert.rejects(
      convertWeights(openfoldWeights(file), path, "npz"),
      /Cannot convert tuned\.pt: AlphaFold's files have no place for the parameter affinity_head\.linear\.weight \[2,3\]/,
    );
    const failing: WeightEntry = { ...entries[0], read: () => Promise.reject(new SyntaxError("cut short")) };
    await assert.rejects(writeWeights(path, "torch", [failing]), /cut short/);
    assert.equal(await Deno.readTextFile(path), "old");
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["out.npz"]);
  }));

Deno.test("compareWeights() tells what differs, by how much, and what is in one file alone", async () => {
  const fileOf = (list: readonly WeightEntry[]) =>
    openfoldWeights({ source: "f", format: "torch", entries: new Map(list.map((e) => [e.name, e])), metadata: {} });
  const other: NamedArray = {
    dtype: "F32",
    shape: [4, 3],
    data: Float32Array.from({ length: 12 }, (_, i) => i / 7 + (i === 5 ? 0.5 : 0)),
  };
  const second = fileOf([
    entries[0],
    { ...entries[1], ...other, read: () => Promise.resolve(other) },
    { ...entries[2], name: "evoformer.linear.weight" },
  ]);
  const found = Object.fromEntries((await compareWeights(fileOf(entries), second)).map((d) => [d.name, d]));
  assert.equal(found["evoformer.blocks.0.msa_att_row.linear_z.weight"].equal, true); // NaN and -0 included
  const q = found["evoformer.blocks.0.msa_att_row.mha.linear_q.weight"];
  assert.equal(q.equal, false);
  assert(Math.abs(q.largest! - 0.5) < 1e-6);
  assert.equal(found["evoformer.linear.bias"].kind, "only first");
  assert.equal(found["evoformer.linear.weight"].kind, "only second");
});

const MODELS = golden("openfold/model");
for (const model of ["tiny_model_1_ptm", "tiny_model_3_ptm"]) {
  Deno.test(needing(MODELS, {
    name: `${model}: .pt, older names and .npz are the same weights to the bit, and are written as they were`,
    fn: () =>
      temporary(async (folder) => {
        using pt = await openWeights(`${MODELS.path}/${model}.pt`);
        using npz = await openWeights(`${MODELS.path}/params_${model}.npz`);
        const weights = openfoldWeights(pt.file);
        assert((await compareWeights(weights, openfoldWeights(npz.file))).every(({ equal }) => equal));
        if (model === "tiny_model_1_ptm") {
          using old = await openWeights(`${MODELS.path}/${model}_v1keys.pt`);
          const renamed = openfoldWeights(old.file);
          assert.equal(renamed.naming, "openfold-1");
          assert((await compareWeights(weights, renamed)).every(({ equal }) => equal));
        }
        const path = join(folder, "again.npz");
        await convertWeights(weights, path, "npz");
        using again = await openWeights(path);
        assert.deepEqual([...again.file.entries.keys()].sort(), [...npz.file.entries.keys()].sort());
        for (const [name, array] of npz.file.entries) {
          const mine = again.file.entries.get(name)!;
          assert.deepEqual([...mine.shape], [...array.shape], name);
          assert.deepEqual(bitsOf(await mine.read()), bitsOf(await array.read()), name);
        }
      }),
  }));
}
