import type { Precision } from "../../core/mod.ts";
import { type Command, InvalidArgumentError, Option } from "commander";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import type { AlphaFoldPreset } from "../../model/alphafold/mod.ts";
import { WEIGHTS_DTYPES, type WeightsDtype } from "../../model/weights/load_weights.ts";
import { InputError, UsageError } from "../errors.ts";
import { makeWritableFolder, removeLeftovers, writeFileAtomic } from "../files.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { shippedFolder } from "../platform/shipped.ts";
import { openDevice } from "../platform/open_device.ts";
import { type FullStorageFlag, fullStorageOption, storeAs } from "./_storage.ts";
import { predictTargets } from "../predict/collect.ts";
import { planModels } from "../predict/models.ts";
import { noticesOf } from "../predict/planned_model.ts";
import type { HeldWeights } from "../predict/network.ts";
import { type AlignmentSearch, alignmentSearch } from "../predict/find_alignments.ts";
import { cacheFolder } from "../platform/cache.ts";
import type { RankBy } from "../predict/prediction.ts";
import { findRelaxPython } from "../predict/relax.ts";
import { relaxFolder } from "../predict/relax_folder.ts";
import { renderPredictReport } from "../predict/report.ts";
import { predictAll, type TargetResult } from "../predict/run.ts";
import { shippedModel } from "../predict/shipped_model.ts";
import { reportOf } from "../predict/run_report.ts";
import { summaryCsv } from "../predict/summary.ts";
import type { OutputFormat } from "../predict/target_files.ts";
import { serverUrl } from "../search/jobs.ts";
import { SERVER_MODES, type ServerMode, USER_AGENT } from "../search/msa_server.ts";
import type { MsaTool } from "../search/search_msa.ts";
import { CORES } from "./_search.ts";
import { counted } from "../words.ts";
import {
  deviceOption,
  EXIT,
  nonNegativeInteger,
  nonNegativeNumber,
  onInterrupt,
  positiveInteger,
  positiveNumber,
  precisionOption,
} from "./_shared.ts";
import { refuseOtherRun } from "./_folder.ts";
import { choicesOf, LINKER, memoryBytesOf, memoryCheck, presets, seedList } from "./_predict_flags.ts";
import { predictProgress } from "./_predict_progress.ts";

const HELP = `
INPUTS are files and folders as for "denofold prep": sequences (.fasta), alignments (.a3m, .sto), ColabFold's lists of jobs
(.csv), hits (.hhr), structures whose residue numbers are kept, or feature files of prep (.safetensors). Alignments for
sequences that come without are searched with --msa-tool and --msa-db, or by the server of --msa-server, which is the only
way in which anything is sent; else a sequence is predicted alone, which is much less accurate. Where --msa gives alignments,
nothing is searched for. What was found is kept in OUT/TARGET/msas.

Without --weights the small network of pretrained/small predicts, where one ships. It learned a few families of proteins and knows
nothing of others; its card stands beside it, and all that it predicts says so. --demo folds two proteins that it has not seen.

Where an input is a structure, the prediction is measured by it (lDDT-CA, TM-score, RMSD), and the report shows both;
of a complex (a structure of its name, or --assembly) also chain by chain, with the DockQ of its interfaces, in experiment.json.

COMPLEXES are sequences with ":" between chains, or with --complex all sequences of a FASTA file; weights are those of a multimer
preset. Each distinct chain has its own alignments and hits, in a folder or under a name TARGET_A, TARGET_B … (or the record's).
Rows are paired by the species of UniProt's names in alignments named after uniprot, which serve for nothing else; alignments named
paired… are paired row by row, and ColabFold's alignments of complexes (first line #10,8<TAB>1,2) have all rows. Files name chains A, B … in the order given; interfaces_*.json has ipTM, mean aligned error,
contacts, pLDDT, pDockQ, pDockQ2 and clashes of each pair.

WEIGHTS: OpenFold's .pt, AlphaFold's params_*.npz or safetensors; a folder of them, each named after its preset; or random:SEED
for the full-size network without meaning. "denofold weights download" fetches the published files.

OUT gets a folder a target (ranked structures as PDB and ModelCIF with pLDDT as B-factors, aligned errors, scores, times), and
report.html and summary.csv of the run. A target that is done is not predicted again; one that fails costs no other, and the exit code
is 1.

--weights-dtype: matrices of blocks, 97 % of the parameters, are rounded to float16 or bfloat16 and held in 16 bits, which takes
52 % of the memory; sums stay f32. Measured on the full-size network with random weights and 29 residues, against f32 weights:
positions differ by at most 0.08 % (f16) and 0.5 % (bf16) of the largest coordinate, expected distances by 0.013 % and 0.11 %.
What rounding cost the weights of a run is in config.json, the ModelCIF files, the report, and --json.

--storage: f16 keeps what modules need on the way in 16 bits, f16-all the MSA's and the pairs' representations too; sums stay f32.
Measured with four blocks of the full width, random weights and 29 residues, against f32 (root mean square): positions differ by
0.10 % (f16) and 0.27 % (f16-all), the pair representation by 0.03 % and 0.13 %, pLDDT by at most 0.003 and 0.01.

Examples:
  denofold predict --demo
  denofold predict query.a3m --weights params_model_1_ptm.npz --out prediction
  denofold predict targets.fasta alignments/ --weights weights/ --models model_1_ptm,model_2_ptm --num-recycles 3 --out runs/x
  denofold predict query.fasta --weights random:1 --num-recycles 0 --out test`;

