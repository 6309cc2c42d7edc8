import type { Command } from "commander";
import type { BoundsPolicy } from "../data/bounds.ts";
import { checkData } from "../check_data/check_data.ts";
import { reportText } from "../check_data/report_text.ts";
import { UsageError } from "../errors.ts";
import { boundsOption, EXIT, numberBetween, type Progress, startProgress } from "./_shared.ts";
import { aliasedOption } from "./_sizes.ts";

const HELP = `
Reads every structure and alignment of the targets (the table's, or all structures), as prep does, and reports: missing and duplicate ids, files that
cannot be read, sequences that differ between table, structure and alignment, the labels' distribution and those that stand
out, lengths, which chain is taken, and clusters of near-identical sequences. The exit code is 1 if training would fail.

Example:
  denofold check-data --csv pdbbind.csv --structures pdbs/ --msas alignments/
  denofold check-data --structures family/ --msas family.fasta`;

/** Adds `denofold check-data`. */
export function register(program: Command): void {
  program.command("check-data")
    .description("find what would make training fail in structures, alignments and their table")
    .option(
      "--csv <file>",
      "table of targets: id (or pdb_id) and affinity, and any of sequence, chain, year, … (default: every structure is a " +
        "target, without a label)",
    )
    .requiredOption("--structures <paths...>", "files and folders of structures, named by id")
    .addOption(aliasedOption("--msas, --msa <paths...>", "msas", "files and folders of alignments"))
    .option("--label <column>", "column with the labels (default: affinity, label, value, ...)")
    .option("--no-label", "the table needs no labels")
    .addOption(boundsOption())
    .option("--identity <x>", "sequences at least so alike are listed together", numberBetween(0.3, 1), 0.9)
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  csv?: string;
  structures: string[];
  msas?: string[];
  label?: string | boolean;
  bounds: BoundsPolicy;
  identity: number;
  json?: boolean;
}

async function run({ csv, structures, msas, label, bounds, identity, json }: Flags): Promise<void> {
  if (csv === undefined && typeof label === "string") throw new UsageError("--label is a column of --csv");
  let progress: Progress | undefined;
  const onTarget = (done: number, total: number, id: string): void => {
    progress ??= startProgress({ label: "Checking", total });
    progress.update(done, id);
  };
  const column = label === true ? undefined : label; // --no-label says false, without either flag there is none
  const report = await checkData({ csv, structures, msas, label: column, bounds, identity, onTarget }).finally(() =>
    progress?.stop()
  );
  console.log(json ? JSON.stringify(report, undefined, 2) : reportText(report));
  if (report.errors.length > 0 || report.usable === 0) Deno.exitCode = EXIT.failure;
}
