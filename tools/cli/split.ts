import { type Command, InvalidArgumentError, Option } from "commander";
import { formatFasta } from "../data/fasta.ts";
import { formatCsv } from "../data/matrix.ts";
import { UsageError } from "../errors.ts";
import { writeTogether } from "../files.ts";
import { counted } from "../words.ts";
import { isInstalled } from "../search/program.ts";
import { clusterRecords, type ClusterTool, type RecordClusters } from "../split/cluster_records.ts";
import { readSplitRecords, type SplitRecords } from "../split/records.ts";
import { percent, type SplitBy, splitRecords, type SplitReport } from "../split/split.ts";
import { folderForRun, overwriteOption, SPLIT_FILE } from "./_folder.ts";
import { nonNegativeInteger, numberBetween, onInterrupt, positiveInteger, startProgress } from "./_shared.ts";

const HELP = `
INPUT is a table (CSV, TSV, an INDEX file of PDBbind) with a column id (or pdb_id, name, ...), or FASTA. Rows of one id stay
together, and besides:
  random    nothing else
  identity  sequences that are alike, directly or through others, by --identity; chains (A:B) one by one
  family    rows with the same word in the column family (or --column)
  time      rows of one date, oldest first, from the column date, release_date, year ... (or --column)

Whole groups go to the sets, the largest first, each to the set that lacks most rows; --seed draws the order of equals.

Identity of two sequences: identical residues in their best local alignment (BLOSUM62, a gap of k residues costs 11 + k)
divided by the length of the shorter. Clusters are made by MMseqs2 where it is installed ("apt install mmseqs2"), else here:
pairs that share words of three letters are aligned in full. Either way the sets are then compared with each other.

Files in DIR: a CSV for each set with the columns and the order of INPUT (and FASTA, if INPUT is), and split.json with the
facts, among them the highest identity between sets.

Examples:
  denofold split affinities.csv --by identity --identity 0.4 --out split
  denofold split index.csv --by time --fractions 0.9,0.1 --fasta sequences.fasta`;

/** Adds `denofold split`. */
export function register(program: Command): void {
  program.command("split")
    .description("split a table or FASTA into sets for training, validation and test")
    .argument("<input>", "table or FASTA")
    .addOption(
      new Option("--by <what>", "what stays together").choices(["random", "identity", "family", "time"])
        .makeOptionMandatory(),
    )
    .addOption(
      new Option("--fractions <list>", "part of the rows for each set").argParser(fractions)
        .default([0.8, 0.1, 0.1], "0.8,0.1,0.1"),
    )
    .option("--names <list>", "names of the sets (default: train,val,test, or train,test)", setNames)
    .option("--seed <n>", "seed of what is drawn", nonNegativeInteger, 0)
    .option("--column <name>", "column with families or dates")
    .option("--fasta <file>", "sequences of a table that has none, by id")
    .option("--identity <part>", "sequences as alike as this are related", numberBetween(0.05, 1), 0.3)
    .addOption(
      new Option("--clusters <tool>", "what makes clusters").choices(["auto", "mmseqs", "own"]).default("auto"),
    )
    .option("--cpu <n>", "cores for MMseqs2 (default: all)", positiveInteger)
    .option("--out <dir>", "folder for the files (default: split, or split-2 where that holds a run, ...)")
    .addOption(overwriteOption())
    .option("--json", "print the report as one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  by: SplitBy;
  fractions: number[];
  names?: string[];
  seed: number;
  column?: string;
  fasta?: string;
  identity: number;
  clusters: "auto" | ClusterTool;
  cpu?: number;
  out?: string;
  overwrite?: boolean;
  json?: boolean;
}

async function run(input: string, flags: Flags): Promise<void> {
  const { by, seed, column, identity, json } = flags;
  const names = namesOf(flags);
  const table = await readSplitRecords(input, flags.fasta);
  const out = await folderForRun(flags.out, "split", flags);
  const tool = flags.clusters === "auto" ? isInstalled("mmseqs") ? "mmseqs" : "own" : flags.clusters;
  const clusters = by === "identity" ? await makeClusters(table, tool, flags) : undefined;
  const { setOf, report } = splitRecords(table, {
    by,
    names,
    fractions: flags.fractions,
    seed,
    column,
    identity,
    clusters,
  });
  const files = new Map<string, string>();
  names.forEach((name, set) => {
    const rows = table.records.filter((_, row) => setOf[row] === set);
    files.set(`${name}.csv`, formatCsv(table.columns, rows.map(({ cells }) => byColumn(table.columns, cells))));
    if (table.format === "fasta") files.set(`${name}.fasta`, formatFasta(rows.map(fastaRecord)));
  });
  files.set(SPLIT_FILE, `${JSON.stringify({ input, ...report }, undefined, 2)}\n`);
  const paths = await writeTogether(out, files);
  if (json) console.log(JSON.stringify({ input, ...report, files: paths }, undefined, 2));
  else console.log(reportText(report, paths));
}

async function makeClusters(
  { records }: SplitRecords,
  tool: ClusterTool,
  { identity, cpu }: Flags,
): Promise<RecordClusters> {
  if (tool === "mmseqs") {
    using interrupt = onInterrupt("Stopping.");
    return await clusterRecords(records, { identity, tool, cpu, signal: interrupt.signal });
  }
  const bar = records.length > 500 ? startProgress({ label: "clusters", total: records.length }) : undefined;
  const progress = (done: number, total: number): void => bar?.update(Math.round(done * records.length / total));
  const clusters = await clusterRecords(records, { identity, tool, progress });
  bar?.update(records.length);
  bar?.stop();
  return clusters;
}

function namesOf({ names, fractions }: Flags): string[] {
  const usual: Record<number, string[]> = { 2: ["train", "test"], 3: ["train", "val", "test"] };
  const found = names ?? usual[fractions.length];
  if (found === undefined) {
    throw new UsageError(`--fractions has ${fractions.length} parts: name the sets with --names`);
  }
  if (found.length !== fractions.length) {
    throw new UsageError(
      `--names has ${found.length} names, --fractions ${fractions.length} parts, expected equally many`,
    );
  }
  return found;
}

function fractions(text: string): number[] {
  const parts = text.split(",").map(numberBetween(0, 1));
  const sum = parts.reduce((total, part) => total + part, 0);
  if (parts.length >= 2 && Math.abs(sum - 1) < 1e-6) return parts;
  throw new InvalidArgumentError("Expected two parts or more that sum to 1, such as 0.8,0.1,0.1.");
}

function setNames(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name, k) => /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name) && names.indexOf(name) === k)) return names;
  throw new InvalidArgumentError("Expected different names of letters, digits, _ . and -.");
}

