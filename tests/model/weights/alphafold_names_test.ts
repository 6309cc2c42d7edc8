import assert from "node:assert/strict";
import {
  alphafoldArrays,
  type AlphafoldNaming,
  arrayOf,
  namingOfParameters,
  parameterOf,
  parameterShape,
} from "../../../model/weights/alphafold_names.ts";
import { currentOpenfoldName } from "../../../model/weights/openfold_names.ts";
import { openfoldWeights } from "../../../model/weights/openfold_weights.ts";
import { alphafoldEntries } from "../../../model/weights/to_alphafold.ts";
import type { WeightEntry, WeightFile } from "../../../model/weights/weight_file.ts";
import { golden, needing } from "../../_needs.ts";

function entry(name: string, shape: readonly number[], data?: Float32Array): WeightEntry {
  const size = shape.reduce((product, n) => product * n, 1);
  const numbers = data ?? Float32Array.from({ length: size }, (_, i) => i + name.length / 100);
  return {
    name,
    dtype: "F32",
    shape,
    read(rows) {
      if (!rows) return Promise.resolve({ dtype: "F32", shape, data: numbers });
      const width = size / shape[0];
      return Promise.resolve({
        dtype: "F32",
        shape: [rows.to - rows.from, ...shape.slice(1)],
        data: numbers.slice(rows.from * width, rows.to * width),
      });
    },
  };
}

function fileOf(entries: readonly WeightEntry[]): WeightFile {
  return { source: "f", format: "npz", entries: new Map(entries.map((e) => [e.name, e])), metadata: {} };
}

const PATH = "alphafold/alphafold_iteration/evoformer/evoformer_iteration";

Deno.test("every array has a name and a parameter of its own", () => {
  for (const naming of ["monomer", "multimer", "multimer v3"] satisfies AlphafoldNaming[]) {
    const arrays = alphafoldArrays(naming);
    assert.equal(new Set(arrays.map(({ name }) => name)).size, arrays.length);
    assert.equal(new Set(arrays.map(({ parameter }) => parameter)).size, arrays.length);
  }
});

Deno.test("a stack of attention weights [blocks, in, heads, channels] becomes [out, in] matrices and comes back to the bit", async () => {
  // w[block, i, h, c] = 1000 block + 100 i + 10 h + c, 2 blocks, 3 in, 2 heads, 4 channels
  const numbers: number[] = [];
  for (let b = 0; b < 2; b++) {
    for (let i = 0; i < 3; i++) {
      for (let h = 0; h < 2; h++) for (let c = 0; c < 4; c++) numbers.push(1000 * b + 100 * i + 10 * h + c);
    }
  }
  const file = fileOf([
    entry(`${PATH}/msa_row_attention_with_pair_bias/attention//query_w`, [2, 3, 2, 4], Float32Array.from(numbers)),
    entry(`${PATH}/msa_row_attention_with_pair_bias/attention//output_w`, [2, 2, 4, 5]),
    entry(`${PATH}/msa_row_attention_with_pair_bias/attention//gating_b`, [2, 2, 4]),
    entry(`${PATH}/msa_row_attention_with_pair_bias//feat_2d_weights`, [2, 7, 2]),
    entry(`${PATH}/outer_product_mean//output_w`, [2, 3, 3, 6]),
    entry(`${PATH}/outer_product_mean/left_projection//weights`, [2, 8, 3]),
  ]);
  const weights = openfoldWeights(file);
  assert.equal(weights.naming, "alphafold");
  const q = weights.entries.get("evoformer.blocks.1.msa_att_row.mha.linear_q.weight")!;
  assert.deepEqual([...q.shape], [8, 3]);
  const { data } = await q.read();
  for (let out = 0; out < 8; out++) {
    for (let i = 0; i < 3; i++) assert.equal(data[out * 3 + i], 1000 + 100 * i + 10 * Math.floor(out / 4) + out % 4);
  }
  assert.deepEqual((await q.read({ from: 2, to: 4 })).data, data.slice(6, 12));
  const back = alphafoldEntries(weights.entries);
  assert.deepEqual(back.map(({ name }) => name).sort(), [...file.entries.keys()].sort());
  for (const array of back) {
    const original = file.entries.get(array.name)!;
    assert.deepEqual([...array.shape], [...original.shape], array.name);
    assert.deepEqual((await array.read()).data, (await original.read()).data, array.name);
    assert.deepEqual((await array.read({ from: 1, to: 2 })).data, (await original.read({ from: 1, to: 2 })).data);
  }
});

