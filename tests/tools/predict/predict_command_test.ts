import assert from "node:assert/strict";
import { join } from "node:path";
import { parseSafetensors } from "../../../model/weights/safetensors.ts";
import { parseCif } from "../../../tools/data/_cif_reader.ts";
import { rowsOf } from "../../../tools/data/_mmcif_facts.ts";
import { leftoverOf } from "../../../tools/files.ts";
import { cacheFolder } from "../../../tools/platform/cache.ts";
import { denofold, ROOT } from "../cli/_run.ts";
import { denofoldInProcess } from "../fold/_in_process.ts";
import { archive, serve, tarGz, ticket } from "../search/_msa_server.ts";
import { gpuTest } from "../../_gpu.ts";
import { SMALL } from "./_small.ts";

const QUERY = "MKTAYIAKQRGDW";
const RESULT = tarGz([{ name: "uniref.a3m", text: `>101\n${QUERY}\n>a\nMKTAYLAKQRGDW\n>b\nMRT-YIAKQKGDW\n` }]);

/** Five residues with numbers that go back, repeat with insertion codes, and skip. */
const NUMBERED =
  ["MET X  -1 ", "LYS X  10 ", "THR X  10A", "ALA X  10B", "TYR X  14 "].map((residue, i) =>
    `ATOM  ${String(i + 1).padStart(5)}  CA  ${residue}   ${
      (3.8 * i).toFixed(3).padStart(8)
    }   0.000   0.000  1.00 10.00           C\n`
  ).join("") + "END\n";

/** In a folder and with a cache of its own, which begins with what earlier runs found out of kernels and the page they made. */
async function temporary(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const cache = Deno.env.get("DENOFOLD_CACHE");
  try {
    const own = join(folder, "cache");
    await Deno.mkdir(own);
    for (const { name } of await Array.fromAsync(Deno.readDir(cacheFolder())).catch(() => [])) {
      if (/^(kernels|tuning|predict_page)_.*\.json$/.test(name)) {
        await Deno.copyFile(join(cacheFolder(), name), join(own, name));
      }
    }
    Deno.env.set("DENOFOLD_CACHE", own);
    await Deno.writeTextFile(join(folder, "small.json"), JSON.stringify(SMALL));
    await Deno.writeTextFile(join(folder, "two.fasta"), `>one\n${QUERY}\n>two\n${QUERY.slice(1)}\n`);
    await Deno.writeTextFile(join(folder, "one.fasta"), `>one\n${QUERY}\n`);
    await Deno.writeTextFile(join(folder, "one.a3m"), `>one\n${QUERY}\n>x\n${QUERY}\n>y\nMKTAYIAKQRG--\n`);
    await run(folder);
  } finally {
    if (cache === undefined) Deno.env.delete("DENOFOLD_CACHE");
    else Deno.env.set("DENOFOLD_CACHE", cache);
    await Deno.remove(folder, { recursive: true });
  }
}

gpuTest(
  "predict asks a server for sequences without an alignment, once, and never with one",
  () =>
    temporary(async (folder) => {
      await using server = serve([ticket("COMPLETE"), archive(RESULT)]);
      const own = ["--weights", "random:1", "--config", join(folder, "small.json"), "--num-recycles", "0", "--json"];
      const predict = (out: string, ...args: string[]) =>
        denofoldInProcess("predict", ...args, ...own, "--out", join(folder, out));
      const asked = ["--msa-server", server.url];

      const given = await predict("given", join(folder, "one.fasta"), "--msa", join(folder, "one.a3m"), "--offline");
      assert.equal(given.code, 0, given.stderr);
      const beside = await predict("beside", join(folder, "one.fasta"), join(folder, "one.a3m"), ...asked);
      assert.equal(beside.code, 0, beside.stderr);
      assert.equal(server.seen.length, 0, "an alignment was given");

      const found = await predict(
        "found",
        join(folder, "one.fasta"),
        ...asked,
        "--save-attention",
        "--weights-dtype",
        "f16",
      );
      assert.equal(found.code, 0, found.stderr);
      assert.match(found.stderr, /Sequences without an alignment are sent to http/);
      assert.equal(server.seen.length, 2);
      assert.equal(server.seen[0].body.get("q"), `>101\n${QUERY}\n`);
      const files = [...Deno.readDirSync(join(folder, "found/one"))].map(({ name }) => name);
      assert.ok(files.includes("msas") && files.includes("attention_model_1_ptm_seed_0.safetensors"));
      const attention = await Deno.readFile(join(folder, "found/one/attention_model_1_ptm_seed_0.safetensors"));
      assert.deepEqual(parseSafetensors(attention, "a").tensors.get("msa")!.shape, [3, QUERY.length]);
      const { weights } = JSON.parse(found.stdout);
      assert.ok(weights.model_1_ptm.error.rms > 0 && weights.model_1_ptm.dtype === "f16");
      const config = JSON.parse(await Deno.readTextFile(join(folder, "found/one/config.json")));
      assert.equal(config.models[0].held.dtype, "f16");
      assert.match(await Deno.readTextFile(join(folder, "found/one/ranked_0.cif")), /held as f16: off by \d\.\de-\d/);

      const again = await predict("found", join(folder, "one.fasta"), ...asked, "--overwrite");
      assert.equal(again.code, 0, again.stderr);
      assert.equal(server.seen.length, 2, "what was found is kept");
    }),
);

