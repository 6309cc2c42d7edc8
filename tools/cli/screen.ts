import { type Command, Option } from "commander";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import type { AlphaFoldPreset } from "../../model/alphafold/mod.ts";
import { WEIGHTS_DTYPES, type WeightsDtype } from "../../model/weights/load_weights.ts";
import { InputError, UsageError } from "../errors.ts";
import { makeWritableFolder, removeLeftovers, writeFileAtomic } from "../files.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { cachedRoofs } from "../profile/roofs.ts";
import { planModels } from "../predict/models.ts";
import { noticesOf } from "../predict/planned_model.ts";
import type { HeldWeights } from "../predict/network.ts";
import { renderPredictReport } from "../predict/report.ts";
import type { OutputFormat } from "../predict/target_files.ts";
import { ChainStore } from "../screen/chain_store.ts";
import { forecastScreen, type PairForecast } from "../screen/forecast.ts";
import { planScreen } from "../screen/pairs.ts";
import { screenReport } from "../screen/report.ts";
import { runScreen } from "../screen/screen.ts";
import { ranked, screenCsv, type ScreenRow, SORT_KEYS, type SortKey } from "../screen/table.ts";
import { counted } from "../words.ts";
import { choicesOf, LINKER, memoryBytesOf, memoryCheck, presets, seedList } from "./_predict_flags.ts";
import { predictProgress } from "./_predict_progress.ts";
import { refuseOtherRun } from "./_folder.ts";
import {
  deviceOption,
  EXIT,
  nonNegativeInteger,
  nonNegativeNumber,
  onInterrupt,
  positiveInteger,
  positiveNumber,
  startProgress,
} from "./_shared.ts";
import { type FullStorageFlag, fullStorageOption, storeAs } from "./_storage.ts";

const HELP = `
BAITS and PREYS are FASTA files or tables; ":" between chains makes a bait or prey of several. A name in both lists is one chain,
which is paired with itself too (two copies), and of a pair and its reverse one is predicted: for all against all give one file
twice. Alignments and hits of the chains are found among --msa by their names, as "denofold prep" finds them; "denofold msa" and
"denofold templates" search for them. Rows are paired by the species of UniProt's names.

Features of a chain are made once, however many pairs it is in, and kept in OUT/chains. Pairs are predicted one after the other, the
preys of a bait together, each into the folder OUT/BAIT_and_PREY; what is done with the same chains, networks and choices is not
predicted again, one that fails costs no other, and then the exit code is 1.

OUT/screen.csv has all pairs, best first: 0.8 ipTM + 0.2 pTM of the best prediction, and of the best interface between bait and
prey ipTM, mean aligned error, pDockQ and pDockQ2; contacts and clashes of all of these. OUT/report.html shows the first --top.

--dry-run tells pairs, memory and the time that they take at least at the adapter's measured roofs, with alignments that fill
the networks' rows; nothing is prepared or predicted.

Examples:
  denofold screen baits.fasta preys.fasta --msa alignments/ --weights params_model_1_multimer_v3.npz --dry-run
  denofold screen baits.fasta preys.fasta --msa alignments/ --weights params_model_1_multimer_v3.npz --top 20 --out screen
  denofold screen all.fasta all.fasta --no-self --weights weights/ --models model_1_multimer_v3 --num-recycles 3`;

/** Files of a screen beside the pairs' folders. */
const REPORT = "report.html", TABLE = "screen.csv";

/** Most bytes of chains' features that stay in memory. */
const HELD_BYTES = 2 ** 31;

