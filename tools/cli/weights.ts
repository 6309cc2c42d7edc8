import { type Command, InvalidArgumentError, Option } from "commander";
import { resolve } from "node:path";
import {
  ALPHAFOLD_PRESETS,
  alphafoldConfig,
  type AlphaFoldPreset,
  MULTIMER_PRESETS,
} from "../../model/alphafold/mod.ts";
import { fitOf } from "../../model/weights/load_weights.ts";
import { type OpenfoldWeights, openfoldWeights } from "../../model/weights/openfold_weights.ts";
import { toFloat32 } from "../../model/weights/safetensors.ts";
import { countOf, parametersOf } from "../../model/weights/weight_file.ts";
import { asInputError, UsageError } from "../errors.ts";
import { makeWritableFolder, readFileBytes, writeTogether } from "../files.ts";
import { compareWeights, type WeightDifference } from "../weights/compare_weights.ts";
import { convertWeights, weightFormat } from "../weights/convert_weights.ts";
import { downloadWeights, sha256OfFile } from "../weights/download.ts";
import { type OpenedWeights, openWeights } from "../weights/open_weights.ts";
import { packModel } from "../weights/pack.ts";
import { fittingPresets, namedShapes } from "../weights/presets.ts";
import { PUBLISHED } from "../weights/published.ts";
import { counted } from "../words.ts";
import { EXIT, onInterrupt, positiveInteger, startProgress } from "./_shared.ts";

const HELP = `
FILE is OpenFold's .pt (current or older names; read without ever executing a pickle), AlphaFold's params_*.npz, or
safetensors; a path, or an http(s) address on a server that gives ranges. Names are OpenFold's current ones everywhere.

Examples:
  denofold weights download openfold/finetuning_ptm_2 --out weights
  denofold weights inspect weights/finetuning_ptm_2.pt
  denofold weights convert params_model_1_ptm.npz model_1_ptm.safetensors
  denofold weights diff finetuning_ptm_1.pt finetuning_ptm_2.pt --by block`;

/** Adds `denofold weights`. */
export function register(program: Command): void {
  const weights = program.command("weights")
    .description("convert, look at, compare and fetch files of weights")
    .addHelpText("after", HELP);
  weights.command("inspect <file>")
    .description("print what a file of weights holds: format, names, shapes, statistics")
    .option("--statistics", "read all numbers: smallest, largest, root mean square of each")
    .option("--sha256", "compute the file's SHA-256")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  denofold weights inspect params_model_1_ptm.npz --statistics")
    .action(inspect);
  weights.command("check <file>")
    .description(
      "tell which published networks a file's weights fit, and else what it lacks; exit code 1 where it fits none",
    )
    .addOption(new Option("--preset <name>", "the network that it should fit").choices(PRESETS))
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  denofold weights check params_model_1_ptm.npz --preset model_1_ptm")
    .action(check);
  weights.command("convert <in> <out>")
    .description("write weights in another format; the ending of OUT says which: .safetensors, .pt, .npz")
    .option("--template-heads <n>", "heads of the template pointwise attention, for .npz", positiveInteger)
    .option("--overwrite", "replace OUT if it is there")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  denofold weights convert finetuning_ptm_2.pt params_finetuning_ptm_2.npz")
    .action(convert);
  weights.command("diff <first> <second>")
    .description("compare two files parameter by parameter, whatever their formats; exit code 1 where they differ")
    .option("--by <what>", "what a row of the table is: tensor, block, module", groupingOf, "tensor")
    .option("--top <n>", "rows of the table", positiveInteger, 20)
    .option("--json", "print one JSON object with every parameter")
    .addHelpText("after", "\nExample:\n  denofold weights diff finetuning_ptm_1.pt finetuning_ptm_2.pt --by block")
    .action(diff);
  weights.command("pack <run>")
    .description(
      "make a package of what denofold train --model alphafold left: the average in 16 bits, and a model card",
    )
    .requiredOption("--name <text>", "what the network is called")
    .requiredOption("--notice <text>", "a sentence without its full stop that stands beside all that it predicts")
    .option("--about <file>", "Markdown for the card: what it can and cannot do")
    .requiredOption("--out <dir>", "folder of the package")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nThe card tells data, recipe, losses, what was held out, and hashes; runs that --init began with are told too.\n\n" +
        "Example:\n  denofold weights pack small_ft --name 'my network' --notice 'It knows two folds' --out packed\n" +
        "  denofold predict query.a3m --weights packed",
    )
    .action(pack);
  weights.command("download [name]")
    .description("fetch a published file of weights, or list them")
    .option("--out <dir>", "folder for the file", "weights")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  denofold weights download alphafold/model_1_ptm --out weights")
    .action(download);
}