gpuTest(
  "numbers of residues and insertion codes are those of the structure given, or begin where --first-residue says",
  () =>
    temporary(async (folder) => {
      const given = join(folder, "given.pdb");
      await Deno.writeTextFile(given, NUMBERED);
      const predict = async (out: string, ...args: string[]) => {
        const { code, stderr } = await denofoldInProcess(
          ...[
            "predict",
            ...args,
            "--weights",
            "random:1",
            "--config",
            join(folder, "small.json"),
            "--num-recycles",
            "0",
          ],
          ...["--json", "--out", join(folder, out)],
        );
        assert.equal(code, 0, stderr);
      };
      /** Chain, number and insertion code of each residue, as the columns and items of the two formats have them. */
      const residuesIn = async (target: string) => {
        const pdb = await Deno.readTextFile(join(folder, target, "ranked_0.pdb"));
        const seen = new Set(
          pdb.split("\n").filter((line) => line.startsWith("ATOM")).map((line) => line.slice(21, 27)),
        );
        const cif = await Deno.readTextFile(join(folder, target, "ranked_0.cif"));
        const [block] = parseCif(cif, "ranked_0.cif");
        const atoms = rowsOf(block, "atom_site");
        const keys = new Set(atoms.map((atom) => {
          const code = atom("pdbx_PDB_ins_code");
          return `${atom("auth_asym_id")}${atom("auth_seq_id").padStart(4)}${code.padEnd(1)}`;
        }));
        const labels = new Set(atoms.map((atom) => atom("label_seq_id")));
        assert.deepEqual([...labels], Array.from(keys, (_, i) => String(i + 1)));
        assert.deepEqual([...keys], [...seen], "PDB and ModelCIF name residues alike");
        return [...seen];
      };
      await predict("kept", given);
      assert.deepEqual(await residuesIn("kept/given"), ["X  -1 ", "X  10 ", "X  10A", "X  10B", "X  14 "]);
      await predict("moved", given, "--first-residue", "-3");
      assert.deepEqual(await residuesIn("moved/given"), ["X  -3 ", "X  -2 ", "X  -1 ", "X   0 ", "X   1 "]);
      await predict("first", join(folder, "one.fasta"), "--first-residue", "101");
      const numbers = Array.from(QUERY, (_, i) => `A ${101 + i} `);
      assert.deepEqual(await residuesIn("first/one"), numbers);
    }),
);

gpuTest(
  "a run that is killed costs the target in hand alone, and nothing half-written is taken for whole",
  () =>
    temporary(async (folder) => {
      const predict = (out: string, ...inputs: string[]) => [
        ...["predict", ...inputs.map((name) => join(folder, name)), "--weights", "random:1", "--num-recycles", "3"],
        ...["--config", join(folder, "small.json"), "--json", "--out", join(folder, out)],
      ];
      const whole = await denofoldInProcess(...predict("whole", "two.fasta"));
      assert.equal(whole.code, 0, whole.stderr);
      const start = (...args: string[]) =>
        new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", "tools/cli/main.ts", ...args],
          cwd: ROOT,
          stdin: "null",
          stdout: "null",
          stderr: "null",
        }).spawn();
      const isThere = (path: string) => Deno.stat(join(folder, path)).then(() => true, () => false);
      const filesOf = async (path: string): Promise<string[]> =>
        await isThere(path) ? [...Deno.readDirSync(join(folder, path))].map(({ name }) => name) : [];
      /** Every file under its own name is the one that a run has which nobody killed. */
      const assertWhole = async (out: string, id: string) => {
        for (const name of await filesOf(`${out}/${id}`)) {
          if (leftoverOf(name) !== undefined || /^timings|^report_data/.test(name)) continue;
          const [own, other] = [out, "whole"].map((run) => Deno.readFile(join(folder, run, id, name)));
          assert.deepEqual(await own, await other, name);
        }
      };
      const rerun = async (out: string, ...inputs: string[]) => {
        const { code, stdout, stderr } = await denofoldInProcess(...predict(out, ...inputs));
        assert.equal(code, 0, stderr);
        const { targets } = JSON.parse(stdout) as { targets: { id: string; status: string }[] };
        return Object.fromEntries(targets.map(({ id, status }) => [id, status]));
      };

      // Killed when the first target, the shorter one, is done.
      const between = start(...predict("between", "two.fasta"));
      let hasEnded = false;
      const ended = between.status.finally(() => hasEnded = true);
      while (!hasEnded && !await isThere("between/two/two.done.txt")) await new Promise((go) => setTimeout(go, 2));
      between.kill("SIGKILL");
      assert.equal((await ended).signal, "SIGKILL");
      assert.equal(await isThere("between/one/one.done.txt"), false);
      // The same when files were half written, or all but the marker.
      await Deno.mkdir(join(folder, "between/one"), { recursive: true });
      await Deno.writeTextFile(join(folder, "between/one/ranked_0.cif.0123abcd.tmp"), "data_one\n#\nloop_");
      await Deno.writeTextFile(join(folder, "between/one/report_data.json"), "{}");
      assert.deepEqual(await rerun("between", "two.fasta"), { two: "kept", one: "done" });
      assert.deepEqual(
        (await filesOf("between/one")).sort(),
        (await filesOf("whole/one")).sort(),
        "nothing is left over",
      );
      for (const id of ["one", "two"]) await assertWhole("between", id);

      // Killed while it writes.
      const writing = start(...predict("writing", "one.fasta"));
      hasEnded = false;
      const stopped = writing.status.finally(() => hasEnded = true);
      while (!hasEnded && (await filesOf("writing/one")).length === 0) await new Promise((go) => setTimeout(go, 1));
      try {
        writing.kill("SIGKILL");
      } catch {
        // it was quicker
      }
      await stopped;
      await assertWhole("writing", "one");
      const isDone = await isThere("writing/one/one.done.txt");
      assert.deepEqual(await rerun("writing", "one.fasta"), { one: isDone ? "kept" : "done" });
      await assertWhole("writing", "one");
      assert.deepEqual((await filesOf("writing/one")).sort(), (await filesOf("whole/one")).sort());

      // A marker beside data that cannot be read, as a full or failing disk can leave it.
      await Deno.truncate(join(folder, "writing/one/report_data.json"), 100);
      assert.deepEqual(await rerun("writing", "one.fasta"), { one: "done" });
    }),
);

