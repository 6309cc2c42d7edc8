import assert from "node:assert/strict";
import { InputError, UsageError } from "../../../tools/errors.ts";
import { checkFlags, resolveSettings, type TrainFlags } from "../../../tools/train/options.ts";
import {
  DEFAULT_MODEL,
  DEFAULT_TRAINING,
  DEMO_MODEL,
  DEMO_TRAINING,
  NNX_MODEL,
  NNX_TRAINING,
  type TrainSettings,
} from "../../../tools/train/settings.ts";
import { toySettings } from "./_toy.ts";

function heldOut({ data }: TrainSettings): readonly string[] | undefined {
  return data.kind === "structures" ? data.holdOut : undefined;
}

/** What stands in settings where no list is given. */
const NO_CHOICE = { list: null, validation: null, skipBad: false };

Deno.test("flags go over the run that is gone on from, that over the demo, that over the defaults", () => {
  assert.deepEqual(resolveSettings({ synthetic: true }, {}), {
    ...{ model: DEFAULT_MODEL, training: DEFAULT_TRAINING, data: { kind: "synthetic" } },
  });
  const demo = resolveSettings({ demo: true, numSteps: 7, holdOut: ["1sp1", "1ard"] }, { examples: "/ex" });
  assert.deepEqual(demo.model, DEMO_MODEL);
  assert.deepEqual(demo.training, { ...DEMO_TRAINING, numSteps: 7 });
  assert.deepEqual(demo.data, {
    kind: "structures",
    structures: ["/ex/zinc_fingers"],
    msa: "/ex/zinc_fingers/zinc_fingers.a3m",
    holdOut: ["1sp1", "1ard"],
    ...NO_CHOICE,
  });
  assert.deepEqual(heldOut(resolveSettings({ demo: true }, { examples: "/ex" })), ["1znf"]);
  assert.deepEqual(heldOut(resolveSettings({ demo: true, leaveOneOut: true }, { examples: "/ex" })), []);
  const toy = toySettings(), saved = { ...toy, data: { ...toy.data, ...NO_CHOICE } };
  assert.deepEqual(resolveSettings({ resume: "run" }, { saved }), saved);
  const more = resolveSettings({ resume: "run", numSteps: 99, learningRate: 1e-5, msaDim: 8 }, { saved });
  assert.deepEqual(more, { ...saved, training: { ...saved.training, numSteps: 99, learningRate: 1e-5 } });
});

Deno.test("the notebook's network has settings of its own", () => {
  const settings = resolveSettings({ model: "nnx", numSteps: 8, ema: 0.9 }, {});
  const training = { ...NNX_TRAINING, numSteps: 8, ema: 0.9 };
  assert.deepEqual(settings, { model: NNX_MODEL, training, data: { kind: "synthetic" } });
  assert.deepEqual(resolveSettings({ resume: "run", model: "nnx" }, { saved: settings }), settings);
  assert.throws(() => resolveSettings({ resume: "run", weightDecay: 0.1 }, { saved: settings }), UsageError);
  assert.throws(() => resolveSettings({ resume: "run", model: "tiny" }, { saved: settings }), (error) => {
    assert.ok(error instanceof InputError);
    assert.equal(error.message, "Cannot resume from run with --model tiny: the run is one of nnx-evoformer");
    return true;
  });
});

Deno.test("what a run was started with cannot be changed when it goes on", () => {
  const saved = toySettings();
  const changed: [TrainFlags, RegExp][] = [
    [{ msaDim: 16 }, /^Cannot resume from run with --msa-dim 16: the run was started with --msa-dim 8$/],
    [{ seqLen: 32 }, /--seq-len 32: the run was started with --seq-len 64$/],
    [{ seed: 1 }, /--seed 1: the run was started with --seed 42$/],
    [{ ema: 0.9 }, /--ema 0.9: the run was started without --ema$/],
  ];
  for (const [flags, message] of changed) {
    assert.throws(() => resolveSettings({ resume: "run", ...flags }, { saved }), (error) => {
      assert.ok(error instanceof InputError);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("values that do not fit together are input errors", () => {
  assert.throws(() => resolveSettings({ msaDim: 9 }, {}), InputError);
});

const WRONG: [TrainFlags, RegExp][] = [
  [{}, /^Nothing to train on: give --structures and --msa, or --features, or --synthetic, or --demo$/],
  [{ features: "d", structures: ["a"], msa: "b" }, /^--structures and --features exclude each other$/],
  [{ features: "d", holdOut: ["a"] }, /^--features and --hold-out exclude each other$/],
  [{ synthetic: true, validation: "v.csv" }, /^--synthetic and --validation exclude each other$/],
  [{ features: "d", patience: 3 }, /^--patience needs --validation FILE beside it$/],
  [{ structures: ["a"], msa: "b", leaveOneOut: true, list: "l" }, /^--leave-one-out and --list exclude each other$/],
  [{ model: "nnx", features: "d" }, /^--features does not apply to --model nnx/],
  [{ structures: ["a"] }, /^--structures needs --msa FILE beside it$/],
  [{ msa: "a" }, /^--msa needs --structures beside it$/],
  [{ demo: true, synthetic: true }, /^--synthetic and --demo exclude each other$/],
  [{ demo: true, structures: ["a"], msa: "b" }, /^--structures and --demo exclude each other$/],
  [{ demo: true, holdOut: ["a"], leaveOneOut: true }, /^--hold-out and --leave-one-out exclude each other$/],
  [{ synthetic: true, holdOut: ["a"] }, /^--synthetic and --hold-out exclude each other$/],
  [{ synthetic: true, cropEnds: 3 }, /^--synthetic and --crop-ends exclude each other$/],
  [{ resume: "a", demo: true }, /^--resume and --demo exclude each other$/],
  [{ resume: "a", leaveOneOut: true }, /^--resume and --leave-one-out exclude each other$/],
  [
    { model: "nnx", holdOut: ["a"] },
    /^--hold-out does not apply to --model nnx: the notebook trains one block on noise/,
  ],
  [{ model: "nnx", structures: ["a"], msa: "b" }, /^--structures does not apply to --model nnx/],
  [{ model: "nnx", demo: true }, /^--demo does not apply to --model nnx/],
  [{ model: "nnx", validateSetup: true }, /^--validate-setup does not apply to --model nnx/],
  [{ model: "nnx", numBlocks: 2 }, /^--num-blocks does not apply to --model nnx/],
  [{ model: "nnx", weightDecay: 0 }, /^--weight-decay does not apply to --model nnx/],
  [{ validateSetup: true, demo: true }, /^--validate-setup and --demo exclude each other$/],
];
for (const [flags, message] of WRONG) {
  Deno.test(`flags ${JSON.stringify(flags)} are refused`, () => {
    assert.throws(() => checkFlags(flags), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("flags that fit together are accepted", () => {
  const right: TrainFlags[] = [
    { demo: true },
    { features: "d", list: "a.csv", validation: "b.csv", patience: 2, skipBad: true, cropEnds: 3 },
    { structures: ["a"], msa: "b", holdOut: ["c"], validationEvery: 5 },
    { synthetic: true },
    { structures: ["a"], msa: "b", leaveOneOut: true },
    { resume: "a" },
    { resume: "a", structures: ["a"], msa: "b" },
    { validateSetup: true },
    { model: "nnx" },
    { model: "nnx", synthetic: true, seed: 3 },
    { model: "tiny", synthetic: true },
    { validateSetup: true, synthetic: true },
  ];
  for (const flags of right) checkFlags(flags);
});