async function open(path: string): Promise<{ opened: OpenedWeights; weights: OpenfoldWeights }> {
  const opened = await openWeights(path);
  try {
    return { opened, weights: asInputError(() => openfoldWeights(opened.file)) };
  } catch (error) {
    opened[Symbol.dispose]();
    throw error;
  }
}

/** What the numbers of a tensor are like. */
interface Statistics {
  readonly least: number;
  readonly most: number;
  readonly rms: number;
  readonly notFinite: number;
}

interface PackFlags {
  name: string;
  notice: string;
  about?: string;
  out: string;
  json?: boolean;
}

async function pack(run: string, { name, notice, about, out, json }: PackFlags): Promise<void> {
  const text = about === undefined ? undefined : new TextDecoder().decode(await readFileBytes(about));
  const { files, parameters, bytes, roundingError } = await packModel(run, { name, notice, about: text });
  await makeWritableFolder(out);
  const written = await writeTogether(out, files);
  if (json) return console.log(JSON.stringify({ files: written, parameters, bytes, roundingError }, undefined, 2));
  console.log(
    `${counted(parameters, "parameter")} in ${bytes.toLocaleString("en")} bytes; rounding is off by ${
      roundingError.toExponential(1)
    } of their root mean square`,
  );
  for (const path of written) console.log(path);
}

interface InspectFlags {
  statistics?: boolean;
  sha256?: boolean;
  json?: boolean;
}

async function inspect(path: string, { statistics = false, sha256 = false, json }: InspectFlags): Promise<void> {
  const { opened, weights } = await open(path);
  using _ = opened;
  const { file, naming, entries, unknown } = weights;
  const tensors: ({ name: string; dtype: string; shape: readonly number[] } & Partial<Statistics>)[] = [];
  for (const { name, dtype, shape, read } of entries.values()) {
    tensors.push({ name, dtype, shape, ...(statistics ? statisticsOf(toFloat32(await read())) : {}) });
  }
  const modules = sums(tensors.map(({ name, shape }) => [name.split(".")[0], countOf(shape)]));
  const found = {
    file: path,
    format: file.format,
    naming,
    bytes: opened.size,
    parameters: parametersOf(file),
    arrays: file.entries.size,
    tensors: tensors.length,
    ...(file.metadata.section && { section: file.metadata.section }),
    ...(sha256 && { sha256: await sha256OfFile(path) }),
    parametersByModule: Object.fromEntries(modules),
  };
  if (json) return console.log(JSON.stringify({ ...found, unknown, tensorList: tensors }, undefined, 2));
  const lines = [
    `${path}: ${file.format}, ${found.parameters.toLocaleString("en")} parameters in ${
      counted(found.arrays, "array")
    }` +
    (found.arrays === found.tensors ? "" : `, ${found.tensors} tensors of OpenFold's`),
    `names: ${NAMINGS[naming]}${found.section ? `; of the section ${found.section}` : ""}`,
    ...(found.sha256 ? [`SHA-256 ${found.sha256}`] : []),
    ...modules.map(([module, count]) => `  ${module.padEnd(24)} ${count.toLocaleString("en").padStart(12)}`),
    ...unknown.map((name) => `  not known: ${name}`),
    "",
    ...tensors.map(({ name, dtype, shape, least, most, rms, notFinite }) => {
      const numbers = rms === undefined
        ? ""
        : `  ${least!.toPrecision(4)} … ${most!.toPrecision(4)}, rms ${rms.toPrecision(4)}` +
          (notFinite ? `, ${notFinite} not finite` : "");
      return `  ${name}  ${dtype} [${shape.join(", ")}]${numbers}`;
    }),
  ];
  console.log(lines.join("\n"));
}