Deno.test("a folder for results that cannot be written ends the run at once, with one line and code 1", () =>
  temporary(async (folder) => {
    await Deno.writeTextFile(join(folder, "file"), "");
    const places: [string, RegExp][] = [
      [join(folder, "file"), /^denofold: Cannot create the folder .*file: .+\n$/],
      [join(folder, "file", "below"), /^denofold: Cannot create the folder .*below: .+\n$/],
    ];
    if (Deno.build.os === "linux") {
      places.push(["/proc/self", /^denofold: Cannot write in the folder \/proc\/self: .+\n$/]);
    }
    if (Deno.build.os !== "windows" && Deno.uid() !== 0) {
      await Deno.mkdir(join(folder, "closed"), { mode: 0o500 });
      places.push([join(folder, "closed"), /^denofold: Cannot write in the folder .*closed: permission denied\n$/]);
      places.push([join(folder, "closed", "new"), /^denofold: Cannot create the folder .*new: permission denied\n$/]);
    }
    for (const [out, message] of places) {
      const { code, stdout, stderr } = await denofold(
        ...["predict", join(folder, "one.fasta"), "--weights", "random:1", "--config", join(folder, "small.json")],
        ...["--out", out],
      );
      assert.deepEqual([code, stdout], [1, ""], stderr);
      assert.match(stderr, message);
    }
  }));

gpuTest("a search that fails costs its target alone", () =>
  temporary(async (folder) => {
    const refused = () => new Response("no", { status: 404 });
    await using server = serve([ticket("COMPLETE"), archive(RESULT), refused]);
    const { code, stdout } = await denofold(
      ...["predict", join(folder, "two.fasta"), "--msa-server", server.url, "--weights", "random:1", "--json"],
      ...["--config", join(folder, "small.json"), "--num-recycles", "0", "--out", join(folder, "out")],
    );
    assert.equal(code, 1);
    const { targets } = JSON.parse(stdout);
    const [one, two] = ["one", "two"].map((name) => targets.find(({ id }: { id: string }) => id === name));
    assert.equal(one.status, "done");
    assert.equal(two.status, "failed");
    assert.match(two.reason, /^No alignment was found: /);
  }));

Deno.test("flags of searching that exclude each other are refused", async () => {
  const cases: [string[], RegExp][] = [
    [["--msa-server", "http://127.0.0.1:1", "--offline"], /--msa-server.*cannot be used with.*--offline/],
    [["--msa-server", "http://127.0.0.1:1", "--msa", "x.a3m"], /--msa-server.*cannot be used with.*--msa /],
    [["--msa-server", "nowhere"], /"nowhere" is not an address/],
    [["--msa-tool", "jackhmmer"], /--msa-tool jackhmmer needs a database: --msa-db PATH/],
    [["--msa-db", "x"], /--msa-db needs --msa-tool/],
    [["--server-mode", "pairgreedy"], /--server-mode/],
    [["--weights-dtype", "f8"], /--weights-dtype.*f32, f16, bf16/],
  ];
  for (const [flags, message] of cases) {
    const { code, stderr } = await denofold("predict", "x.fasta", "--weights", "random:1", ...flags);
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
  }
});