/** Files of a run beside the targets' folders. */
const REPORT = "report.html", SUMMARY = "summary.csv";

/** Adds `denofold predict`. */
export function register(program: Command): void {
  program.command("predict")
    .description("predict structures with AlphaFold 2, with confidence, files and a report")
    .argument("[inputs...]", "files and folders")
    .optionsGroup("Input:")
    .option(
      "--weights <file>",
      "file, folder, or random:SEED (default: the small network, where one ships)",
      Deno.env.get("DENOFOLD_WEIGHTS"),
    )
    .option("--demo", "predict the proteins of examples/held_out, beside their experimental structures")
    .option("--models <presets>", "presets, comma-separated (default: those of the weights)", presets)
    .option("--msa <files...>", "alignments, as if they were inputs")
    .addOption(
      new Option("--msa-tool <name>", "search alignments for sequences that come without, as denofold msa does")
        .choices(["jackhmmer", "hhblits", "mmseqs"]).conflicts(["msa", "msaServer"]),
    )
    .addOption(new Option("--msa-db <paths...>", "databases for --msa-tool"))
    .option(
      "--pair-db <path>",
      "UniProt in FASTA, in which jackhmmer searches for rows of complexes to be paired by species",
    )
    .addOption(
      new Option("--msa-server <url>", "the same, by a server of ColabFold's protocol; the sequences are sent to it")
        .conflicts(["msa", "offline"]),
    )
    .addOption(
      new Option("--server-mode <mode>", "what the server does").choices(
        SERVER_MODES.filter((mode) => !mode.startsWith("pair")),
      ).default("env"),
    )
    .option("--user-agent <text>", "what the server is told of you", USER_AGENT)
    .option("--templates <paths...>", "structures of the PDB (files, folders) for the hits of an .hhr file")
    .option(
      "--template <files...>",
      "own structures as templates; they are aligned here, whatever their names and dates",
    )
    .option("--max-templates <n>", "most templates of an .hhr file", nonNegativeInteger, 4)
    .option(
      "--first-residue <n>",
      "number of the first residue (default: that of the structure given, else 1)",
      wholeNumber,
    )
    .option(
      "--assembly <id>",
      "structures are complexes, of this biological assembly (mmCIF) or, asymmetric, of the chains as they stand",
    )
    .option("--complex", "the sequences of a FASTA file are the chains of one complex, named after the file")
    .optionsGroup("Network:")
    .option(
      "--num-recycles <n>",
      "iterations after the first (default: 3; of multimer presets at most 20, ending early)",
      nonNegativeInteger,
    )
    .option(
      "--linker [residues]",
      "predict complexes with weights for single chains, as one chain with a gap in its numbers",
      positiveInteger,
    )
    .option("--recycle-tolerance <angstrom>", "end recycling when distances change less", nonNegativeNumber)
    .option("--max-msa <n>", "most rows in the main stack (default: 512)", positiveInteger)
    .option(
      "--max-extra-msa <n>",
      "most rows in the extra stack (default: the preset's, 1024 or 5120)",
      positiveInteger,
    )
    .option("--num-ensemble <n>", "samples of the alignment that are averaged over", positiveInteger, 1)
    .option("--seeds <list>", "seeds, comma-separated; every network runs with each", seedList, [0])
    .option("--config <file>", "JSON with other sizes than the preset's, for small networks")
    .option("--print-config", "print the configurations as JSON, and stop")
    .addOption(
      new Option("--weights-dtype <type>", "how matrices of blocks are held on the device; 16 bits halve their memory")
        .choices(WEIGHTS_DTYPES).default("f32"),
    )
    .addOption(fullStorageOption())
    .optionsGroup("Output:")
    .option("--out <dir>", "folder for the results", "prediction")
    .addOption(
      new Option(
        "--rank-by <what>",
        "what ranks predictions; multimer is 0.8 ipTM + 0.2 pTM (default: plddt, of multimer presets multimer)",
      ).choices(["plddt", "ptm", "multimer"]),
    )
    .addOption(
      new Option("--format <names>", "whose names the files get").choices(["alphafold", "colabfold", "both"]).default(
        "alphafold",
      ),
    )
    .option("--save-representations", "write single and pair representation of the last iteration")
    .option(
      "--save-attention",
      "write the Evoformer's attention in the last iteration, the mean over rows of every head",
    )
    .option("--relax", "relax the best prediction with OpenMM when all are written")
    .option("--openmm-python <program>", "Python with OpenMM and PDBFixer")
    .option("--overwrite", "predict again what is done")
    .optionsGroup("Run:")
    .option("--strict", "missing templates and unknown residues are errors")
    .option("--offline", "promise that nothing is fetched or sent: --msa-server is refused, no driver is fetched")
    .option(
      "--memory <gib>",
      "memory for it, in GiB (default: on software adapters, what the machine has)",
      positiveNumber,
    )
    .addOption(deviceOption())
    .addOption(precisionOption())
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  demo?: boolean;
  weights?: string;
  models?: AlphaFoldPreset[];
  msa?: string[];
  msaTool?: MsaTool;
  msaDb?: string[];
  pairDb?: string;
  msaServer?: string;
  serverMode: ServerMode;
  userAgent: string;
  offline?: boolean;
  templates?: string[];
  template?: string[];
  maxTemplates: number;
  firstResidue?: number;
  numRecycles?: number;
  recycleTolerance?: number;
  maxMsa?: number;
  maxExtraMsa?: number;
  numEnsemble: number;
  seeds: number[];
  config?: string;
  printConfig?: boolean;
  out: string;
  rankBy?: RankBy;
  assembly?: string;
  complex?: boolean;
  linker?: number | true;
  format: OutputFormat;
  weightsDtype: WeightsDtype;
  storage: FullStorageFlag;
  saveRepresentations?: boolean;
  saveAttention?: boolean;
  relax?: boolean;
  openmmPython?: string;
  overwrite?: boolean;
  strict?: boolean;
  memory?: number;
  device: string;
  precision: Precision;
  json?: boolean;
}

