import assert from "node:assert/strict";
import { join } from "node:path";
import { shippedModel } from "../../../tools/predict/shipped_model.ts";
import { MODEL_FILE, readTrained } from "../../../tools/predict/trained_model.ts";
import { sha256OfFile } from "../../../tools/weights/download.ts";
import { CARD_FILE } from "../../../tools/weights/pack.ts";
import { gpuTest } from "../../_gpu.ts";
import { denofold } from "../cli/_run.ts";

const FOLDER = (await shippedModel())!;
const CARD = await Deno.readTextFile(join(FOLDER, CARD_FILE));

Deno.test("the shipped network is as small as it has to be, and its card tells its file's size and hash", async () => {
  const path = join(FOLDER, MODEL_FILE), { size } = await Deno.stat(path);
  const { params, config, packed } = (await readTrained(path))!;
  const parameters = params.values().reduce((sum, { data }) => sum + data.length, 0);
  assert(size <= 3e6 && parameters <= 1.5e6 && config.evoformer.nBlock <= 8, `${size} bytes, ${parameters} parameters`);
  assert(CARD.includes(`| \`${MODEL_FILE}\` | ${size.toLocaleString("en-US")} | \`${await sha256OfFile(path)}\` |`));
  for (const text of [packed!.name, packed!.notice, `${parameters.toLocaleString("en-US")} parameters`]) {
    assert(CARD.includes(text), text);
  }
});

gpuTest(
  "predict --demo folds two proteins that the shipped network has not learnt from, as its card says",
  async () => {
    const folder = await Deno.makeTempDir();
    const { code, stdout, stderr } = await denofold("predict", "--demo", "--out", folder);
    assert.equal(code, 0, stderr);
    const { notice } = (await readTrained(FOLDER))!.packed!;
    const seen = [
      stderr,
      ...await Promise.all(
        ["1znf/ranked_0.pdb", "1znf/ranked_0.cif", "d1yeb__/config.json", "report.html"].map((name) =>
          Deno.readTextFile(join(folder, name))
        ),
      ),
    ];
    for (const text of seen) {
      const flowing = text.replace(/\s*\n(REMARK +1|#)?/g, " ").replace(/ +/g, " ");
      assert(flowing.includes(notice), flowing.slice(0, 2000));
    }
    for (const id of ["1znf", "d1yeb__"]) {
      const [lddt, predicted] = [1, 8].map((column) => {
        const row = CARD.split("\n").find((line) => line.startsWith(`| **${id}**`))!;
        return Number(row.split("|")[column + 1]);
      });
      const line = new RegExp(`^${id} beside its experimental structure: lDDT-CA (\\S+) \\(predicted (\\S+)\\)`, "m");
      const [, ours, oursPredicted] = line.exec(stdout)!.map(Number);
      assert(Math.abs(ours - lddt) < 0.03 && Math.abs(oursPredicted - predicted) < 0.03, `${id}: ${ours}, ${lddt}`);
    }
    await Deno.remove(folder, { recursive: true });
  },
);
