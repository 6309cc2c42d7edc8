import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  ALPHAFOLD_PRESETS,
  type AlphaFoldConfig,
  alphafoldConfig,
  alphafoldParameterCount,
  type AlphaFoldPreset,
  alphafoldShapes,
  type MonomerPreset,
  MULTIMER_PRESETS,
} from "../../../model/alphafold/mod.ts";
import { shapesByPath } from "../../../model/layers/params.ts";
import { camelCase, snakeCase } from "../../../model/weights/names.ts";

const INVENTORY = fileURLToPath(new URL("../../../../shared/oracle/openfold/inventory", import.meta.url));

const COUNTS: Readonly<Record<MonomerPreset, number>> = {
  model_1: 93_229_082,
  model_2: 93_229_082,
  model_3: 92_899_674,
  model_4: 92_899_674,
  model_5: 92_899_674,
  model_1_ptm: 93_237_338,
  model_2_ptm: 93_237_338,
  model_3_ptm: 92_907_930,
  model_4_ptm: 92_907_930,
  model_5_ptm: 92_907_930,
};

Deno.test("the published models have their numbers of parameters", () => {
  assert.deepEqual(
    Object.fromEntries(ALPHAFOLD_PRESETS.map((name) => [name, alphafoldParameterCount(alphafoldConfig(name))])),
    COUNTS,
  );
});

Deno.test("the published models for complexes have their numbers of parameters and of rows", () => {
  const rowsOf = ({ data }: AlphaFoldConfig) => [data.maxMsaClusters, data.maxExtraMsa, data.maxTemplates];
  for (const name of MULTIMER_PRESETS) {
    const config = alphafoldConfig(name);
    assert.equal(alphafoldParameterCount(config), 93_223_705, name);
    const expected = !name.endsWith("_v3") ? [256, 1152, 4] : /_[45]_/.test(name) ? [512, 1152, 4] : [512, 2048, 4];
    assert.deepEqual(rowsOf(config), expected, name);
    assert.equal(config.evoformer.fusedTriangles, name.endsWith("_v3"), name);
    assert.deepEqual([config.recycling.maxRecycles, config.recycling.tolerance], [20, 0.5]);
  }
  assert.equal(MULTIMER_PRESETS.length, 15);
});

const namesOf = (preset: AlphaFoldPreset) =>
  new Map(
    [...shapesByPath(alphafoldShapes(alphafoldConfig(preset)))].map(([path, shape]) => [snakeCase(path), [...shape]]),
  );

for (const preset of ["model_1_ptm", "model_3"] as const) {
  Deno.test(`names and shapes of ${preset} are OpenFold's`, async () => {
    const path = `${INVENTORY}/${preset}.json`;
    if (!await Deno.stat(path).then(() => true, () => false)) return console.log(`skipped: there is no ${path}`);
    const { openfold, total_parameters } = JSON.parse(await Deno.readTextFile(path));
    assert.deepEqual(Object.fromEntries(namesOf(preset)), openfold);
    assert.equal(COUNTS[preset], total_parameters);
  });
}

Deno.test("models with pTM have one head more, those with templates their embedder; paths and names undo each other", () => {
  const without = (names: Map<string, unknown>, prefix: string) =>
    [...names.keys()].filter((name) => !name.startsWith(prefix));
  assert.deepEqual(without(namesOf("model_1_ptm"), "aux_heads.tm."), [...namesOf("model_1").keys()]);
  assert.deepEqual(without(namesOf("model_3_ptm"), "aux_heads.tm."), [...namesOf("model_3").keys()]);
  assert.deepEqual(without(namesOf("model_1"), "template_embedder."), [...namesOf("model_3").keys()]);
  for (const path of shapesByPath(alphafoldShapes(alphafoldConfig("model_1_ptm"))).keys()) {
    assert.equal(camelCase(snakeCase(path)), path);
  }
});

Deno.test("presets give the published numbers of rows, templates and recycles", () => {
  const facts = (name: AlphaFoldPreset) => {
    const { data, recycling, templates, heads } = alphafoldConfig(name);
    return [data.maxMsaClusters, data.maxExtraMsa, data.maxTemplates, recycling.maxRecycles, !!templates, heads.tm];
  };
  assert.deepEqual(facts("model_1"), [512, 5120, 4, 3, true, false]);
  assert.deepEqual(facts("model_2_ptm"), [512, 1024, 4, 3, true, true]);
  assert.deepEqual(facts("model_4"), [512, 5120, 0, 3, false, false]);
  assert.deepEqual(facts("model_5_ptm"), [512, 1024, 0, 3, false, true]);
});

Deno.test("sizes that parts share are given once, and choices reach their part", () => {
  const config = alphafoldConfig("model_1", {
    ...{ cM: 8, cZ: 4, cS: 6, cExtra: 5, maskTrans: true },
    evoformer: { nBlock: 3 },
    extraMsa: { nBlock: 2 },
    templates: { cT: 7 },
    recycling: { tolerance: 0.5 },
    data: { maxExtraMsa: 16 },
  });
  assert.deepEqual([config.evoformer.cM, config.evoformer.nBlock, config.extraMsa?.cM, config.extraMsa?.nBlock], [
    8,
    3,
    5,
    2,
  ]);
  assert.deepEqual([config.structure.cS, config.heads.cM, config.evoformer.maskTrans], [6, 8, true]);
  assert.deepEqual([config.templates?.cT, config.recycling.tolerance, config.data.maxExtraMsa], [7, 0.5, 16]);
});

Deno.test("a configuration that cannot be is refused with its number", () => {
  assert.throws(() => alphafoldConfig("model_6" as AlphaFoldPreset), /no preset model_6: expected one of model_1, /);
  assert.throws(() => alphafoldConfig("model_1", { cM: 0 }), /cM must be a positive integer, got 0/);
  assert.throws(
    () => alphafoldConfig("model_1", { templates: { cT: 1.5 } }),
    /templates' cT must be a positive integer/,
  );
  assert.throws(
    () => alphafoldConfig("model_1", { templates: { dropout: 1 } }),
    /dropout must be at least 0 and below 1/,
  );
  assert.throws(() => alphafoldConfig("model_1", { recycling: { tolerance: -1 } }), /tolerance must be 0 Å or more/);
  assert.throws(
    () => alphafoldConfig("model_1", { recycling: { maxRecycles: 2.5 } }),
    /maxRecycles must be 0 or a positive/,
  );
  assert.throws(() => alphafoldConfig("model_1", { recycling: { minBin: 5, maxBin: 4 } }), /0 <= minBin < maxBin/);
});
