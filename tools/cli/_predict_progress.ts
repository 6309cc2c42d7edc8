/** How far predictions have come, with the time that is left. */
import type { PredictEvents } from "../predict/run.ts";
import { type Progress, startProgress } from "./_shared.ts";

/**
 * Shows progress by block and iteration.
 *
 * @param quiet Show nothing.
 * @param runs Networks times seeds, for each target.
 * @param blocksOf Evoformer blocks of a preset.
 */
export function predictProgress(
  quiet: boolean,
  runs: number,
  blocksOf: (preset: string) => number,
): { readonly events: Partial<PredictEvents>; stop(): void } {
  if (quiet) return { events: {}, stop() {} };
  let bar: Progress | undefined, text = "", blocks = 1, iterations = 1, began = 0, run = 0;
  const stop = () => {
    bar?.stop();
    bar = undefined;
  };
  const at = (done: number) => {
    const total = blocks * iterations;
    const left = done > 0 ? (performance.now() - began) / 1000 * (total - done) / done : NaN;
    bar?.update(done, Number.isFinite(left) ? `${text}, ${duration(left)} left` : text);
  };
  return {
    stop,
    events: {
      target(id, index, count, residues) {
        run = 0;
        console.error(`${id} (${index + 1} of ${count}): ${residues} residues`);
      },
      model(_, preset, seed, count) {
        stop();
        blocks = blocksOf(preset);
        iterations = count;
        began = performance.now();
        text = `${preset} seed ${seed}${runs > 1 ? ` (${++run} of ${runs})` : ""}`;
        bar = startProgress({ label: "Blocks", total: blocks * iterations });
      },
      block: (iteration, block) => at(iteration * blocks + block + 1),
      recycle(iteration, plddt, ptm, change) {
        at((iteration + 1) * blocks);
        const more = `${ptm === null ? "" : `, pTM ${ptm.toFixed(3)}`}${
          change === null ? "" : `, change ${change.toFixed(2)} Å`
        }`;
        bar?.log(`  recycle ${iteration}: pLDDT ${plddt.toFixed(1)}${more}`);
      },
      warn: (id, message) => console.error(`warning: ${id}: ${message}`),
      done({ id, status, reason, best, seconds }) {
        stop();
        const said = status === "failed"
          ? `failed: ${reason}`
          : status === "kept"
          ? "done before, kept"
          : `${duration(seconds)}`;
        console.error(
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
