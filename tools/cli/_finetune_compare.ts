import type { Command } from "commander";
import { compareRuns, comparisonText } from "../finetune/compare.ts";
import { renderRuns } from "../finetune/report.ts";
import { readRun } from "../finetune/run_files.ts";
import { writeFileAtomic } from "../files.ts";

const HELP = `
Example:
  denofold finetune compare runs/head_only runs/lora --report comparison.html`;

/** Adds `denofold finetune compare`. */
export function registerCompare(finetune: Command): void {
  finetune.command("compare")
    .description("set the metrics of several runs beside each other, as a table and as a page")
    .argument("<runs...>", "folders of runs")
    .option("--report <file>", "page with curves and intervals", "comparison.html")
    .option("--no-report", "the table alone")
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  report: string | false;
  json?: boolean;
}

async function run(folders: string[], { report, json }: Flags): Promise<void> {
  const runs = await Promise.all(folders.map(readRun));
  const found = compareRuns(runs);
  if (report) await writeFileAtomic(report, await renderRuns(runs));
  if (json) return console.log(JSON.stringify({ ...found, ...(report && { report }) }, undefined, 2));
  console.log(comparisonText(found));
  if (report) console.log(`\nPage:\n  ${report}`);
}
