import assert from "node:assert/strict";
import { forecastRun, forecastText } from "../../../tools/train/forecast.ts";
import { openTiny, type RunData } from "../../../tools/train/data.ts";
import { familyExamples } from "../../../tools/train/examples.ts";
import { TrainingSession } from "../../../tools/train/session.ts";
import { gpuTest } from "../../_gpu.ts";
import { toyFamily, toySettings } from "./_toy.ts";

gpuTest("forecastRun() plans the longest chains, and its peak is what a step takes", async (device) => {
  const family = await toyFamily();
  const examples = familyExamples([family], family.members).filter(({ id }) => id === "1paa");
  const data: RunData = { families: [family], heldOut: [], examples, validation: [], bad: [], warnings: [] };
  const settings = toySettings({ numSteps: 2 });
  const forecast = (await forecastRun(device, settings, data, 100_000))!;
  {
    using session = new TrainingSession(device, settings, await openTiny(settings, { examples, description: "x" }));
    await session.advance();
    await session.advance();
    const { peakBytes } = session.history[1];
    assert.ok(Math.abs(forecast.peakBytes / peakBytes - 1) < 0.25, `${forecast.peakBytes} of ${peakBytes}`);
  }
  assert.deepEqual(forecast.problems, []);
  if (forecast.stepSeconds !== null) assert.ok(Math.abs(forecast.seconds! / forecast.stepSeconds / 100_000 - 1) < 1e-6);
  assert.deepEqual(forecast.quicker.map(({ flags }) => flags), ["--num-seqs 2", "--batch-size 1"]);
  assert.ok(forecast.quicker.every(({ part }) => part > 0.2 && part < 1));
  const text = forecastText(forecast, true);
  assert.match(text, /^Forecast: 0\.\d\d GiB of GPU memory, (?:no less than|time not known)/);
  assert.match(
    text,
    /Quicker: --num-seqs 2 \(\d+ % of the operations\), --batch-size 1 \(\d+ % of the operations\), a GPU/,
  );
});
