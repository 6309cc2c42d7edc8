import assert from "node:assert/strict";
import { folderForProfile, folderForRun, refuseFiles, refuseOtherRun } from "../../../tools/cli/_folder.ts";
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

Deno.test("folderForRun() knows the files of splits, profiles and coordinates, and those of no run", () =>
  withFiles({
    ...put("split", { "split.json": '{"sets":[{"name":"one"}]}', "one.csv": "x", "two.csv": "mine" }),
    ...put("mds", { "a_coordinates.npy": "x", "a.pdb": "x", "b.pdb": "mine" }),
    ...put("profile", { "profile.json": "{}", "profile.html": "x" }),
    ...put("damaged", { "split.json": "{", "one.csv": "mine" }),
  }, async (at) => {
    for (
      const [name, rest] of [["split", ["two.csv"]], ["mds", ["b.pdb"]], ["profile", []], ["damaged", ["one.csv"]]]
    ) {
      const folder = `${at}/${name}`;
      await assert.rejects(folderForRun(folder, "x"), /holds another run/);
      assert.equal(await folderForRun(undefined, folder), `${folder}-2`);
      await folderForRun(folder, "x", { overwrite: true });
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), rest);
    }
    assert.equal(await folderForProfile(undefined, `${at}/mds`, {}), `${at}/mds`);
    assert.equal(await folderForProfile(`${at}/mds/`, `${at}/mds`, {}), `${at}/mds`);
    await Deno.writeTextFile(`${at}/profile/profile.json`, "{}");
    await assert.rejects(folderForProfile(`${at}/profile`, `${at}/mds`, {}), /another folder by --profile-dir, or/);
    await assert.rejects(
      refuseFiles([`${at}/new`, `${at}/mds/b.pdb`], {}),
      /b\.pdb is there already: give another name/,
    );
    await refuseFiles([`${at}/mds/b.pdb`], { overwrite: true });
    await refuseOtherRun(`${at}/new`, []);
    await refuseOtherRun(`${at}/profile`, ["profile.json"]);
    await assert.rejects(
      refuseOtherRun(`${at}/profile`, ["report.html"]),
      /a run of another command \(profile\.json\)/,
    );
  }));

Deno.test("folderForRun() knows the folders of a leave-one-out run", () =>
  withFiles({
    ...put("all", { "leave_one_out.json": "{}", "1znf/checkpoint.safetensors": "x", "1znf/mine.txt": "x" }),
    ...put("other", { "1znf/checkpoint.safetensors": "x" }),
  }, async (at) => {
    assert.equal(await folderForRun(`${at}/other`, "x"), `${at}/other`); // runs lie beside each other there
    await folderForRun(`${at}/all`, "x", { overwrite: true });
    assert.deepEqual([...Deno.readDirSync(`${at}/all/1znf`)].map(({ name }) => name), ["mine.txt"]);
  }));
