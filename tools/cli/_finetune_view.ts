/** Shows a run of fine-tuning in the terminal. */
import { reportText } from "../check_data/report_text.ts";
import { DEMO_RESIDUES } from "../finetune/demo.ts";
import type { FinetuneEvents } from "../finetune/finetune.ts";
import { type Progress, startProgress } from "./_shared.ts";

/** Groups that are named one by one; of more, the first and the last. */
const MOST_GROUPS = 6;

/**
 * Lines of text on stdout, warnings and a progress bar (or a line now and then) with the time left on stderr.
 *
 * @param options.silent Whether stdout is left alone, for a JSON object at the end.
 */
export function finetuneView(
  { epochs, demo = false, silent = false }: { epochs: number; demo?: boolean; silent?: boolean },
): { readonly events: FinetuneEvents; end(): void } {
  let progress: Progress | undefined, total = 0;
  const say = (line: string) => {
    if (silent) return;
    if (progress && Deno.stdout.isTerminal()) progress.log(line);
    else console.log(line);
  };
  const end = () => {
    progress?.stop();
    progress = undefined;
  };
  const events: FinetuneEvents = {
    warn(message) {
      if (progress) progress.log(`warning: ${message}`);
      else console.error(`warning: ${message}`);
    },
    check: (report) => say(`${reportText(report)}\n`),
    measure(done, total) {
      progress ??= startProgress({ label: "Protein", total });
      progress.update(done, "read by the network");
      if (done === total) end();
    },
    plan({ model, strategy, sets: { train, validation, test }, parameters, reason }, groups, totalSteps) {
      total = totalSteps;
      say(
        demo
          ? `Demo mode: ${train.length} train / ${validation.length} val (synthetic, seq_len=${DEMO_RESIDUES})`
          : `Data: ${train.length} train / ${validation.length} val / ${test.length} test`,
      );
      say(`Model: ${model.preset} (${count(parameters)} params), ${model.weights}`);
      if (reason) say(`Strategy by ${reason}`);
      const main = groups.find(({ name }) => name !== "head") ?? groups[0];
      say(`Strategy: ${strategy.name} (lr=${exponential(main.learningRate, 1)})`);
      const shown = groups.length > MOST_GROUPS ? [...groups.slice(0, 2), ...groups.slice(-3)] : groups;
      for (const { name, learningRate, parameters } of shown) {
        say(`  ${name.padEnd(17)} ${count(parameters).padStart(12)} params at ${learningRate.toPrecision(3)}`);
      }
    },
    begin(done) {
      say(`\nTraining for ${epochs} epochs, ${total} steps...`);
      progress = startProgress({ label: "Step", total });
      if (done > 0) progress.update(done, "taken up again");
    },
    step({ step, loss, epoch }) {
      progress?.update(step + 1, `epoch ${epoch}, loss ${loss.toPrecision(4)}`);
    },
    epoch({ epoch, trainLoss, validationLoss, learningRates }, best) {
      const number = (x: number | null) => x === null ? "none" : x.toPrecision(4);
      const rate = Math.max(...Object.values(learningRates));
      const losses = `train_loss=${number(trainLoss)}  val_loss=${number(validationLoss)}`;
      say(`  epoch ${String(epoch).padStart(3)}  ${losses}  lr=${exponential(rate, 2)}${best ? "  best" : ""}`);
    },
    finish: end,
  };
  return { events, end };
}

/** A number such as 1.0e-04. */
function exponential(x: number, digits: number): string {
  return x.toExponential(digits).replace(/e([+-])(\d)$/, "e$10$2");
}

function count(n: number): string {
  return n.toLocaleString("en-US");
}