Deno.test("the edges of triangle multiplication change places in the incoming form alone", () => {
  const of = (name: string) => arrayOf(`evoformer.blocks.0.pair_stack.${name}.weight`)!.array.name;
  assert.match(of("tri_mul_out.linear_a_p"), /outgoing\/left_projection\/\/weights$/);
  assert.match(of("tri_mul_in.linear_a_p"), /incoming\/right_projection\/\/weights$/);
  assert.match(of("tri_mul_in.linear_b_g"), /incoming\/left_gate\/\/weights$/);
});

Deno.test("alphafoldEntries() names what has no place, what is missing and what does not divide", () => {
  const of = (...entries: WeightEntry[]) => () => alphafoldEntries(new Map(entries.map((e) => [e.name, e])));
  const q = (n: number, rows = 8) => entry(`evoformer.blocks.${n}.msa_att_row.mha.linear_q.weight`, [rows, 3]);
  const bias = (n: number, heads = 2) => entry(`evoformer.blocks.${n}.msa_att_row.linear_z.weight`, [heads, 7]);
  assert.throws(of(entry("head.linear.weight", [1, 2])), /no place for the parameter head\.linear\.weight \[1,2\]/);
  assert.throws(of(q(1), bias(1)), /blocks\.0\..*is missing, though later blocks have theirs/);
  assert.throws(of(q(0)), /how many heads .* is told by .*linear_z\.weight, which is missing/i);
  assert.throws(of(q(0), bias(0, 3)), /8 channels .* do not divide into 3 heads/);
  assert.throws(of(q(0), q(1, 4), bias(0), bias(1)), /blocks\.1\..* is F32 \[4,3\], that of block 0 F32 \[8,3\]/);
});

Deno.test("openfoldWeights() tells arrays that no network has, and parameters that come twice", () => {
  const weights = openfoldWeights(fileOf([entry("alphafold/alphafold_iteration/other//weights", [2, 2])]));
  assert.deepEqual(weights.unknown, ["alphafold/alphafold_iteration/other//weights"]);
  const name = "evoformer.blocks.0.core.msa_transition.linear_1.bias";
  assert.throws(
    () => openfoldWeights(fileOf([entry(name, [4]), entry(currentOpenfoldName(name), [4])])),
    /has the parameter evoformer\.blocks\.0\.msa_transition\.linear_1\.bias twice/,
  );
});

for (
  const [folder, preset] of [
    [golden("openfold/inventory"), "model_1_ptm"],
    [golden("openfold/inventory"), "model_3"],
    [golden("multimer/inventory"), "model_1_multimer_v3"],
  ] as const
) {
  Deno.test(needing(folder, {
    name: `the inventory of ${preset}: every name and shape, in all three namings`,
    fn() {
      const inventory = JSON.parse(Deno.readTextFileSync(`${folder.path}/${preset}.json`));
      for (const [old, current] of Object.entries(inventory.openfold_v1_rename ?? {})) {
        assert.equal(currentOpenfoldName(old), current);
      }
      const parameters: string[] = Object.keys(inventory.openfold);
      for (const name of parameters) assert.equal(currentOpenfoldName(name), name);
      const naming = namingOfParameters(parameters);
      const blocks = new Map<string, string[]>();
      for (const name of parameters) {
        const { array, block } = arrayOf(name, naming)!;
        assert.equal(parameterOf(array, block), name);
        blocks.set(array.name, Object.assign(blocks.get(array.name) ?? [], { [block]: name }));
      }
      assert.equal(blocks.size, inventory.alphafold.length);
      for (const { npz, shape, stacked, of_shape, of } of inventory.alphafold) {
        const names = blocks.get(npz)!;
        assert.equal(names[0], Array.isArray(of) ? of[0] : of.first);
        const { array } = arrayOf(names[0], naming)!;
        assert.equal(array.stacked, stacked);
        assert.deepEqual(parameterShape(array.layout, stacked ? shape.slice(1) : shape), of_shape);
        if (stacked) assert.equal(names.length, shape[0]);
      }
    },
  }));
}
