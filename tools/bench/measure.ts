import process from "node:process";
import type { Device } from "../../core/mod.ts";

/** What {@linkcode Stopwatch} has seen, for one run of what was measured. */
export interface Times {
  readonly msMin: number;
  readonly msMedian: number;
  /** CPU time of the process, all threads added. */
  readonly cpuMsMin: number;
  readonly repeats: number;
}

/** Collects wall-clock and CPU times of repeated runs; the repeats may be spread over several rounds. */
export class Stopwatch {
  readonly #ms: number[] = [];
  readonly #cpuMs: number[] = [];

  /**
   * Measures once.
   *
   * @param run Does the work `inner` times and waits until it is done.
   * @param inner By how much the times are divided. @default 1
   */
  async time(run: () => void | Promise<void>, inner = 1): Promise<void> {
    const cpu = process.cpuUsage();
    const start = performance.now();
    await run();
    this.#ms.push((performance.now() - start) / inner);
    const { user, system } = process.cpuUsage(cpu);
    this.#cpuMs.push((user + system) / 1e3 / inner);
  }

  /**
   * The times so far.
   *
   * @throws {RangeError} If nothing was measured.
   */
  get times(): Times {
    if (this.#ms.length === 0) throw new RangeError("Nothing was measured yet");
    const sorted = this.#ms.toSorted((a, b) => a - b);
    const half = sorted.length >> 1;
    return {
      msMin: sorted[0],
      msMedian: sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2,
      cpuMsMin: Math.min(...this.#cpuMs),
      repeats: sorted.length,
    };
  }
}

/** A measurement queues work for about this long, then waits once. */
const FILL_MS = 200;
const REPEATS = 5;

/** Measures a step a few times, each time as many of it as take a while; what a step makes is freed. */
export async function timeQueued(device: Device, step: () => unknown, watch: Stopwatch): Promise<void> {
  const times = (count: number) => async () => {
    for (let i = 0; i < count; i++) {
      using scope = device.scope("step");
      void scope;
      step();
    }
    await device.finish();
  };
  const inner = await runsToFill(FILL_MS, times(1));
  for (let i = 0; i < REPEATS; i++) await watch.time(times(inner), inner);
}

/** How many runs fill `targetMs`, from one trial run: at least 1, at most 1000. */
export async function runsToFill(targetMs: number, run: () => void | Promise<void>): Promise<number> {
  const trial = new Stopwatch();
  await trial.time(run);
  return Math.max(1, Math.min(1000, Math.round(targetMs / trial.times.msMin)));
}