/** Adds `denofold screen`. */
export function register(program: Command): void {
  program.command("screen")
    .description("predict every bait with every prey and rank the pairs by their interfaces")
    .argument("<baits>", "FASTA or table")
    .argument("<preys>", "FASTA or table")
    .optionsGroup("Input:")
    .option("--weights <file>", "file, folder, or random:SEED", Deno.env.get("DENOFOLD_WEIGHTS"))
    .option("--models <presets>", "presets, comma-separated (default: those of the weights)", presets)
    .option("--msa <paths...>", "alignments and hits of the chains, files and folders")
    .option("--templates <paths...>", "structures of the PDB (files, folders) for the hits of .hhr files")
    .option("--max-templates <n>", "most templates a chain", nonNegativeInteger, 4)
    .option("--no-self", "leave pairs of a chain with itself out")
    .addOption(
      new Option("--pairing <mode>", "how rows are paired by species: where two chains have it, or all")
        .choices(["greedy", "complete", "none"]).default("greedy"),
    )
    .optionsGroup("Network:")
    .option("--num-recycles <n>", "iterations after the first (default: at most 20, ending early)", nonNegativeInteger)
    .option(
      "--linker [residues]",
      "predict with weights for single chains, a pair as one chain with a gap in its numbers",
      positiveInteger,
    )
    .option("--recycle-tolerance <angstrom>", "end recycling when distances change less", nonNegativeNumber)
    .option("--max-msa <n>", "most rows in the main stack (default: the preset's)", positiveInteger)
    .option("--max-extra-msa <n>", "most rows in the extra stack (default: the preset's)", positiveInteger)
    .option("--seeds <list>", "seeds, comma-separated; every network runs with each", seedList, [0])
    .option("--config <file>", "JSON with other sizes than the preset's, for small networks")
    .addOption(
      new Option("--weights-dtype <type>", "how matrices of blocks are held on the device; 16 bits halve their memory")
        .choices(WEIGHTS_DTYPES).default("f32"),
    )
    .addOption(fullStorageOption())
    .optionsGroup("Output:")
    .option("--out <dir>", "folder for the results", "screen")
    .option("--top <n>", "pairs that the report shows and that are printed", positiveInteger, 10)
    .addOption(
      new Option("--sort-by <what>", "what ranks the pairs (default: score, with --linker pdockq)").choices(SORT_KEYS),
    )
    .addOption(
      new Option("--format <names>", "whose names the pairs' files get").choices(["alphafold", "colabfold", "both"])
        .default("alphafold"),
    )
    .option("--overwrite", "predict again what is done")
    .optionsGroup("Run:")
    .option("--dry-run", "tell what would be predicted, its memory and its time, and stop")
    .option("--jobs <n>", "chains prepared at the same time (default: one a CPU core)", positiveInteger)
    .option("--strict", "missing templates and unknown residues are errors")
    .option("--offline", "promise that nothing is fetched: no driver is")
    .option("--memory <gib>", "memory for it, in GiB (default: on software adapters, what there is)", positiveNumber)
    .addOption(deviceOption())
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  weights?: string;
  models?: AlphaFoldPreset[];
  msa?: string[];
  templates?: string[];
  maxTemplates: number;
  self: boolean;
  pairing: "greedy" | "complete" | "none";
  numRecycles?: number;
  linker?: number | true;
  recycleTolerance?: number;
  maxMsa?: number;
  maxExtraMsa?: number;
  seeds: number[];
  config?: string;
  weightsDtype: WeightsDtype;
  storage: FullStorageFlag;
  out: string;
  top: number;
  sortBy?: SortKey;
  format: OutputFormat;
  overwrite?: boolean;
  dryRun?: boolean;
  jobs?: number;
  strict?: boolean;
  offline?: boolean;
  memory?: number;
  device: string;
  json?: boolean;
}

