import { Command, Option } from "commander";
import assert from "node:assert/strict";
import { join } from "node:path";
import { applyRecipe, recipeText } from "../../../tools/cli/_recipe.ts";
import { nonNegativeInteger, positiveNumber } from "../../../tools/cli/_shared.ts";

const NAMES = { aliases: { "ema-decay": "ema" }, without: ["config"] };

function command(...args: string[]): Command {
  return new Command().exitOverride()
    .option("--config <file>")
    .option("--epochs <n>", "", nonNegativeInteger, 20)
    .option("--ema <x>", "", positiveNumber)
    .option("--unit <text>", "", "")
    .option("--structures <paths...>")
    .option("--lora-targets <names>", "", (text: string) => text.split(","))
    .addOption(new Option("--loss <name>").choices(["mse", "mae"]).default("mse"))
    .option("--dora")
    .addOption(new Option("--amp [type]").choices(["f16", "bf16"]).preset("f16"))
    .option("--cache <dir>")
    .option("--no-cache")
    .parse(args, { from: "user" });
}

async function inFile<T>(text: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "recipe.yaml");
    await Deno.writeTextFile(path, text);
    return await use(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a recipe sets what the command line does not, in YAML or JSON, and what is saved means the same", async () => {
  const yaml = "# for us\nepochs: 3\nema_decay: 0.9\nstructures: [a, b]\nlora-targets:\n  - linear_{q,v}\ndora: true\n";
  const expected = {
    ...{ epochs: 5, ema: 0.9, unit: "", structures: ["a", "b"], loraTargets: ["linear_{q", "v}"], loss: "mse" },
    dora: true,
  };
  const given = command("--epochs", "5");
  await inFile(yaml, (path) => applyRecipe(given, path, NAMES));
  assert.deepEqual({ ...given.opts() }, expected);
  const again = command();
  await inFile(recipeText(given, NAMES), (path) => applyRecipe(again, path, NAMES));
  assert.deepEqual({ ...again.opts() }, expected);
  const json = command();
  await inFile('{\n  "structures": "a",\n  "loss": "mae"\n}', (path) => applyRecipe(json, path, NAMES));
  assert.deepEqual([json.opts().structures, json.opts().loss], [["a"], "mae"]);
  for (const [args, cache] of [[["--no-cache"], false], [["--cache", "here"], "here"]] as const) {
    const same = command();
    await inFile(recipeText(command(...args), NAMES), (path) => applyRecipe(same, path, NAMES));
    assert.equal(same.opts().cache, cache);
  }
  for (const [text, amp] of [["amp: true", "f16"], ["amp: bf16", "bf16"], ["amp: false", undefined]] as const) {
    const same = command();
    await inFile(text, (path) => applyRecipe(same, path, NAMES));
    assert.equal(same.opts().amp, amp);
  }
  const empty = command();
  await inFile("# nothing\n", (path) => applyRecipe(empty, path, NAMES));
  assert.equal(empty.opts().epochs, 20);
});

Deno.test("a recipe's mistakes are told with file, line and near names", async () => {
  for (
    const [text, message] of [
      ["unit: x\nepoch: 3\n", /recipe\.yaml line 2: there is no key epoch; near: epochs/],
      ["epochs: many\n", /line 1: epochs is "many", expected a whole number, zero or more/],
      ['epochs: "3"\n', /line 1: epochs is "3", expected a number, without quotes/],
      ["epochs:\n", /line 1: epochs is null, expected a whole number/],
      ["ema: -1\n", /ema is -1, expected a number above zero/],
      ["\nunit: 3\n", /line 2: unit is 3, expected text, in quotes/],
      ["dora: 1\n", /dora is 1, expected true or false/],
      ["loss: msa\n", /loss is "msa", expected one of mse, mae/],
      ["amp: f32\n", /amp is "f32", expected one of f16, bf16/],
      ["structures: [1]\n", /structures is \[1\], expected text, or a list of texts/],
      ["lora-targets: {a: 1}\n", /lora-targets is \{"a":1\}, expected text, or a list/],
      ["config: other.yaml\n", /config is no part of a recipe, give --config/],
      ["epochs: 1\nepochs: 2\n", /line 2: Map keys must be unique/],
      ["epochs: [1\n", /line \d: /],
      ["- epochs\n", /line 1: expected keys with values/],
    ] as const
  ) {
    await inFile(text, async (path) => {
      await assert.rejects(() => applyRecipe(command(), path, NAMES), { name: "InputError", message }, text);
    });
  }
});
