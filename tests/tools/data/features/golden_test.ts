import assert from "node:assert/strict";
import { join } from "node:path";
import type { Device } from "../../../../core/mod.ts";
import { makeTemplates } from "../../../../tools/data/features/templates.ts";
import { parseHhr } from "../../../../tools/data/hhr.ts";
import { parseMmcif } from "../../../../tools/data/mmcif.ts";
import { OPENFOLD_DATA } from "../../../../tools/oracle/cases/openfold_data.ts";
import { compare } from "../../../../tools/oracle/compare.ts";
import { familyOf } from "../../../../tools/oracle/family.ts";
import { GOLDEN, readGolden } from "./_golden.ts";
import { needing } from "../../../_needs.ts";

/** Stands for the adapter, which features do not touch. */
const NO_DEVICE = new Proxy({} as Device, {
  get: (_, key) => assert.fail(`features used the device's ${String(key)}`),
});

const CASES = [
  "data/make_msa_features",
  "data/mmcif_3u8v_A",
  "data/mmcif_4zey_A",
  "data/msa_feat",
  "data/parsed_bfd_uniclust_hits.a3m",
  "data/parsed_mgnify_hits.sto",
  "data/parsed_pdb70_hits.hhr",
  "data/parsed_uniref90_hits.sto",
  "data/template_transforms",
];

for (const name of CASES) {
  Deno.test(needing(GOLDEN, {
    name: `features equal OpenFold's: ${name}`,
    async fn() {
      const golden = readGolden(join(GOLDEN.path, name));
      const family = familyOf(golden, OPENFOLD_DATA);
      assert(family, "no family covers it");
      const results = await family.run(NO_DEVICE, golden);
      const comparisons = family.special?.(golden, results) ?? [];
      const done = new Set(comparisons.map(({ tensor }) => tensor));
      for (const tensor of golden.results.filter((tensor) => !done.has(tensor))) {
        comparisons.push(compare(tensor, results.get(tensor), golden.data(tensor), golden.tolerance(tensor)));
      }
      assert(comparisons.length > 0);
      for (const { tensor, worst, detail } of comparisons) assert(worst <= 1, `${tensor}: ${detail}`);
    },
  }));
}

Deno.test(needing(GOLDEN, {
  name: "makeTemplates() lays hits along the query as OpenFold's pipeline did, and says which structures are missing",
  async fn() {
    const golden = readGolden(join(GOLDEN.path, "data/template_transforms"));
    const query = JSON.parse(Deno.readTextFileSync(join(GOLDEN.path, "data/make_msa_features.json"))).query;
    const file = (name: string) => join(GOLDEN.path, "data/files", name);
    const { hits } = parseHhr(await Deno.readTextFile(file("pdb70_hits.hhr")), "pdb70_hits.hhr");
    const there = ["3u8v", "4zey"];
    const find = async (id: string) =>
      there.includes(id) ? await parseMmcif(await Deno.readTextFile(file(`${id}.cif`)), `${id}.cif`) : undefined;
    const { templates, warnings } = await makeTemplates(query, hits, find);
    assert.deepEqual(templates.template_domain_names, ["3u8v_A", "4zey_A"]);
    assert.deepEqual(Array.from(templates.template_sum_probs, (x) => x.toFixed(1)), ["15.8", "10.8"]);
    assert.equal(warnings.length, 8); // of ten hits
    assert.match(warnings[0], /^Template 1 "1HF9_B" cannot be used: there is no structure of it$/);
    // The pipeline had all four best structures: 3u8v, 1hf9, 2crb, 4zey.
    const pairs = [["template_all_atom_positions", 37 * 3], ["template_all_atom_mask", 37]] as const;
    for (const [ours, theirs] of [[0, 0], [1, 3]]) {
      for (const [name, width] of pairs) {
        const size = query.length * width;
        assert.deepEqual(
          templates[name].slice(ours * size, (ours + 1) * size),
          golden.data(`in/${name}`).slice(theirs * size, (theirs + 1) * size),
        );
      }
      const types = golden.data("out/template_aatype").slice(theirs * query.length, (theirs + 1) * query.length);
      const own = templates.template_aatype.slice(ours * query.length, (ours + 1) * query.length);
      assert.deepEqual(own, Int32Array.from(types));
    }
    await assert.rejects(
      () => Promise.resolve(makeTemplates(query, hits, find, { strict: true })),
      /no structure of it/,
    );
    const early = await makeTemplates(query, hits, find, { releasedBefore: "2012-01-01" });
    assert.deepEqual(early.templates.template_domain_names, ["3u8v_A"]);
  },
}));
