import { Command } from "commander";
import assert from "node:assert/strict";
import { register as registerFinetune } from "../../../tools/cli/finetune.ts";
import { register as registerTrain } from "../../../tools/cli/train.ts";

/** The flags that a command reads from arguments, without running it. */
function read(register: (program: Command) => void, args: readonly string[]): Record<string, unknown> {
  const program = new Command();
  register(program);
  const [command] = program.commands;
  command.parseOptions([...args]);
  return command.opts();
}

Deno.test("what train and finetune both have goes by the names of either", () => {
  for (
    const [ours, theirs, value, key, keyOfTrain] of [
      ["--lr", "--learning-rate", 0.5, "lr", "learningRate"],
      ["--grad-clip", "--max-norm", 2, "gradClip", "maxNorm"],
      ["--warmup", "--lr-warmup-steps", 7, "warmup", "lrWarmupSteps"],
      ["--accum", "--accumulate", 3, "accum", "accumulate"],
      ["--batch-size", "--batch", 4, "batchSize", "batchSize"],
    ] as const
  ) {
    for (const name of [ours, theirs]) {
      assert.equal(read(registerFinetune, [name, `${value}`])[key], value, `finetune ${name}`);
      assert.equal(read(registerTrain, [name, `${value}`])[keyOfTrain], value, `train ${name}`);
    }
  }
  assert.equal(read(registerFinetune, ["--amp"]).amp, "f16");
  assert.equal(read(registerFinetune, ["--amp", "bf16"]).amp, "bf16");
  assert.equal(read(registerFinetune, []).standardize, undefined);
  assert.equal(read(registerFinetune, ["--no-standardize"]).standardize, false);
});
