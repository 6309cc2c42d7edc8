import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { parseMmcif } from "../../data/mmcif.ts";
import { parseAlignment } from "../../data/read_alignment.ts";
import { hashed } from "../hashed.ts";
import { runsToFill, Stopwatch } from "../measure.ts";
import { type Measurement, round, timeFields } from "../record.ts";
import type { BenchContext } from "./mod.ts";

const EXAMPLES = fileURLToPath(new URL("../../../examples/zinc_fingers/", import.meta.url));
const REPEATS = 5;
const FILL_MS = 50;

const ROWS = 2000, COLUMNS = 300;

/** Reading the example family's structures, and an alignment of 2,000 rows of 300 columns, from memory. */
export async function* data({ device }: BenchContext): AsyncIterable<Measurement> {
  const names = [...Deno.readDirSync(EXAMPLES)].map(({ name }) => name).toSorted();
  const structures = names.filter((name) => name.endsWith(".cif"))
    .map((name) => ({ name, text: Deno.readTextFileSync(join(EXAMPLES, name)) }));
  const alignment = alignmentText();
  const { software } = device.traits;
  yield await measure("mmCIF", structures, software, async () => {
    for (const { text, name } of structures) await parseMmcif(text, name);
  });
  yield await measure("A3M", [{ text: alignment }], software, () => void parseAlignment(alignment, "hashed.a3m"));
}

function alignmentText(): string {
  const letters = "ARNDCQEGHILKMFPSTWYV-";
  const unit = hashed("alignment", ROWS * COLUMNS, { std: 1 / Math.sqrt(12), mean: 0.5 });
  const residues = Array.from(unit, (x, i) => letters[Math.floor(x * (i < COLUMNS ? 20 : 20.999))]).join("");
  const rows = Array.from({ length: ROWS }, (_, i) => residues.slice(i * COLUMNS, (i + 1) * COLUMNS));
  return rows.map((row, i) => `>row${i}\n${row}\n`).join("");
}

async function measure(
  mode: string,
  files: readonly { readonly text: string }[],
  software: boolean,
  run: () => void | Promise<void>,
): Promise<Measurement> {
  await run();
  const inner = await runsToFill(FILL_MS, run);
  const watch = new Stopwatch();
  for (let i = 0; i < REPEATS; i++) {
    await watch.time(async () => {
      for (let k = 0; k < inner; k++) await run();
    }, inner);
  }
  const bytes = files.reduce((sum, { text }) => sum + text.length, 0);
  return {
    workload: "data",
    sizes: { files: files.length, bytes },
    dtype: "text",
    mode,
    ...timeFields(watch.times, { software }),
    peak_bytes: null,
    mb_per_s: round(bytes / watch.times.msMin / 1e3),
  };
}
