import assert from "node:assert/strict";
import { folderForRun } from "../../../tools/cli/_folder.ts";
import { withFiles } from "../prep/_inputs.ts";

const RUN = {
  "checkpoint.safetensors": "x",
  "1znf.cif": "x",
  "1znf_distances.npy": "x",
  "notes.txt": "mine",
  "b.cif": "x",
};
const put = (folder: string, files: Record<string, string>) =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]));

Deno.test("folderForRun() takes a new name, refuses a folder of another run, and removes a run's files alone", () =>
  withFiles(
    { ...put("run", RUN), ...put("run-2", { "report.html": "x" }), ...put("mine", { "notes.txt": "x" }) },
    async (at) => {
      assert.equal(await folderForRun(undefined, `${at}/new`), `${at}/new`);
      assert.equal(await folderForRun(`${at}/mine`, "x"), `${at}/mine`);
      assert.equal(await folderForRun(undefined, `${at}/run`), `${at}/run-3`);
      await assert.rejects(
        folderForRun(`${at}/run`, "x"),
        /run holds another run \(1znf\.cif and more\): give another folder by --out, or --overwrite/,
      );
      assert.equal(await folderForRun(`${at}/run`, "x", { overwrite: true }), `${at}/run`);
      assert.deepEqual([...Deno.readDirSync(`${at}/run`)].map(({ name }) => name).sort(), ["b.cif", "notes.txt"]);
    },
  ));

Deno.test("folderForRun() knows the folders of a leave-one-out run", () =>
  withFiles({
    ...put("all", { "leave_one_out.json": "{}", "1znf/checkpoint.safetensors": "x", "1znf/mine.txt": "x" }),
    ...put("other", { "1znf/checkpoint.safetensors": "x" }),
  }, async (at) => {
    assert.equal(await folderForRun(`${at}/other`, "x"), `${at}/other`); // runs lie beside each other there
    await folderForRun(`${at}/all`, "x", { overwrite: true });
    assert.deepEqual([...Deno.readDirSync(`${at}/all/1znf`)].map(({ name }) => name), ["mine.txt"]);
  }));