function byColumn(columns: readonly string[], cells: readonly string[]): Record<string, string> {
  return Object.fromEntries(columns.map((column, k) => [column, cells[k]]));
}

function fastaRecord({ cells: [id, description, sequence] }: SplitRecords["records"][number]) {
  return { name: description === "" ? id : `${id} ${description}`, sequence };
}

function reportText({ by, column, rows, groups, sets, clusters, leakage, warnings }: SplitReport, paths: string[]) {
  const kind = { random: "ids", identity: "clusters", family: "families", time: "dates" }[by];
  const lines = [
    `${counted(rows, "row")} in ${counted(groups.count, "group")} (${kind}${
      column === undefined ? "" : ` of the column ${column}`
    }), ` +
    `the largest with ${groups.largest}`,
  ];
  if (clusters !== undefined) {
    const { tool, version, search, identity, joinedAfterwards } = clusters;
    const details = version ?? search;
    lines.push(
      `Clusters at ${percent(identity)} identity by ${tool}${details === undefined ? "" : ` (${details})`}` +
        (joinedAfterwards > 0 ? `; ${joinedAfterwards} joined after the sets were compared` : ""),
    );
  }
  const width = Math.max(...sets.map(({ name }) => name.length));
  for (const { name, rows, fraction, wanted, groups, dates } of sets) {
    const days = dates === undefined ? "" : `, ${dates[0]} to ${dates[1]}`;
    lines.push(
      `   ${name.padEnd(width)}  ${counted(rows, "row")}, ${percent(fraction)} (wanted ${percent(wanted)}), ${
        counted(groups, "group")
      }${days}`,
    );
  }
  if (leakage !== undefined) {
    lines.push(`Highest identity between sets (${leakage.search} aligned):`);
    for (const { sets: [a, b], highestIdentity, pair } of leakage.between) {
      const found = highestIdentity === null ? "no pair" : `${percent(highestIdentity)} (${pair?.join(" and ")})`;
      lines.push(`   ${a} and ${b}: ${found}`);
    }
  } else lines.push("There are no sequences: the sets were not compared");
  for (const warning of warnings) lines.push(`Warning: ${warning}`);
  return [...lines, "Files:", ...paths.map((path) => `   ${path}`)].join("\n");
}
