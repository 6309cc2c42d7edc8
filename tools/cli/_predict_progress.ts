/** How far predictions have come, with the time that is left. */
import type { PredictEvents } from "../predict/run.ts";
import { type Progress, startProgress } from "./_shared.ts";

/** What {@link predictProgress} shows with. */
export interface ProgressTools {
  readonly start?: (options: { label: string; total: number; tellsTime?: boolean }) => Progress;
  /** Milliseconds. */
  readonly now?: () => number;
  /** Prints a line. */
  readonly say?: (line: string) => void;
}

/**
 * Shows progress by recycle and block, with the time that is left for the target.
 *
 * @param quiet Show nothing.
 * @param runs Networks times seeds, for each target.
 * @param blocksOf Evoformer blocks of a preset.
 * @param tools What shows and what measures. @default the terminal and the clock
 */
export function predictProgress(
  quiet: boolean,
  runs: number,
  blocksOf: (preset: string) => number,
  { start = startProgress, now = () => performance.now(), say = console.error }: ProgressTools = {},
): { readonly events: Partial<PredictEvents>; log(line: string): void; stop(): void } {
  if (quiet) return { events: {}, log() {}, stop() {} };
  let bar: Progress | undefined, text = "", blocks = 1, iterations = 1, began = 0, run = 0;
  const stop = () => {
    bar?.stop();
    bar = undefined;
  };
  /** So many blocks of an iteration, from 0, are done. */
  const at = (iteration: number, block: number) => {
    const total = blocks * iterations, done = iteration * blocks + block;
    // The runs that are still to come take as long as this one, as far as is known.
    const seconds = (now() - began) / 1000, left = seconds * (total * (1 + runs - run) - done) / done;
    bar?.update(
      done,
      `${text}, recycle ${iteration} of ${iterations - 1}, block ${block} of ${blocks}, ${duration(left)} left`,
    );
  };
  return {
    stop,
    log: (line) => bar ? bar.log(line) : say(line),
    events: {
      target(id, index, count, residues) {
        run = 0;
        say(`${id} (${index + 1} of ${count}): ${residues} residues`);
      },
      model(_, preset, seed, count) {
        stop();
        blocks = blocksOf(preset);
        iterations = count;
        began = now();
        run++;
        text = `${preset} seed ${seed}${runs > 1 ? ` (${run} of ${runs})` : ""}`;
        bar = start({ label: "Blocks", total: blocks * iterations, tellsTime: false });
      },
      block: (iteration, block) => at(iteration, block + 1),
      recycle(iteration, plddt, ptm, change, iptm) {
        at(iteration, blocks);
        const more = `${ptm === null ? "" : `, pTM ${ptm.toFixed(3)}`}${
          iptm === undefined ? "" : `, ipTM ${iptm.toFixed(3)}`
        }${change === null ? "" : `, change ${change.toFixed(2)} Å`}`;
        bar?.log(`  recycle ${iteration}: pLDDT ${plddt.toFixed(1)}${more}`);
      },
      warn: (id, message) => say(`warning: ${id}: ${message}`),
      done({ id, status, reason, best, seconds }) {
        stop();
        const said = status === "failed"
          ? `failed: ${reason}`
          : status === "kept"
          ? "done before, kept"
          : `${duration(seconds)}`;
        say(
          `${id}: ${said}${best && status === "done" ? `, ${best.name} pLDDT ${best.meanPlddt.toFixed(1)}` : ""}`,
        );
      },
    },
  };
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