async function run(baits: string, preys: string, flags: Flags): Promise<void> {
  const { out, json, top, seeds, weightsDtype, maxTemplates } = flags;
  if (flags.weights === undefined) {
    throw new UsageError("--weights is missing: give a file or folder of a multimer preset, or random:SEED");
  }
  const models = await planModels(flags.weights, flags.models, await choicesOf(flags.config), { complexes: true });
  const single = models.find(({ config }) => !config.multimer);
  if (single && flags.linker === undefined) {
    throw new InputError(
      `${single.preset} is for single chains: take weights of a multimer preset, such as model_1_multimer_v3, or ` +
        "--linker to predict pairs as one chain",
    );
  }
  const sortBy = flags.sortBy ?? (single ? "pdockq" : "score");
  const plan = await planScreen(baits, preys, { files: flags.msa, templates: flags.templates, self: flags.self });
  if (!flags.dryRun) {
    await refuseOtherRun(out, [REPORT, TABLE]);
    await makeWritableFolder(out);
    await removeLeftovers(out, [REPORT, TABLE]);
  }
  const { adapter, notes } = await ensureAdapter({ device: flags.device, install: !flags.offline });
  const device = await openDevice(adapter, { long: true });
  storeAs(device, flags.storage);
  const say = (line: string) => json || console.error(line);
  for (const note of [...noticesOf(models), ...notes, ...plan.notes]) say(`note: ${note}`);
  using interrupt = onInterrupt("Stopping; what is done is kept. Press Ctrl-C again to stop at once.");
  const memoryBytes = memoryBytesOf(device, flags.memory);
  const sizes = { maxRecycles: flags.numRecycles, maxMsaClusters: flags.maxMsa, maxExtraMsa: flags.maxExtraMsa };
  if (flags.dryRun) {
    try {
      const progress = json ? undefined : startProgress({ label: "Sizes", total: plan.pairs.length, tellsTime: false });
      const roofs = await cachedRoofs(device);
      const pairs = forecastScreen(device, plan.pairs, models, {
        ...{ ...sizes, seeds: seeds.length, weightsDtype, roofs, memoryBytes },
        onSizes: (done, all) => progress?.update(Math.floor(done / all * plan.pairs.length), `${done} of ${all} sizes`),
      });
      progress?.stop();
      return tellForecast(plan.chains.length, pairs, flags);
    } finally {
      device.close();
    }
  }
  const progress = predictProgress(json ?? false, models.length * seeds.length, (preset) => {
    return models.find((model) => model.preset === preset)!.config.evoformer.nBlock;
  });
  const started = performance.now();
  const held = new Map<string, HeldWeights>();
  let rows: ScreenRow[], store: ChainStore;
  try {
    const bar = json ? undefined : startProgress({ label: "Chains", total: plan.chains.length });
    store = await ChainStore.make(join(out, "chains"), plan.chains, {
      ...{ maxTemplates, strict: flags.strict ?? false, templates: plan.templates, signal: interrupt.signal },
      jobs: flags.jobs ?? navigator.hardwareConcurrency,
      memoryBytes: Math.min(HELD_BYTES, Deno.systemMemoryInfo().available / 8),
      onDone(done, { id, status, error }) {
        if (status === "failed") bar?.log(`${id}: ${error}`);
        bar?.update(done, id);
      },
    });
    bar?.stop();
    for (const note of store.notes) say(`note: ${note}`);
    rows = await runScreen(device, plan.pairs, store, models, {
      ...{ ...sizes, out, seeds, weightsDtype, format: flags.format, version: config.version },
      rankBy: single ? "plddt" : "multimer",
      tolerance: flags.recycleTolerance,
      overwrite: flags.overwrite ?? false,
      linker: flags.linker === true ? LINKER : flags.linker,
      complex: flags.pairing === "none" ? { pairing: "none" } : { mode: flags.pairing },
      checkFits: memoryCheck(device, flags, memoryBytes),
      signal: interrupt.signal,
      tell: { ...progress.events, loaded: (preset, own) => held.set(preset, own) },
      onPair({ pair, status, reason, score, seconds }, done) {
        progress.stop();
        const how = status === "failed"
          ? `failed: ${reason}`
          : `${status === "kept" ? "done before, kept" : `${Math.round(seconds)} s`}${
            score == null ? "" : `, score ${score.toFixed(3)}`
          }`;
        progress.log(`${pair} (${done} of ${plan.pairs.length}): ${how}`);
      },
    });
  } finally {
    progress.stop();
    device.close();
  }
  const best = ranked(rows, sortBy);
  const seconds = (performance.now() - started) / 1000;
  const facts = { models, adapter: device.traits.description, seconds, version: config.version, held };
  const [report, table] = [join(out, REPORT), join(out, TABLE)];
  await writeFileAtomic(report, await renderPredictReport(await screenReport(out, best, top, facts)));
  await writeFileAtomic(table, screenCsv(best));
  const failed = best.filter(({ status }) => status === "failed").length;
  if (failed > 0) Deno.exitCode = EXIT.failure;
  if (json) {
    const chains = { prepared: store.prepared, unchanged: store.unchanged };
    const left = plan.pairs.length - rows.length;
    const notices = noticesOf(models), pairs = best.map((row, k) => ({ rank: k + 1, ...row }));
    return console.log(JSON.stringify({ pairs, left, chains, report, table, sortBy, notices }, undefined, 2));
  }
  console.log(rankingText(best.slice(0, top), sortBy));
  const left = plan.pairs.length - rows.length;
  console.log(
    `${counted(rows.length - failed, "pair")} predicted${failed ? `, ${failed} failed` : ""}${
      left ? `, ${left} not begun` : ""
    }  ${table}  ${report}`,
  );
}

