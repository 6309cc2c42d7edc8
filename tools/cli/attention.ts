import { type Command, InvalidArgumentError } from "commander";
import { basename } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { ATTENTION_KINDS, type AttentionKind } from "../../model/layers/attention_capture.ts";
import { captureAttention, KIND_NAMES, MOST_NUMBERS, USUAL_NUMBERS } from "../attention/capture.ts";
import {
  type AttentionContext,
  attentionContext,
  attentionData,
  type AttentionResult,
  attentionTensors,
} from "../attention/files.ts";
import { renderAttention } from "../attention/html.ts";
import { msaTokens } from "../data/family.ts";
import { readAlignment } from "../data/read_alignment.ts";
import { readStructure } from "../data/read_structure.ts";
import { selectChain } from "../data/structure.ts";
import { InputError, UsageError } from "../errors.ts";
import { writeTogether } from "../files.ts";
import { findRow } from "../fold/find_row.ts";
import { checkTruth } from "../fold/read_truth.ts";
import { readAttentionModel } from "../networks/read_network.ts";
import { adapterName, ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { type FeatureFile, readFeatureFile } from "../prep/feature_file.ts";
import { chosen, featureAlignment, featureChain, featureEntries } from "../train/feature_examples.ts";
import { counted, listed } from "../words.ts";
import { folderForProfile, folderForRun, overwriteOption } from "./_folder.ts";
import { addProfileOptions, type ProfileFlags, withProfile } from "./_profile_flags.ts";
import { networkSizeOption } from "./_sizes.ts";
import { commandLine, deviceOption, tellRemarks } from "./_shared.ts";

const HELP = `
Files in DIR: attention.html (heat maps; open it in a browser) and attention.safetensors:
  blocks.0.msa_row_attention            [head, N_res, N_res]    mean over all sequences; each row sums to 1
  blocks.0.msa_column_attention         [head, N_seq, N_seq]    mean over all residues
  blocks.0.triangle_attention_starting  [head, N_res, N_res]    mean over all residues i; query j, key k
  blocks.0.triangle_attention_ending    [head, N_res, N_res]    the same
  blocks.0.msa_column_attention.slices  [row, head, query, key] single rows: residues, for row attention sequences
  msa_column_attention.rows             [row]                   which, from 0
  hamming [N_seq, N_seq]; order [N_seq] and linkage [N_seq - 1, 4], as scipy's, of the clustering; alpha_distances (Å)
Names of the sequences, the target's sequence and the heads are in the metadata.

Single rows are kept of the residues chosen (${
  USUAL_NUMBERS / 1e6
} million numbers of them, evenly spread, if none are) and of the
target's sequence; with --full of all residues and sequences, up to ${4 * MOST_NUMBERS / 2 ** 30} GiB.

Clustering: Ward's method on the Hamming distance of the rows over the target's residues, gaps counting as a letter; heights
are those of scipy's linkage(pdist(x, "hamming"), "ward"). Branches are turned so that the target comes first.

PARAMETERS are a checkpoint of "denofold train", or published weights. A published network reads all rows in its main stack, and
its attention is that of the last iteration of recycling.

Examples:
  denofold attention run/checkpoint.safetensors fingers.a3m --out attention
  denofold attention run/checkpoint.safetensors fingers.a3m --query 1znf --structure 1znf.cif --layers 0,2-3 --residue 4,7
  denofold attention run/best.safetensors --features features/ --query 1abc_A`;

/** Adds `denofold attention`. */
export function register(program: Command): void {
  const command = program.command("attention <parameters> [alignment]")
    .description("record the attention of a trained or published network and show it as heat maps")
    .option("--out <dir>", "folder for the files (default: attention, or attention-2 where that holds a run, ...)")
    .addOption(overwriteOption())
    .option("--query <name>", "row to look from, the target (default: the first)")
    .option(
      "--features <dir>",
      "instead of an alignment: feature files that denofold prep made, --query naming the target",
    )
    .addOption(
      networkSizeOption("n-seq", "numSeqs", "sequences (default: as many as the model was made for)"),
    )
    .option("--layers <list>", "layers (blocks), from 0: 0,2-3 (default: all)", numberList(0))
    .option("--heads <list>", 'heads, from 0, or "mean" for the mean over heads (default: all)', headList)
    .option("--kinds <list>", `kinds: ${Object.values(KIND_NAMES).join(",")} (default: all)`, kindList)
    .option("--residue <list>", "residues of the target, from 1, whose own maps are kept: 5,8-10", numberList(1))
    .option("--full", "keep the maps of all residues and all sequences")
    .option("--structure <file>", "the target's structure, mmCIF or PDB, for its C-alpha distances")
    .option("--chain <id>", "chain of the structure (default: its only one)")
    .option("--no-cluster", "leave the sequences in the order of the alignment")
    .addOption(deviceOption())
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
  addProfileOptions(command);
}

interface Flags extends ProfileFlags {
  out?: string;
  overwrite?: boolean;
  query?: string;
  features?: string;
  numSeqs?: number;
  layers?: number[];
  heads?: number[] | "mean";
  kinds?: AttentionKind[];
  residue?: number[];
  full?: boolean;
  structure?: string;
  chain?: string;
  cluster: boolean;
  profileDir?: string;
  device: string;
  json?: boolean;
}

async function run(checkpoint: string, alignmentFile: string | undefined, flags: Flags): Promise<void> {
  const { layers: blocks, heads, kinds, residue, full, cluster, json } = flags;
  if ((alignmentFile === undefined) === (flags.features === undefined)) {
    throw new UsageError("Give one of an alignment and --features");
  }
  if (flags.features !== undefined && flags.structure !== undefined) {
    throw new UsageError("--structure goes with an alignment: feature files have their own structures");
  }
  if (flags.chain !== undefined && flags.structure === undefined) throw new UsageError("--chain needs --structure");
  const model = await readAttentionModel(checkpoint);
  const feature = flags.features === undefined ? undefined : await featureFile(flags.features, flags.query);
  const source = feature?.path ?? alignmentFile!;
  const all = feature ? featureAlignment(feature.file, source) : await readAlignment(source);
  tellRemarks(all);
  const read = msaTokens(all, feature ? 0 : findRow(all, flags.query), flags.numSeqs ?? model.sequences);
  const { names, rows: alignment } = read;
  const owner = `Row "${names[0]}" of ${source}`;
  const nRes = alignment[0].length;
  model.checkLength(nRes, owner);
  const structure = flags.structure === undefined ? undefined : await readStructure(flags.structure);
  if (structure) tellRemarks(structure);
  const chain = feature ? featureChain(feature.file) : structure && selectChain(structure, flags.chain);
  if (structure && chain) checkTruth(owner, alignment[0], chain, structure.source);

  const out = await folderForRun(flags.out, "attention", flags);
  const { adapter, notes } = await ensureAdapter({ device: flags.device, install: true });
  if (!json) { for (const note of notes) console.error(note); }
  const device = await openDevice(adapter);
  try {
    const { result: captured, files: profiled } = await withProfile(flags, device, {
      ...{ name: "attention", settings: { residues: nRes, sequences: names.length } },
      ...{ folder: await folderForProfile(flags.profileDir, out, flags), silent: json },
    }, async () => {
      const residues = residue?.map((number) => number - 1);
      return await captureAttention(device, model, read, { blocks, heads, kinds, residues, full });
    });
    const result = {
      ...{ captured, names, alignment, cluster },
      structure: chain && { name: `${structure?.id ?? names[0]}, chain ${chain.id}`, chain },
    };
    const context = attentionContext(result);
    const { remark } = model;
    const origin = { checkpoint, alignment: source, command: commandLine(), ...(remark && { remark }) };
    const [headsMsa, headsPair] = [model.headsOf("msaRowAttention"), model.headsOf("triangleAttentionStarting")];
    const data = attentionData(result, context, {
      title: `Attention on ${names[0]}`,
      summary:
        `${basename(checkpoint)}: ${model.blocks} layers, ${headsMsa} heads in the alignment and ${headsPair} among ` +
        `pairs, on ${names.length} sequences of ${nRes} columns.`,
      created: new Date().toISOString(),
      version: config.version,
      facts: Object.entries({ ...origin, adapter: adapterName(adapter) }),
    });
    const written = await writeTogether(
      out,
      new Map<string, Uint8Array | string>([
        ["attention.safetensors", attentionTensors(result, context, origin)],
        ["attention.html", await renderAttention(data)],
      ]),
    );
    print(result, context, { files: [...written, ...profiled], remark, json });
  } finally {
    device.close();
  }
}

/** The feature file of a target, or the only one. */
async function featureFile(folder: string, query: string | undefined): Promise<{ path: string; file: FeatureFile }> {
  const entries = await featureEntries(folder);
  const { found } = query === undefined ? { found: entries } : chosen(entries, [{ name: query, place: folder }]);
  if (found.length === 1) return { path: found[0].path, file: await readFeatureFile(found[0].path) };
  const there = listed((found.length > 1 ? found : entries).map(({ id }) => id));
  throw new InputError(
    query === undefined
      ? `${folder} has ${entries.length} targets: name one of ${there} by --query`
      : `${folder} has ${found.length} targets "${query}": expected one of ${there}`,
  );
}

function print(
  { captured, names, alignment }: AttentionResult,
  { tree }: AttentionContext,
  { files, remark, json }: { readonly files: readonly string[]; readonly remark?: string; readonly json?: boolean },
): void {
  const layers = captured.blocks;
  const shown = captured.kinds.map(({ kind, heads, rows }) => ({ kind: KIND_NAMES[kind], heads, rows }));
  if (json) {
    const order = tree?.order.map((index) => names[index]) ?? names;
    const all = { sequence: alignment[0], names, order, layers, kinds: shown, remark, files };
    return console.log(JSON.stringify(all, undefined, 2));
  }
  const lines = shown.map(({ kind, heads, rows }) => {
    const single = counted(rows.length, `single ${kind === "row" ? "sequence" : "residue"}`);
    return `   ${kind.padEnd(18)} ${heads.length ? `heads ${heads.join(", ")}` : "mean of heads"}: mean, and ${single}`;
  });
  console.log([
    `${names[0]}: ${alignment[0].length} residues, ${names.length} sequences, layers ${layers.join(", ")}`,
    ...lines,
    ...(remark ? ["", remark] : []),
    ...["", "Files:", ...files.map((path) => `   ${path}`)],
  ].join("\n"));
}

/** Parses `0,2-3` as numbers of at least `first`. */
function numberList(first: number): (text: string) => number[] {
  return (text) => {
    const numbers = text.split(",").flatMap((part) => {
      const [, from, to = from] = /^\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?\s*$/.exec(part) ?? [];
      const [low, high] = [Number(from), Number(to)];
      if (!(low >= first && low <= high)) {
        throw new InvalidArgumentError(
          `Expected numbers from ${first} on, such as ${first + 1},${first + 3}-${first + 5}.`,
        );
      }
      return Array.from({ length: high - low + 1 }, (_, i) => low + i);
    });
    return [...new Set(numbers)].sort((a, b) => a - b);
  };
}

function headList(text: string): number[] | "mean" {
  return text.trim() === "mean" ? "mean" : numberList(0)(text);
}

function kindList(text: string): AttentionKind[] {
  const wanted = text.split(",").map((part) => part.trim());
  const known = Object.values(KIND_NAMES);
  if (wanted.some((name) => !known.includes(name))) {
    throw new InvalidArgumentError(`Expected some of ${known.join(", ")}, with commas between.`);
  }
  return ATTENTION_KINDS.filter((kind) => wanted.includes(KIND_NAMES[kind]));
}