const NAMINGS = {
  "openfold": "OpenFold's",
  "openfold-1": "OpenFold's older ones",
  "alphafold": "AlphaFold's",
} as const;

function statisticsOf(x: Float32Array): Statistics {
  let least = Infinity, most = -Infinity, square = 0, notFinite = 0;
  for (const value of x) {
    if (!Number.isFinite(value)) notFinite++;
    else {
      if (value < least) least = value;
      if (value > most) most = value;
      square += value * value;
    }
  }
  return { least, most, rms: Math.sqrt(square / Math.max(1, x.length - notFinite)), notFinite };
}

interface CheckFlags {
  preset?: AlphaFoldPreset;
  json?: boolean;
}

/** The published networks, those for complexes too. */
const PRESETS: readonly AlphaFoldPreset[] = [...ALPHAFOLD_PRESETS, ...MULTIMER_PRESETS];

async function check(path: string, { preset, json }: CheckFlags): Promise<void> {
  const { opened, weights } = await open(path);
  using _ = opened;
  const { entries, unknown } = weights;
  const fitting = unknown.length ? [] : fittingPresets(entries);
  // Without one that fits, the nearest is told of: the one with the fewest faults.
  const faults = (name: AlphaFoldPreset) => {
    const { missing, surplus, misshapen } = fitOf(entries, namedShapes(alphafoldConfig(name)));
    return { preset: name, missing, surplus: [...surplus, ...unknown], misshapen };
  };
  const count = ({ missing, surplus, misshapen }: ReturnType<typeof faults>) =>
    missing.length + surplus.length + misshapen.length;
  const told = preset ? faults(preset) : PRESETS.map(faults).reduce((a, b) => (count(b) < count(a) ? b : a));
  const good = preset ? fitting.includes(preset) : fitting.length > 0;
  if (!good) Deno.exitCode = EXIT.failure;
  if (json) return console.log(JSON.stringify({ file: path, fits: fitting, ...(good ? {} : told) }, undefined, 2));
  const fitsLine = fitting.length ? `${path} fits ${fitting.join(", ")}` : `${path} fits no published network`;
  if (good) return console.log(fitsLine);
  console.log([
    fitsLine,
    `beside ${told.preset}:`,
    ...told.missing.map((name) => `  lacks ${name}`),
    ...told.misshapen.map(({ name, found, expected }) =>
      `  ${name} is [${found.join(", ")}], expected [${expected.join(", ")}]`
    ),
    ...told.surplus.map((name) => `  has ${name}, which the network has not`),
  ].join("\n"));
}

interface ConvertFlags {
  templateHeads?: number;
  overwrite?: boolean;
  json?: boolean;
}

async function convert(input: string, out: string, { templateHeads, overwrite, json }: ConvertFlags): Promise<void> {
  const format = weightFormat(out);
  if (!format) throw new UsageError(`${out} does not end in a format: expected .safetensors, .pt or .npz`);
  if (resolve(input) === resolve(out)) throw new UsageError(`${out} would overwrite the input`);
  if (!overwrite && await Deno.stat(out).then(() => true, () => false)) {
    throw new UsageError(`${out} is there already; --overwrite replaces it`);
  }
  const { opened, weights } = await open(input);
  using _ = opened;
  let bar: ReturnType<typeof startProgress> | undefined;
  try {
    const written = await convertWeights(weights, out, format, {
      heads: { templatePointwise: templateHeads },
      progress(done, total) {
        bar ??= startProgress({ label: "Converting", total });
        bar.update(done);
      },
    });
    const { size } = await Deno.stat(out);
    const said = {
      in: input,
      out,
      format,
      arrays: written.length,
      parameters: parametersOf(weights.file),
      bytes: size,
    };
    if (json) console.log(JSON.stringify(said, undefined, 2));
    else {console.log(
        `${out}  ${said.parameters.toLocaleString("en")} parameters in ${counted(written.length, "array")}`,
      );}
  } finally {
    bar?.stop();
  }
}

type Grouping = "tensor" | "block" | "module";

function groupingOf(value: string): Grouping {
  if (value === "tensor" || value === "block" || value === "module") return value;
  throw new InvalidArgumentError("Expected tensor, block or module.");
}

