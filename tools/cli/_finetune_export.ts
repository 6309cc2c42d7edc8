import { type Command, Option } from "commander";
import { ALPHAFOLD_PRESETS, type AlphaFoldPreset } from "../../model/alphafold/mod.ts";
import { UsageError } from "../errors.ts";
import { exportFineTuned } from "../finetune/export.ts";
import { readSizes } from "../finetune/sizes_file.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { deviceOption, positiveInteger } from "./_shared.ts";

const HELP = `
OUT is a file of weights (.safetensors, OpenFold's .pt, AlphaFold's .npz), which gets the whole network with adapters merged
and trained blocks in their places, for "denofold predict" and other programs; the heads are no part of it. Any other OUT is a
folder for adapter_config.json and adapter_model.safetensors, as PEFT keeps adapters, with the heads. RUN may be such a folder
too, with --weights: its adapters are merged.

Examples:
  denofold finetune export runs/lora --out merged.pt
  denofold finetune export runs/lora --out adapters/
  denofold finetune export adapters/ --weights finetuning_ptm_2.pt --out params_merged.npz`;

/** Adds `denofold finetune export`. */
export function registerExport(finetune: Command): void {
  finetune.command("export")
    .description("write a run as merged weights or as adapters in PEFT's files")
    .argument("<run>", "folder of a run, file of a checkpoint, or folder of adapters")
    .requiredOption("--out <path>", "file of weights, or folder for adapters")
    .option("--weights <file>", "base weights (default: where they were in training)")
    .addOption(
      new Option("--model <preset>", "preset of the weights of a folder of adapters").choices(ALPHAFOLD_PRESETS),
    )
    .option("--sizes <file>", "JSON with other sizes than the preset's, of the weights of a folder of adapters")
    .option("--force", "use base weights with another hash than those of training")
    .option("--last", "the last checkpoint (default: the best)")
    .option("--live", "the parameters of the last step (default: their average)")
    .option("--template-heads <n>", "heads of the template pointwise attention, for .npz", positiveInteger)
    .option("--overwrite", "replace OUT if it is there")
    .addOption(deviceOption())
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  out: string;
  weights?: string;
  model?: AlphaFoldPreset;
  sizes?: string;
  force?: boolean;
  last?: boolean;
  live?: boolean;
  templateHeads?: number;
  overwrite?: boolean;
  device: string;
  json?: boolean;
}

async function run(
  path: string,
  { out, model, sizes, last, overwrite, device: name, json, ...options }: Flags,
): Promise<void> {
  if (!overwrite && await Deno.stat(out).then(({ isFile }) => isFile, () => false)) {
    throw new UsageError(`${out} is there already; --overwrite replaces it`);
  }
  const { adapter, notes } = await ensureAdapter({ device: name, install: true });
  for (const note of notes) console.error(`note: ${note}`);
  const device = await openDevice(adapter);
  try {
    const which = last ? "last" : "best";
    const { files, changed } = await exportFineTuned(device, path, out, {
      ...options,
      ...{ preset: model, sizes: await readSizes(sizes), which },
    });
    if (json) return console.log(JSON.stringify({ files, changed }, undefined, 2));
    console.log([...files, `${changed} tensors or adapters differ from the base weights`].join("\n"));
  } finally {
    device.close();
  }
}
