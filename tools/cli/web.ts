import type { Command } from "commander";
import { basename } from "node:path";
import { InputError } from "../errors.ts";
import { readFileBytes, writeFileAtomic } from "../files.ts";
import { shippedModel } from "../predict/shipped_model.ts";
import { MODEL_FILE } from "../predict/trained_model.ts";
import { renderWebPage } from "../web/page.ts";

const HELP = `
The page is one file: open it in a recent Chrome, Edge, Safari or Firefox, from a disk or a server. It predicts one chain by WebGPU
from a sequence or an alignment and from weights that are chosen in it (AlphaFold's .npz, OpenFold's .pt, .safetensors, networks of
"denofold train"), shows the report and saves mmCIF, PDB and aligned errors. Nothing leaves the computer: the page's own content
security policy forbids it the network.

--weights puts weights into the page, so that whoever gets it needs nothing else; pages of more than some 100 MB open slowly.

Examples:
  denofold web
  denofold web --weights small/model.safetensors --out fold.html`;

/** Larger files make pages that browsers refuse to read. */
const MOST_BYTES = 2 ** 28;

/** Adds `denofold web`. */
export function register(program: Command): void {
  program.command("web")
    .description("make a web page that predicts structures in a browser's tab")
    .optionsGroup("Output:")
    .option("--out <file>", "the page", "denofold.html")
    .option("--weights <file>", "weights that are part of it (default: the network that ships, if there is one)")
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

async function run({ out, weights, json }: { out: string; weights?: string; json?: boolean }): Promise<void> {
  const shipped = weights === undefined ? await shippedModel() : undefined;
  const path = weights ?? (shipped && `${shipped}/${MODEL_FILE}`);
  const bytes = path === undefined ? undefined : await readFileBytes(path);
  if (bytes && bytes.length > MOST_BYTES) {
    const mib = (count: number) => Math.ceil(count / 2 ** 20);
    throw new InputError(
      `${path} has ${mib(bytes.length)} MiB, a page can bring ${
        mib(MOST_BYTES)
      } MiB along: make it without --weights, ` +
        "they are chosen in it",
    );
  }
  const html = await renderWebPage(bytes && { name: basename(path!), bytes });
  await writeFileAtomic(out, html);
  const size = new TextEncoder().encode(html).length;
  if (json) return console.log(JSON.stringify({ page: out, bytes: size, weights: path ?? null }, undefined, 2));
  console.log(`${out} (${(size / 1e6).toFixed(1)} MB${path ? `, with ${basename(path)}` : ""})`);
}