interface DiffFlags {
  by: Grouping;
  top: number;
  json?: boolean;
}

async function diff(first: string, second: string, { by, top, json }: DiffFlags): Promise<void> {
  const a = await open(first);
  using _a = a.opened;
  const b = await open(second);
  using _b = b.opened;
  const bar = startProgress({ label: "Comparing", total: a.weights.entries.size });
  const differences = await compareWeights(a.weights, b.weights, (done) => bar.update(done)).finally(() => bar.stop());
  const others = differences.filter(({ equal }) => !equal);
  if (others.length) Deno.exitCode = EXIT.failure;
  if (json) {
    return console.log(
      JSON.stringify({ first, second, equal: others.length === 0, tensors: differences }, undefined, 2),
    );
  }
  if (others.length === 0) return console.log(`equal to the bit: ${counted(differences.length, "tensor")}`);
  const rows = grouped(others, by);
  console.log([
    `${others.length} of ${counted(differences.length, "tensor")} differ`,
    ...rows.slice(0, top),
    ...(rows.length > top ? [`… ${rows.length - top} more rows (--top)`] : []),
  ].join("\n"));
}

/** Rows of the table, what differs most first. */
function grouped(differences: readonly WeightDifference[], by: Grouping): string[] {
  const groups = Map.groupBy(
    differences,
    ({ name }) =>
      by === "tensor"
        ? name
        : by === "module"
        ? name.split(".")[0]
        : /^.*?\.(?:blocks|layers)\.\d+/.exec(name)?.[0] ?? name.split(".")[0],
  );
  const rows = [...groups].map(([name, members]) => {
    const compared = members.filter(({ largest }) => largest !== null);
    const worst = Math.max(-1, ...compared.map(({ relative }) => relative!));
    const counts = Object.entries(Object.groupBy(members, ({ kind }) => kind)).filter(([kind]) => kind !== "both");
    const notes = counts.map(([kind, list]) => by === "tensor" ? kind : `${list!.length} ${kind}`);
    const numbers = compared.length
      ? `largest ${Math.max(...compared.map(({ largest }) => largest!)).toPrecision(3)}, relative ${
        worst.toPrecision(3)
      }`
      : "";
    return {
      worst: counts.length ? Infinity : worst,
      line: `  ${name}  ${[numbers, ...notes].filter(Boolean).join(", ")}`,
    };
  });
  return rows.sort((p, q) => q.worst - p.worst).map(({ line }) => line);
}

interface DownloadFlags {
  out: string;
  json?: boolean;
}

async function download(name: string | undefined, { out, json }: DownloadFlags): Promise<void> {
  if (name === undefined) {
    const all = [...PUBLISHED.values()];
    if (json) return console.log(JSON.stringify(all, undefined, 2));
    return console.log(all.map(({ name, use, licence }) => `  ${name.padEnd(36)} ${use}; ${licence}`).join("\n"));
  }
  const weights = PUBLISHED.get(name);
  if (!weights) {
    throw new UsageError(`There is no published file ${name}; \`denofold weights download\` lists them`);
  }
  console.error(`${weights.name}: ${weights.licence}, ${weights.source}`);
  using interrupt = onInterrupt("Stopping; what came is kept. Press Ctrl-C again to stop at once.");
  let bar: ReturnType<typeof startProgress> | undefined;
  const MEBI = 2 ** 20;
  const got = await downloadWeights(weights, out, {
    signal: interrupt.signal,
    progress(done, total) {
      bar ??= startProgress({ label: "MiB", total: Math.ceil(total / MEBI) });
      bar.update(Math.floor(done / MEBI));
    },
  }).finally(() => bar?.stop());
  if (json) {
    return console.log(
      JSON.stringify({ ...got, name, licence: weights.licence, source: weights.source }, undefined, 2),
    );
  }
  console.log(`${got.path}  ${got.bytes} bytes, SHA-256 ${got.sha256}${got.wasThere ? " (was there)" : ""}`);
}

function sums(pairs: readonly (readonly [string, number])[]): [string, number][] {
  const totals = new Map<string, number>();
  for (const [key, value] of pairs) totals.set(key, (totals.get(key) ?? 0) + value);
  return [...totals];
}
