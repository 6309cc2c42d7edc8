import type { Precision } from "../../core/mod.ts";
import { type Command, Option } from "commander";
import { type Fusion, setFusions } from "../../ops/mod.ts";
import { WORKLOADS } from "../networks/mod.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { compare, comparisonText, readProfile } from "../profile/compare.ts";
import type { Grouping } from "../profile/profile_data.ts";
import { profileWorkload } from "../profile/profile.ts";
import { profileText } from "../profile/table.ts";
import type { WorkloadFlag, WorkloadValues } from "../profile/workloads/workload.ts";
import { runAblation } from "./_ablation.ts";
import { folderForRun, overwriteOption } from "./_folder.ts";
import { fusionHelp, fusionOption, fusionText } from "./_fusion.ts";
import { numericsOption, type PartFlags, partsOf, sortByOption } from "./_profile_flags.ts";
import { deviceOption, nonNegativeInteger, positiveInteger, precisionOption } from "./_shared.ts";
import { sizeOption } from "./_sizes.ts";
import { camelCase } from "../words.ts";

const HELP = `
Files in DIR: profile.json (all tables), profile.trace.json (open it at ui.perfetto.dev or chrome://tracing), profile.html
(open it in a browser); train-step writes performance_summary.json too, with the fields that training writes.

GPU times are the device's timestamps, one pass a kernel. GFLOP/s count two operations for a multiply-add, where a kernel
tells; GB/s count the tensors bound to it, once each. "of roof" is the part of what the adapter reached in probes of
multiply-adds and copies at the same FLOP/B; the probes run once for an adapter and are kept in the cache folder.

${fusionHelp()}

Examples:
  denofold profile train-step --steps 5 --out profile
  denofold profile evoformer --n-seq 32 --n-res 64 --backward --by module
  denofold profile evoformer --fusion qkv,epilogue
  denofold profile evoformer --ablation
  denofold profile compare before/profile.json after/profile.json`;

const GROUPINGS: readonly Grouping[] = ["kernel", "module", "place"];

/** Adds `denofold profile`. */
export function register(program: Command): void {
  const profile = program.command("profile")
    .description("measure where a training step or a module spends time and memory, and compare two profiles")
    .addHelpText("after", HELP);
  for (const [name, { description, flags }] of Object.entries(WORKLOADS)) {
    const command = profile.command(name).description(`profile ${description}`).optionsGroup("Sizes:");
    for (const flag of flags) command.addOption(sizeOption(flag));
    command.optionsGroup("Run:")
      .option("--steps, --profile-steps <n>", "profiled steps", positiveInteger, 5)
      .option("--warmup, --warmup-steps <n>", "steps before them, which compile kernels", nonNegativeInteger, 2)
      .option("--enable-profiler", "times of kernels alone")
      .option("--enable-memory-profiling", "memory alone; kernels are not timed")
      .option("--enable-all-profiling", "both (the default)")
      .option("--out <dir>", "folder for the files (default: profile, or profile-2 where that holds a run, ...)")
      .addOption(overwriteOption())
      .option("--no-files", "write none")
      .addOption(sortByOption())
      .addOption(new Option("--by <what>", "what a row of the table holds").choices(GROUPINGS).default("kernel"))
      .option("--top <n>", "rows of the table", positiveInteger, 20)
      .option("--measure-roofs", "measure the adapter's roofs again")
      .addOption(numericsOption())
      .addOption(fusionOption())
      .addOption(ablationOption())
      .addOption(deviceOption())
      .addOption(precisionOption())
      .option("--json", "print the profile as one JSON object instead of text")
      .addHelpText("after", `\nExample:\n  denofold profile ${name} --steps 5 --by module --top 30 --out ${name}`)
      .action((flagsGiven: Flags) => run(name, flags, flagsGiven));
  }
  profile.command("compare <before> <after>")
    .description("print what got faster and slower between two profile.json")
    .option("--top <n>", "rows of each table", positiveInteger, 20)
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", "\nExample:\n  denofold profile compare before/profile.json after/profile.json")
    .action(compareFiles);
}

/** Flags that all workloads have; those of their own come by their names. */
type Flags = PartFlags & {
  profileSteps: number;
  warmupSteps: number;
  out?: string;
  overwrite?: boolean;
  files: boolean;
  sortBy: string;
  by: Grouping;
  top: number;
  measureRoofs?: boolean;
  fusion: readonly Fusion[];
  ablation?: boolean;
  checkNumerics?: boolean;
  device: string;
  precision: Precision;
  json?: boolean;
} & Record<string, unknown>;

async function run(workload: string, flags: readonly WorkloadFlag[], given: Flags): Promise<void> {
  const { profileSteps: steps, warmupSteps: warmup, sortBy, by, top, json, measureRoofs, fusion } = given;
  const out = given.files && !given.ablation ? await folderForRun(given.out, "profile", given) : undefined;
  const values = valuesOf(flags, given);
  const { adapter, notes } = await ensureAdapter({ device: given.device, install: true });
  if (!json) { for (const note of notes) console.error(note); }
  const device = await openDevice(adapter, { precision: given.precision });
  setFusions(device, fusion);
  device.checkNumerics(given.checkNumerics ?? false);
  try {
    if (given.ablation) return await runAblation(device, { workload, values, steps, warmup, json: json ?? false });
    const { data, files } = await profileWorkload(device, {
      ...{
        workload,
        values,
        steps,
        warmup,
        sortBy,
        out,
        measureRoofs,
        parts: partsOf(given),
        settings: { fusion: fusionText(fusion) },
      },
    });
    if (json) console.log(JSON.stringify(data, undefined, 2));
    else {
      console.log(profileText(data, { by, sortBy, top }));
      if (files.length > 0) console.log(`\nFiles:\n${files.map((file) => `   ${file}`).join("\n")}`);
    }
  } finally {
    device.close();
  }
}

function valuesOf(flags: readonly WorkloadFlag[], given: Record<string, unknown>): WorkloadValues {
  return Object.fromEntries(flags.map(({ name, value }) => {
    const chosen = given[camelCase(name)] ?? value;
    return [name, typeof chosen === "number" || typeof chosen === "string" ? chosen : chosen === true];
  }));
}

async function compareFiles(before: string, after: string, { top, json }: { top: number; json?: boolean }) {
  const comparison = compare(await readProfile(before), await readProfile(after));
  console.log(json ? JSON.stringify(comparison, undefined, 2) : comparisonText(comparison, top));
}

/** Excludes the flags of a profile that it would not heed. */
function ablationOption(): Option {
  return new Option(
    "--ablation",
    "instead of a profile: all fused, without each fusion, each alone, and nothing fused",
  ).conflicts([
    ...["fusion", "enableProfiler", "enableMemoryProfiling", "enableAllProfiling", "out", "sortBy", "by", "top"],
    "measureRoofs",
  ]);
}