function rankingText(rows: readonly ScreenRow[], sortBy: SortKey): string {
  return rows.filter(({ status }) => status !== "failed").map((row, k) => {
    const scores = SORT_KEYS.map((key) =>
      `${key} ${row[key]?.toFixed(key === "pae" ? 1 : 3) ?? "-"}${key === sortBy ? "*" : ""}`
    );
    return `${String(k + 1).padStart(4)}  ${row.bait} - ${row.prey}: ${scores.join(", ")}`;
  }).join("\n");
}

/** Prints what a screen would cost. */
function tellForecast(chains: number, pairs: readonly PairForecast[], { json, top }: Flags): void {
  const total = (of: (pair: PairForecast) => number) => pairs.reduce((sum, pair) => sum + of(pair), 0);
  const peakBytes = Math.max(...pairs.map(({ peakBytes }) => peakBytes));
  const seconds = pairs.some(({ seconds }) => seconds === null) ? null : total(({ seconds }) => seconds!);
  const tooLarge = pairs.filter(({ fits }) => fits === false).length;
  const finite = (bytes: number) => Number.isFinite(bytes) ? bytes : null;
  if (json) {
    const told = pairs.map((pair) => ({ ...pair, peakBytes: finite(pair.peakBytes) }));
    const sums = { chains, peakBytes: finite(peakBytes), flops: total(({ flops }) => flops), seconds, tooLarge };
    return console.log(JSON.stringify({ ...sums, pairs: told }, undefined, 2));
  }
  const gib = (bytes: number) => Number.isFinite(bytes) ? `${(bytes / 2 ** 30).toFixed(2)} GiB` : "past the limits";
  const time = (s: number | null) => s === null ? "time not known" : s < 90 ? `${s.toFixed(1)} s` : hours(s);
  const largest = pairs.toSorted((a, b) => b.residues - a.residues).slice(0, top);
  for (const { bait, prey, residues, peakBytes, fits, seconds } of largest) {
    const place = fits === false ? ", does not fit" : "";
    console.log(`${bait} - ${prey}: ${residues} residues, ${gib(peakBytes)}${place}, at least ${time(seconds)}`);
  }
  if (pairs.length > top) console.log(`… the largest ${top} of ${pairs.length}`);
  console.log(
    `${counted(pairs.length, "pair")} of ${counted(chains, "chain")}, whose features are made once each; at most ` +
      `${gib(peakBytes)}${tooLarge ? `, ${tooLarge} too large` : ""}; at least ${time(seconds)} in all`,
  );
}

function hours(seconds: number): string {
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
