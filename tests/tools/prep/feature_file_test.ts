import assert from "node:assert/strict";
import { FEATURE_AXES } from "../../../tools/data/features/window.ts";
import { parseSafetensors } from "../../../model/weights/safetensors.ts";
import {
  encodeFeatureFile,
  FEATURE_TYPES,
  FEATURE_VERSION,
  parseFeatureFile,
} from "../../../tools/prep/feature_file.ts";
import { prepareTarget } from "../../../tools/prep/prepare_target.ts";
import { FINGERS } from "./_inputs.ts";

const finger = () => prepareTarget({ id: "1znf", structure: `${FINGERS}/1znf.cif` });
const bare = () => prepareTarget({ id: "bare", sequence: "MKTAYIAKQR" });

Deno.test("types of feature files follow from the keys, not from the numbers", async () => {
  for (const target of [await finger(), await bare()]) {
    const { tensors } = parseSafetensors(encodeFeatureFile(target), "x");
    for (const [name, { dtype }] of tensors) assert.equal(dtype, FEATURE_TYPES[name], name);
    assert.deepEqual(
      ["residue_index", "msa", "template_aatype", "hhblits_profile", "seq_mask"].map((name) =>
        tensors.get(name)?.dtype
      ),
      ["I32", "I8", "I32", "F32", "F32"],
    );
  }
  const target = await finger();
  const far = Int32Array.from(target.features.deletion_matrix_int, (_, i) => i === 3 ? 40_000 : 0);
  assert.throws(
    () => encodeFeatureFile({ ...target, features: { ...target.features, deletion_matrix_int: far } }),
    /Cannot write the features of 1znf: deletion_matrix_int has 40000, more than its type I16 holds/,
  );
  const deep = Int32Array.from(far, (n) => Math.min(n, 32_767));
  const bytes = encodeFeatureFile({ ...target, features: { ...target.features, deletion_matrix_int: deep } });
  assert.deepEqual(parseFeatureFile(bytes, "x").features.deletion_matrix_int, deep);
});

Deno.test("docs/files.md lists every feature with its type and shape", async () => {
  const page = await Deno.readTextFile(new URL("../../../docs/files.md", import.meta.url));
  const rows = [...page.matchAll(/^\| `(\w+)` \| (float32|int8|int16|int32) \| \[(.*)\] \|$/gm)];
  const types = { F32: "float32", I8: "int8", I16: "int16", I32: "int32" };
  const axes: Record<string, string> = { residues: "N_res", sequences: "N_seq", templates: "N_templ" };
  assert.deepEqual(
    rows.map(([, name, type, shape]) => [name, type, shape]),
    Object.entries(FEATURE_TYPES).map(([name, type]) => {
      return [name, types[type], FEATURE_AXES[name].map((axis) => axes[axis] ?? axis).join(", ")];
    }),
  );
  assert.ok(page.includes(`\`version\` (${FEATURE_VERSION};`));
});
