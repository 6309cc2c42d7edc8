import { type Command, Option } from "commander";
import config from "../../deno.json" with { type: "json" };
import { tuningOf } from "../../ops/mod.ts";
import { InputError } from "../errors.ts";
import { NETWORKS } from "../networks/mod.ts";
import { mostResidues } from "../plan/fit.ts";
import {
  flagOf,
  planFlags,
  type PlannedWorkload,
  plannedWorkload,
  type PlanSizes,
  withoutForwardOnly,
} from "../plan/models.ts";
import { planIfPossible, planModel, type PlanRequest } from "../plan/plan.ts";
import { planText, type PlanTextOptions } from "../plan/text.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { readProfile } from "../profile/compare.ts";
import type { ProfileData } from "../profile/profile_data.ts";
import { cachedRoofs } from "../profile/roofs.ts";
import { RECOMPUTE } from "../profile/workloads/_recompute.ts";
import { deviceOption, positiveInteger, positiveNumber, startProgress } from "./_shared.ts";
import { sizeOption } from "./_sizes.ts";
import { type FullStorageFlag, fullStorageOption } from "./_storage.ts";

const HELP = `
The model's own code runs on a device that allocates and computes nothing, so memory is counted as it will be: tensors by
scope, buffers kept for reuse, the driver's copies. FLOP count two for a multiply-add. The time is what the adapter's
measured roofs allow at least: on lavapipe, steps of these models took 1.4 to 2.1 times as long. With --like it is also
that of kernels that reach the same shares of the roofs as in a profile of the same model on the same adapter.

The command succeeds whether the model fits or not; --json says which in "fits".

Examples:
  denofold plan --model evoformer --n-seq 512 --n-res 384 --train --recompute block
  denofold plan --model alphafold --n-seq 128 --n-extra 1024 --n-res 256 --train --recompute block
  denofold plan --model tiny --n-seq 16 --n-res 64 --batch 4 --train
  denofold plan --model evoformer --blocks 1 --n-seq 64 --n-res 128 --like profile/profile.json`;

/** Adds `denofold plan`. */
export function register(program: Command): void {
  const command = program.command("plan")
    .description("predict the GPU memory, operations and time that a model needs, without running it")
    .addOption(new Option("--model <name>", "the model").choices(Object.keys(NETWORKS)).makeOptionMandatory())
    .optionsGroup("Sizes (default: the model's own):");
  for (const flag of planFlags()) {
    if (flag.name !== "storage") {
      command.addOption(sizeOption({ ...flag, value: flag.value === false ? false : null }));
    }
  }
  command.optionsGroup("Way:")
    .option("--train", "a step of training (forward, backward, update) instead of a forward pass")
    .addOption(fullStorageOption())
    .optionsGroup("Adapter:")
    .addOption(deviceOption())
    .option("--memory <gib>", "memory for it, in GiB (default: the machine's, where the CPU computes)", positiveNumber)
    .option("--like <file>", "a profile.json, for the likely time")
    .optionsGroup("Output:")
    .option("--top <n>", "rows of each table", positiveInteger, 12)
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

type Flags = PlanSizes & {
  storage: FullStorageFlag;
  model: string;
  train?: boolean;
  memory?: number;
  like?: string;
  top: number;
  device: string;
  json?: boolean;
};

async function run(flags: Flags): Promise<void> {
  const { model, train = false, memory, like, top, device: wish, json, storage, ...given } = flags;
  const sizes: PlanSizes = { ...given, storage: storage === "f32" ? undefined : storage }; // not all models have it
  const planned = plannedWorkload(model, sizes, train);
  const profile = like === undefined ? undefined : await readProfile(like);
  const { adapter, notes } = await ensureAdapter({ device: wish, install: true });
  if (!json) { for (const note of notes) console.error(note); }
  const device = await openDevice(adapter);
  try {
    const { traits } = device;
    if (profile) checkProfile(profile, like!, traits.description);
    const machine = traits.software ? Deno.systemMemoryInfo().total : undefined;
    const request: PlanRequest = {
      ...{ planned, traits, tuning: tuningOf(device), like: profile, version: config.version },
      roofs: await cachedRoofs(device),
      memoryBytes: memory === undefined ? machine : memory * 2 ** 30,
    };
    const ways = otherWays(model, sizes, train);
    const progress = json ? undefined : startProgress({ label: "Ways planned", total: 1 + ways.length });
    const plan = await planModel(request);
    progress?.update(1);
    const others: PlannedWay[] = [];
    for (const { name, planned } of ways) {
      others.push({ name, plan: await planIfPossible({ ...request, planned }) });
      progress?.update(1 + others.length, name);
    }
    progress?.stop();
    const nRes = flagOf(model, "nRes")!;
    const most = plan.fits ? undefined : await mostResidues(request, nRes, Number(planned.values[nRes]), (tried) => {
      if (!json) console.error(`Trying ${tried} residues`);
    });
    if (json) {
      const summaries = others.map(({ name, plan }) => ({
        ...{ name, fits: plan?.fits ?? null, peakBytes: plan?.memory.peakBytes ?? null },
        ...{ peakAllocatedBytes: plan?.memory.peakAllocatedBytes ?? null, flops: plan?.step.flops ?? null },
      }));
      console.log(JSON.stringify({ ...plan, mostResidues: most, ways: summaries }, undefined, 2));
    } else console.log(planText(plan, { top, ways: others, mostResidues: most }));
  } finally {
    device.close();
  }
}

/** A plan of the same model run otherwise. */
type PlannedWay = PlanTextOptions["ways"][number];

/** The same model forward, trained, and trained with less kept; without what was asked for. */
function otherWays(
  model: string,
  sizes: PlanSizes,
  train: boolean,
): { readonly name: string; readonly planned: PlannedWorkload }[] {
  const canRecompute = flagOf(model, "recompute") !== undefined;
  const ways: { name: string; train: boolean; recompute?: string }[] = [
    { name: "forward", train: false },
    { name: "training", train: true, recompute: canRecompute ? "nothing" : undefined },
    ...canRecompute
      ? RECOMPUTE.slice(1).map((recompute) => ({
        name: `training, --recompute ${recompute}`,
        train: true,
        recompute,
      }))
      : [],
  ];
  const asked = ({ train: way, recompute }: typeof ways[number]) =>
    way === train && (!way || (sizes.recompute ?? "nothing") === (recompute ?? "nothing"));
  return ways.filter((way) => !asked(way)).map(({ name, train, recompute }) => ({
    name,
    planned: plannedWorkload(model, { ...withoutForwardOnly(model, sizes), recompute }, train),
  }));
}

function checkProfile({ adapter, clock, roofs }: ProfileData, file: string, wanted: string): void {
  if (adapter !== wanted) throw new InputError(`${file} is of another adapter: ${adapter}, expected ${wanted}`);
  if (clock !== "timestamps" || !roofs) throw new InputError(`${file} has no times by timestamps, expected such`);
}
