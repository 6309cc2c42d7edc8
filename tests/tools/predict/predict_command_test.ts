import assert from "node:assert/strict";
import { join } from "node:path";
import { parseSafetensors } from "../../../model/weights/safetensors.ts";
import { denofold } from "../cli/_run.ts";
import { denofoldInProcess } from "../fold/_in_process.ts";
import { archive, serve, tarGz, ticket } from "../search/_msa_server.ts";
import { gpuTest } from "../../_gpu.ts";
import { SMALL } from "./_small.ts";

const QUERY = "MKTAYIAKQRGDW";
const RESULT = tarGz([{ name: "uniref.a3m", text: `>101\n${QUERY}\n>a\nMKTAYLAKQRGDW\n>b\nMRT-YIAKQKGDW\n` }]);

async function temporary(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const cache = Deno.env.get("DENOFOLD_CACHE");
  try {
    Deno.env.set("DENOFOLD_CACHE", join(folder, "cache"));
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