async function run(given: string[], flags: Flags): Promise<void> {
  const { out, json } = flags;
  const weights = flags.weights ?? await shippedModel();
  if (weights === undefined) {
    throw new UsageError(
      "--weights is missing, and no network ships with this denofold: give a file, a folder, or random:SEED; " +
        "`denofold weights download` lists published files",
    );
  }
  const inputs = flags.demo ? [...given, join(await shippedFolder("examples"), "held_out")] : given;
  const models = await planModels(weights, flags.models, await choicesOf(flags.config), { complexes: true });
  if (flags.printConfig) return console.log(JSON.stringify(models.map((model) => model.config), undefined, 2));
  if (inputs.length === 0) throw new UsageError("There are no inputs: give sequences, alignments or feature files");
  const withoutTm = models.find(({ config }) => !config.heads.tm);
  const rankBy = flags.rankBy ?? (models.every(({ config }) => config.multimer) ? "multimer" : "plddt");
  if (rankBy !== "plddt" && withoutTm) {
    throw new UsageError(`--rank-by ${rankBy} needs networks with pTM, ${withoutTm.preset} has none`);
  }
  const search = searchOf(flags);
  const python = flags.relax ? await findRelaxPython(flags.openmmPython) : undefined;
  const { targets, templates, notes } = await predictTargets([...inputs, ...flags.msa ?? []], flags.templates, {
    asOne: flags.complex,
    assembly: flags.assembly,
  });
  await refuseOtherRun(out, [REPORT, SUMMARY]);
  await makeWritableFolder(out);
  await removeLeftovers(out, [REPORT, SUMMARY]);
  const { adapter, notes: adapterNotes } = await ensureAdapter({ device: flags.device, install: !flags.offline });
  const device = await openDevice(adapter, { precision: flags.precision, long: true });
  storeAs(device, flags.storage);
  if (!json) { for (const note of [...noticesOf(models), ...adapterNotes, ...notes]) console.error(`note: ${note}`); }
  using interrupt = onInterrupt("Stopping; what is done is kept. Press Ctrl-C again to stop at once.");
  const progress = predictProgress(json ?? false, models.length * flags.seeds.length, (preset) => {
    return models.find((model) => model.preset === preset)!.config.evoformer.nBlock;
  });
  const started = performance.now();
  let results: TargetResult[];
  const held = new Map<string, HeldWeights>();
  try {
    const memoryBytes = memoryBytesOf(device, flags.memory);
    results = await predictAll(device, targets, models, {
      ...{ out, rankBy, seeds: flags.seeds, format: flags.format, version: config.version },
      maxRecycles: flags.numRecycles,
      tolerance: flags.recycleTolerance,
      maxMsaClusters: flags.maxMsa,
      maxExtraMsa: flags.maxExtraMsa,
      ensemble: flags.numEnsemble,
      overwrite: flags.overwrite ?? false,
      saveRepresentations: flags.saveRepresentations ?? false,
      saveAttention: flags.saveAttention ?? false,
      firstResidue: flags.firstResidue,
      linker: flags.linker === true ? LINKER : flags.linker,
      findAlignments: search && alignmentSearch({ ...search, out, signal: interrupt.signal, log: progress.log }),
      weightsDtype: flags.weightsDtype,
      prepare: {
        strict: flags.strict,
        maxTemplates: flags.maxTemplates,
        findTemplate: (code) => templates.get(code),
        ownTemplates: flags.template,
      },
      checkFits: memoryCheck(device, flags, memoryBytes),
      signal: interrupt.signal,
      tell: { ...progress.events, loaded: (preset, own) => held.set(preset, own) },
    });
  } finally {
    progress.stop();
    device.close();
  }
  const facts = {
    models,
    adapter: device.traits.description,
    seconds: (performance.now() - started) / 1000,
    version: config.version,
    held,
  };
  const relaxed = python ? await relaxAll(results, python, interrupt.signal, json ?? false) : undefined;
  const report = join(out, REPORT), summary = join(out, SUMMARY);
  await writeFileAtomic(report, await renderPredictReport(reportOf(results, facts)));
  await writeFileAtomic(summary, summaryCsv(results));
  const bad = results.filter(({ status }) => status === "failed");
  if (bad.length > 0) Deno.exitCode = EXIT.failure;
  if (json) {
    const targets = results.map(({ data: _, ...result }) => ({ reason: null, best: null, ...result }));
    return console.log(
      JSON.stringify(
        {
          targets,
          left: targets.length - results.length,
          report,
          summary,
          weights: Object.fromEntries(held),
          notices: noticesOf(models),
          relaxed: relaxed ?? null,
        },
        undefined,
        2,
      ),
    );
  }
  for (const { id, reason } of bad) console.error(`denofold: ${id}: ${reason}`);
  const done = results.length - bad.length;
  for (const { id, best } of results) {
    if (!best?.experiment) continue;
    const { lddt, tmScore, caRmsd, allAtomRmsd } = best.experiment;
    console.log(
      `${id} beside its experimental structure: lDDT-CA ${lddt.toFixed(3)} (predicted ${
        (best.meanPlddt / 100).toFixed(3)
      }), TM-score ${tmScore.toFixed(3)}, RMSD ${caRmsd.toFixed(2)} A of CA, ${allAtomRmsd.toFixed(2)} A of all atoms`,
    );
  }
  console.log(`${counted(done, "target")} predicted${bad.length ? `, ${bad.length} failed` : ""}  ${report}`);
}

