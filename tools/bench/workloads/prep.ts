import { existsSync } from "node:fs";
import { collectTargets } from "../../prep/collect_targets.ts";
import { prep as prepareAll } from "../../prep/prep.ts";
import { Stopwatch } from "../measure.ts";
import { atLeast, atMost, type Measurement, onIdleMachine, round, timeFields } from "../record.ts";
import type { BenchContext } from "./mod.ts";

/** 189 structures of trypsins and their alignment, from Debian's package theseus-examples. */
const TRYPSINS = Deno.env.get("DENOFOLD_TRYPSINS") ?? "/usr/share/doc/theseus/examples/trypsins";

const TARGETS = 500, JOBS = 2;

/** MB that the process may take at most; the features of all targets together would not fit. */
const MEMORY = 600;

/** Preparing 500 targets of the trypsin family, its 189 structures over and over under other names. */
export async function* prep({ device, note }: BenchContext): AsyncIterable<Measurement> {
  if (!existsSync(TRYPSINS)) {
    note(`prep is left out, there is no ${TRYPSINS}: install theseus-examples (apt), or set DENOFOLD_TRYPSINS`);
    return;
  }
  const { targets: family, templates } = await collectTargets([TRYPSINS]);
  const targets = Array.from({ length: TARGETS }, (_, k) => {
    const target = family[k % family.length];
    return { ...target, id: `${target.id}.${k}` };
  });
  const out = await Deno.makeTempDir();
  const watch = new Stopwatch();
  let most = 0, failed = 0;
  try {
    await watch.time(async () => {
      const result = await prepareAll(targets, {
        ...{ out, templates, jobs: JOBS, strict: false, maxTemplates: 4, failFast: false },
        onDone: () => void (most = Math.max(most, Deno.memoryUsage().rss)),
      });
      failed = result.failed.length;
    });
  } finally {
    await Deno.remove(out, { recursive: true });
  }
  const { times } = watch;
  const rate = TARGETS / times.msMin * 1e3;
  yield {
    workload: "prep",
    sizes: { targets: TARGETS, failed, jobs: JOBS },
    dtype: "text",
    mode: "trypsins",
    ...timeFields(times, { software: device.traits.software }),
    peak_bytes: null,
    samples_per_s: round(rate),
    bars: [
      onIdleMachine(atLeast("targets/s", round(rate), 20)),
      atMost("resident MB", Math.round(most / 1e6), MEMORY),
    ],
  };
}
