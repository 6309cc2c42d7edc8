import assert from "node:assert/strict";
import { join } from "node:path";
import { InputError } from "../../tools/errors.ts";
import { fileName, fileNames, leftoverOf, writeFileAtomic, writeTogether } from "../../tools/files.ts";

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

const NAMES: [name: string, file: RegExp][] = [
  ["1abc_A", /^1abc_A$/],
  ["a b/c", /^a_b_c$/],
  ["../../evil", /^_.*evil$/],
  ["..", /^__$/],
  ["/etc/passwd", /^_etc_passwd$/],
  ["C:\\x", /^C__x$/],
  ["", /^_$/],
  [".hidden", /^_hidden$/],
  ["-rf", /^_rf$/],
  ["ends.", /^ends_$/],
  ["NUL", /^_NUL$/],
  ["com1.cif", /^_com1\.cif$/],
  ["a\0b\nc", /^a_b_c$/],
  ["фермент", /^_{7}$/],
  ["x".repeat(201), /^x{191}-[0-9a-f]{8}$/],
];
for (const [name, file] of NAMES) {
  Deno.test(`fileName(${JSON.stringify(name.slice(0, 20))}) leads nowhere else`, () => {
    assert.match(fileName(name), file);
    assert.equal(join("/out", fileName(name)).lastIndexOf("/"), 4);
  });
}

Deno.test("fileNames() tells apart what file systems may not", () => {
  const ids = ["AB", "ab", "c", "a/b", "a_b", "x".repeat(300), `${"x".repeat(299)}y`];
  const names = fileNames(ids);
  assert.equal(new Set(names.map((name) => name.toLowerCase())).size, ids.length);
  assert.equal(names[2], "c");
  assert.deepEqual(fileNames(ids.toReversed()), names.toReversed(), "names depend on the set, not on its order");
  assert.deepEqual(fileNames(["c", "c"]), ["c", "c"]);
  assert.match(fileNames(["c"], new Set(["c"]))[0], /^c-[0-9a-f]{8}$/);
  assert.throws(() => fileNames(["AB", "ab", names[0]]), (error) => error instanceof InputError);
});

Deno.test("writeTogether() succeeds whatever an earlier run left, and leaves nothing itself", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(join(folder, `.denofold-${Deno.pid}.tmp`));
    await Deno.writeTextFile(join(folder, `.denofold-${Deno.pid}.tmp`, "other.txt"), "left");
    await Deno.writeTextFile(join(folder, `a.txt.${Deno.pid}.tmp`), "left");
    const before = namesIn(folder);
    const files = new Map<string, string | Uint8Array>([["a.txt", "new"], ["b.bin", Uint8Array.of(1, 2)]]);
    assert.deepEqual(await writeTogether(folder, files), [join(folder, "a.txt"), join(folder, "b.bin")]);
    assert.equal(await Deno.readTextFile(join(folder, "a.txt")), "new");
    assert.deepEqual(namesIn(folder), [...before, "a.txt", "b.bin"].sort());
  }));

Deno.test("files written at once by several all succeed, and each file is whole", () =>
  inFolder(async (folder) => {
    const contents = Array.from({ length: 8 }, (_, k) => String(k).repeat(200_000 + k));
    await Promise.all(contents.flatMap((text) => [
      writeTogether(folder, new Map([["a.txt", text], ["b.txt", text]])),
      writeFileAtomic(join(folder, "c.txt"), text),
    ]));
    assert.deepEqual(namesIn(folder), ["a.txt", "b.txt", "c.txt"]);
    for (const name of namesIn(folder)) {
      assert.ok(contents.includes(await Deno.readTextFile(join(folder, name))), name);
    }
  }));

Deno.test("writeTogether() leaves nothing behind where it fails, and says what it changed", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "file"), "old");
    const files = new Map([["a.txt", "new"], ["b.txt", "new"], ["c.txt", "new"]]);
    await assert.rejects(writeTogether(join(folder, "file"), files), InputError);
    await Deno.mkdir(join(folder, "run", "b.txt", "x"), { recursive: true });
    await assert.rejects(
      writeTogether(join(folder, "run"), files),
      (error) =>
        error instanceof InputError &&
        /^Cannot write .*b\.txt: .*\. a\.txt were written, b\.txt, c\.txt were not\.$/.test(error.message),
    );
    assert.deepEqual(namesIn(join(folder, "run")), ["a.txt", "b.txt"]);
    await Deno.mkdir(join(folder, "first", "a.txt", "x"), { recursive: true });
    await assert.rejects(writeTogether(join(folder, "first"), files), /a\.txt: .*\. Nothing was changed\.$/);
    assert.deepEqual(namesIn(join(folder, "first")), ["a.txt"]);
    assert.deepEqual(namesIn(folder), ["file", "first", "run"]);
  }));

for (const name of ["a/b", "a\\b", "../a", "..", ".", "", "a\0"]) {
  Deno.test(`writeTogether() refuses the name ${JSON.stringify(name)}`, () =>
    inFolder(async (folder) => {
      const inside = join(folder, "out");
      await Deno.mkdir(join(inside, "a"), { recursive: true });
      await assert.rejects(writeTogether(inside, new Map([["good", "x"], [name, "x"]])), TypeError);
      assert.deepEqual([namesIn(folder), namesIn(inside), namesIn(join(inside, "a"))], [["out"], ["a"], []]);
    }));
}

Deno.test("writeTogether() refuses two names that differ in capitals only", () =>
  inFolder(async (folder) => {
    await assert.rejects(writeTogether(folder, new Map([["AB.cif", ""], ["ab.cif", ""]])), /tell capitals apart/);
    assert.deepEqual(namesIn(folder), []);
  }));

Deno.test("what is left of a killed writer is known by its name", () => {
  assert.equal(leftoverOf("a.safetensors.0123abcd.tmp"), "a.safetensors");
  for (const name of ["a.safetensors", "a.tmp", "a.0123.tmp", ".0123abcd.tmp"]) {
    assert.equal(leftoverOf(name), undefined);
  }
});
