import assert from "node:assert/strict";
import { join } from "node:path";
import { findOnPath } from "../../../tools/find_on_path.ts";
import { makeNpmPackage } from "../../../tools/npm_package.ts";
import config from "../../../deno.json" with { type: "json" };
import { runDeno } from "./_run.ts";

const node = findOnPath(["node"]);

Deno.test({
  name: "the bundle runs from an empty folder without packages or a network",
  sanitizeOps: false, // esbuild's service ends a moment after stop()
  sanitizeResources: false,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const [file] = await makeNpmPackage(folder);
      assert.equal(file, join(folder, "denofold.js"));
      const env = { DENO_DIR: join(folder, "deno"), DENOFOLD_CACHE: join(folder, "cache") };
      const offline = ["run", "-A", "--no-config", "--no-remote", "--no-npm", "--cached-only", "denofold.js"];
      const doctor = await runDeno([...offline, "doctor", "--json"], { cwd: folder, env });
      assert.equal(doctor.code, 0, doctor.stderr);
      const findings = JSON.parse(doctor.stdout);
      assert.equal(findings.selfTest.ok, true);
      assert.equal(findings.versions.denofold, config.version);
      for (const command of ["train", "predict-distances", "mds", "prep", "inspect", "check-data"]) {
        const help = await runDeno([...offline, command, "--help"], { cwd: folder, env });
        assert.equal(help.code, 0, help.stderr);
        assert.match(help.stdout, new RegExp(`^Usage: denofold ${command} `));
      }
      if (node !== undefined) { // the program as npm starts it, with the tests' Deno in place of npm's
        const deno = join(folder, "node_modules", "deno");
        await Deno.mkdir(deno, { recursive: true });
        const found = `exports.runInstall = () => ${JSON.stringify(Deno.execPath())};\n`;
        await Deno.writeTextFile(join(deno, "install_api.cjs"), found);
        const launched = (...args: string[]) =>
          new Deno.Command(node, { args: [join(folder, "denofold.cjs"), ...args], cwd: folder, env }).output();
        assert.equal(new TextDecoder().decode((await launched("--version")).stdout).trim(), config.version);
        assert.equal((await launched("inspect", "none.pdb")).code, 1);
      }
      await Deno.writeTextFile(join(folder, "two.fasta"), ">a\nACDEF\n>b\nGHIKL\n");
      const prep = await runDeno([...offline, "prep", "two.fasta", "--jobs", "2", "--out", "features", "--json"], {
        cwd: folder,
        env,
      });
      assert.equal(prep.code, 0, prep.stderr);
      assert.equal(JSON.parse(prep.stdout).prepared, 2, "workers start from the bundle");
      const demo = await runDeno([...offline, "train", "--demo", "--num-steps", "2", "--out", "out"], {
        cwd: folder,
        env,
      });
      assert.equal(demo.code, 0, demo.stderr);
      assert.match(demo.stdout, /^Step\s+1\/2 \| Loss: /m);
      assert.match(await Deno.readTextFile(join(folder, "out", "1znf.cif")), /_atom_site/);
      assert.match(await Deno.readTextFile(join(folder, "out", "report.html")), /1znf/);
      assert.ok((await Deno.stat(join(folder, "out", "checkpoint.safetensors"))).size > 1_000_000);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
