/**
 * The command line of denofold: reads the arguments and calls the command they name.
 *
 * @module
 */
import { Command, CommanderError } from "commander";
import config from "../../deno.json" with { type: "json" };
import { isPrepWorker } from "../prep/worker_name.ts";
import { reportError } from "./_report.ts";
import { EXIT } from "./_shared.ts";

/** A command's module. */
interface CommandModule {
  /** Adds the command, its flags and its action. */
  register(program: Command): void;
}

/** The commands. Only the module of the one that is called is loaded, so that small ones start fast. */
const COMMANDS: Record<string, { group: string; summary: string; load: () => Promise<CommandModule> }> = {
  "prep": {
    group: "Data:",
    summary: "turn tables, sequences, alignments and structures into feature files",
    load: () => import("./prep.ts"),
  },
  "inspect": {
    group: "Data:",
    summary: "print what a structure, alignment, table, checkpoint or feature file holds",
    load: () => import("./inspect.ts"),
  },
  "check-data": {
    group: "Data:",
    summary: "find what would make training fail in a table, structures and alignments",
    load: () => import("./check_data.ts"),
  },
  "split": {
    group: "Data:",
    summary: "split a table or FASTA into sets for training, validation and test",
    load: () => import("./split.ts"),
  },
  "msa": {
    group: "Data:",
    summary: "search sequence databases for alignments, by jackhmmer, hhblits, mmseqs or a server",
    load: () => import("./msa.ts"),
  },
  "templates": {
    group: "Data:",
    summary: "search for structures like the query's, by hhsearch or hmmsearch",
    load: () => import("./templates.ts"),
  },
  "align": {
    group: "Data:",
    summary: "align sequences, or the chains of structures, by MAFFT, Clustal Omega or MMseqs2",
    load: () => import("./align.ts"),
  },
  "convert": {
    group: "Data:",
    summary: "turn an alignment or a structure into another format, pick and rename chains",
    load: () => import("./convert.ts"),
  },
  "score": {
    group: "Data:",
    summary: "compare two structures: RMSD, lDDT, TM-score and GDT, by chain and by residue",
    load: () => import("./score.ts"),
  },
  "train": {
    group: "Networks:",
    summary: "train the small Evoformer or AlphaFold 2, or run the demo",
    load: () => import("./train.ts"),
  },
  "distill": {
    group: "Networks:",
    summary: "predict structures by a trained AlphaFold 2 and keep what it is sure of, to train another",
    load: () => import("./distill.ts"),
  },
  "ablate": {
    group: "Networks:",
    summary: "train AlphaFold 2 without one part at a time and compare with the baseline",
    load: () => import("./ablate.ts"),
  },
  "predict": {
    group: "Networks:",
    summary: "predict structures with AlphaFold 2 and published weights",
    load: () => import("./predict.ts"),
  },
  "screen": {
    group: "Networks:",
    summary: "predict every bait with every prey and rank the pairs by their interfaces",
    load: () => import("./screen.ts"),
  },
  "web": {
    group: "Networks:",
    summary: "make a web page that predicts structures in a browser's tab",
    load: () => import("./web.ts"),
  },
  "finetune": {
    group: "Networks:",
    summary: "fine-tune AlphaFold 2 for affinities or other labels: head, LoRA, partial or full",
    load: () => import("./finetune.ts"),
  },
  "predict-affinity": {
    group: "Networks:",
    summary: "predict affinities, or other labels, with a network that finetune trained",
    load: () => import("./predict_affinity.ts"),
  },
  "relax": {
    group: "Networks:",
    summary: "relax predicted structures with OpenMM",
    load: () => import("./relax.ts"),
  },
  "weights": {
    group: "Networks:",
    summary: "convert, look at, compare and fetch files of weights",
    load: () => import("./weights.ts"),
  },
  "predict-distances": {
    group: "Networks:",
    summary: "predict distances and coordinates from a checkpoint and an alignment",
    load: () => import("./predict_distances.ts"),
  },
  "attention": {
    group: "Networks:",
    summary: "record the attention of a trained model and show it as heat maps",
    load: () => import("./attention.ts"),
  },
  "mds": {
    group: "Networks:",
    summary: "turn a matrix of distances into coordinates",
    load: () => import("./mds.ts"),
  },
  "plan": {
    group: "Machine:",
    summary: "predict the GPU memory, operations and time that a model needs, without running it",
    load: () => import("./plan.ts"),
  },
  "profile": {
    group: "Machine:",
    summary: "measure where a training step or a module spends time and memory, and compare two profiles",
    load: () => import("./profile.ts"),
  },
  "doctor": {
    group: "Machine:",
    summary: "show the adapter, versions and programs, and what to do where something is missing",
    load: () => import("./doctor.ts"),
  },
};

/**
 * Runs the command line.
 *
 * @param args The arguments, without the program's name.
 * @returns The exit code: 0, 1 (an error), 2 (wrong usage) or what the command has set.
 */
export async function main(args: string[]): Promise<number> {
  try {
    const program = new Command("denofold");
    program.description("Train, fine-tune and run protein folding networks on any GPU through WebGPU.");
    program.version(config.version, "-V, --version");
    program.enablePositionalOptions(); // a command's flags are its own, not those of the one that it is part of
    program.exitOverride().configureOutput({ outputError: (text, write) => write(oneLine(text)) });
    const called = calledCommand(args);
    for (const [name, { group, summary, load }] of Object.entries(COMMANDS)) {
      program.commandsGroup(group);
      if (name === called) (await load()).register(program);
      else program.command(name).description(summary).allowUnknownOption();
    }
    await program.parseAsync(args, { from: "user" });
    return Deno.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage; // it has printed its message
    return reportError(error);
  }
}

/** The command that the arguments call, or of which they want to see the help. */
function calledCommand(args: string[]): string | undefined {
  const words = args.filter((word) => !word.startsWith("-"));
  return words[0] === "help" ? words[1] : words[0];
}

/** Makes commander's message, and the suggestion that it puts on a line below, one line of the program's own form. */
function oneLine(text: string): string {
  return `${text.replace(/^error: /, "denofold: ").trim().replace(/\s*\n\s*/g, " ")}\n`;
}

if (isPrepWorker()) {
  await import("../prep/worker.ts"); // in the single-file program, which is its own worker
} else if (import.meta.main) {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    Deno.exit(reportError(event.reason));
  });
  Deno.exit(await main(Deno.args));
}
