import type { Device } from "../../core/mod.ts";
import { ablate, ABLATIONS, ablationText } from "../profile/ablation.ts";
import { settingsText } from "../profile/table.ts";
import type { WorkloadValues } from "../profile/workloads/workload.ts";
import { camelKeys } from "../words.ts";
import { startProgress } from "./_shared.ts";

/** What is taken apart, and how often it runs. */
export interface AblationRun {
  readonly workload: string;
  readonly values: WorkloadValues;
  readonly steps: number;
  readonly warmup: number;
  /** Print one JSON object instead of a table. */
  readonly json: boolean;
}

/** Prints what each fusion of a workload brings. */
export async function runAblation(
  device: Device,
  { workload, values, steps, warmup, json }: AblationRun,
): Promise<void> {
  const progress = startProgress({ label: "Ablation", total: (steps + warmup) * ABLATIONS.length });
  try {
    const onStep = (done: number) => progress.update(done);
    const rows = await ablate(device, { workload, values, steps, warmup, onStep });
    progress.stop();
    const { description: adapter } = device.traits;
    if (json) {
      console.log(JSON.stringify({ workload, adapter, settings: camelKeys(values), steps, rows }, undefined, 2));
    } else console.log(`${workload} on ${adapter}\n${settingsText(values)}\n\n${ablationText(rows)}`);
  } finally {
    progress.stop();
  }
}
