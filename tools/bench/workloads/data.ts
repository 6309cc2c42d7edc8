import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { nearestNeighborClusters } from "../../data/features/clusters.ts";
import { parseMmcif } from "../../data/mmcif.ts";
import { parseAlignment } from "../../data/read_alignment.ts";
import type { Chain } from "../../data/structure.ts";
import { formatMmcif } from "../../data/write_mmcif.ts";
import { hashed } from "../hashed.ts";
import { runsToFill, Stopwatch } from "../measure.ts";
import { atMost, type Measurement, onIdleMachine, round, timeFields } from "../record.ts";
import type { BenchContext } from "./mod.ts";

const EXAMPLES = fileURLToPath(new URL("../../../examples/zinc_fingers/", import.meta.url));
const REPEATS = 7;
const FILL_MS = 50;

const ATOMS = 11_000;
const COLUMNS = 300, ALIGNMENT_BYTES = 2e6;
const CLUSTERS = { centers: 508, rows: 5120, columns: 256 };

/** Tokens that a row of an alignment can have before any is masked. */
const TOKENS = 22;

/** What is timed. */
interface Work {
  readonly mode: string;
  readonly sizes: Measurement["sizes"];
  /** The longest it should take. */
  readonly most: number;
  run(): void | Promise<void>;
}

/** Reading structures and alignments from memory, and the clusters of an alignment's rows. */
export async function* data({ device }: BenchContext): AsyncIterable<Measurement> {
  const { software } = device.traits;
  for (
    const work of [await structure(), alignment("A3M", a3mText), alignment("Stockholm", stockholmText), clusters()]
  ) {
    yield await measure(work, software);
  }
}

/** One mmCIF file of the example structures' chains, over and over. */
async function structure(): Promise<Work> {
  const names = [...Deno.readDirSync(EXAMPLES)].map(({ name }) => name).filter((name) => name.endsWith(".cif"));
  const family = await Promise.all(
    names.toSorted().map(async (name) => await parseMmcif(Deno.readTextFileSync(join(EXAMPLES, name)), name)),
  );
  const chains: Chain[] = [];
  let atoms = 0;
  for (let k = 0; atoms < ATOMS; k++) {
    const [chain] = family[k % family.length].chains;
    chains.push({ ...chain, id: `${k}` });
    atoms += chain.atomMask.reduce((sum, there) => sum + there, 0);
  }
  const text = formatMmcif({ ...family[0], chains });
  return {
    mode: "mmCIF",
    sizes: { atoms, bytes: text.length },
    most: 40,
    run: async () => void await parseMmcif(text, "chains.cif"),
  };
}

function alignment(mode: string, textOf: (rows: readonly string[]) => string): Work {
  const text = textOf(alignmentRows());
  return { mode, sizes: { bytes: text.length }, most: 150, run: () => void parseAlignment(text, mode) };
}

/** Rows without insertions, the first without gaps. */
function alignmentRows(): string[] {
  const letters = "ARNDCQEGHILKMFPSTWYV-";
  const rows = Math.ceil(ALIGNMENT_BYTES / COLUMNS);
  const unit = evenly("alignment", rows * COLUMNS);
  const residues = Array.from(unit, (x, i) => letters[Math.floor(x * (i < COLUMNS ? 20 : 20.999))]).join("");
  return Array.from({ length: rows }, (_, i) => residues.slice(i * COLUMNS, (i + 1) * COLUMNS));
}

/** Every fiftieth place of the rows but the first has an insertion. */
function a3mText(rows: readonly string[]): string {
  const insertion = (row: string) => row.replace(/(.{49})([A-Z])/g, "$1$2g");
  return rows.map((row, i) => `>row${i}/1-${COLUMNS}\n${i === 0 ? row : insertion(row)}\n`).join("");
}

/** Blocks of a hundred columns, as programs wrap them. */
function stockholmText(rows: readonly string[]): string {
  const blocks = Array.from(
    { length: COLUMNS / 100 },
    (_, block) =>
      rows.map((row, i) => `row${i}/1-${COLUMNS}`.padEnd(16) + row.slice(100 * block, 100 * block + 100)).join("\n"),
  );
  return `# STOCKHOLM 1.0\n\n${blocks.join("\n\n")}\n//\n`;
}

function clusters(): Work {
  const { centers, rows, columns } = CLUSTERS;
  const tokens = (name: string, n: number) => ({
    msa: Uint8Array.from(evenly(name, n * columns), (x) => Math.floor(TOKENS * x)),
  });
  const a = tokens("centers", centers), b = tokens("extra", rows);
  return {
    mode: "clusters",
    sizes: CLUSTERS,
    most: 3000,
    run: () => void nearestNeighborClusters(a, b, columns),
  };
}

/** Numbers in [0, 1), evenly spread. */
function evenly(name: string, size: number): Float32Array {
  return hashed(name, size, { std: 1 / Math.sqrt(12), mean: 0.5 }).map((x) => Math.min(Math.max(x, 0), 1 - 2 ** -24));
}

async function measure({ mode, sizes, most, run }: Work, software: boolean): Promise<Measurement> {
  await run();
  const inner = await runsToFill(FILL_MS, run);
  const watch = new Stopwatch();
  for (let i = 0; i < REPEATS; i++) {
    await watch.time(async () => {
      for (let k = 0; k < inner; k++) await run();
    }, inner);
  }
  const { msMin } = watch.times;
  return {
    workload: "data",
    sizes,
    dtype: "text",
    mode,
    ...timeFields(watch.times, { software }),
    peak_bytes: null,
    ...(sizes.bytes === undefined ? {} : { mb_per_s: round(sizes.bytes / msMin / 1e3) }),
    bars: [onIdleMachine(atMost("ms", round(msMin), most))],
  };
}