/** Where alignments are searched for; undefined: nowhere. */
function searchOf(flags: Flags): Omit<AlignmentSearch, "out" | "signal" | "log"> | undefined {
  const { msaTool: tool, msaDb: db, pairDb, msaServer, serverMode, userAgent } = flags;
  if (db && !tool) throw new UsageError("--msa-db needs --msa-tool");
  if (pairDb && !tool) throw new UsageError("--pair-db needs --msa-tool: a server pairs rows of its own");
  if (tool && !db) throw new UsageError(`--msa-tool ${tool} needs a database: --msa-db PATH`);
  const server = msaServer === undefined ? undefined : serverUrl(msaServer);
  if (!tool && !server) return undefined;
  if (server) {
    console.error(
      `Sequences without an alignment are sent to ${server}, which others run; answers are kept in ${cacheFolder()}`,
    );
  }
  return {
    ...{ tool, db, pairDb, server, serverMode, userAgent },
    maxRows: 10_000,
    cpu: CORES,
    cache: true,
    format: "a3m",
  };
}

async function relaxAll(
  results: readonly TargetResult[],
  python: string,
  signal: AbortSignal,
  json: boolean,
): Promise<{ id: string; error: string | null }[]> {
  const outcomes: { id: string; error: string | null }[] = [];
  for (const { id, folder, status } of results) {
    if (status === "failed" || signal.aborted) continue;
    try {
      if (!json) console.error(`Relaxing ${id} …`);
      await relaxFolder(folder, { python, signal, most: 1 });
      outcomes.push({ id, error: null });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      outcomes.push({ id, error: error.message });
      if (!json) console.error(`denofold: ${error.message}; the prediction is there unrelaxed`);
    }
  }
  return outcomes;
}

function wholeNumber(value: string): number {
  if (/^[+-]?\d+$/.test(value.trim())) return Number(value);
  throw new InvalidArgumentError("Expected a whole number.");
}
