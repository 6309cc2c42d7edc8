/** A command in small for the tests: STEPS steps of MS milliseconds; "stubborn" goes on after the first Ctrl-C. */
import { onInterrupt, startProgress } from "../../../tools/cli/_shared.ts";

const [steps, ms] = Deno.args.map(Number);
const stubborn = Deno.args[2] === "stubborn";
using interrupt = onInterrupt();
const progress = startProgress({ label: "step", total: steps });
let step = 0;
while (step < steps && (!await interrupt.poll() || stubborn)) {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
  progress.update(++step, `loss ${step}`);
}
progress.stop();
console.log(`saved at step ${step}`);
