/// <reference lib="dom" />
/** A page that predicts a structure where it is open. */
import { reportView } from "../../predict/page/main.ts";
import { h, section } from "../../report/page/dom.ts";
import type { ChosenFile, FoldFile, FoldMessage, FoldRequest, WebPageData } from "../messages.ts";

/** A row of the form. */
function field(label: string, input: HTMLElement, help: string): HTMLElement {
  input.setAttribute("aria-describedby", `${input.id}-help`);
  return h(
    "div",
    { class: "field" },
    h("label", { for: input.id }, label),
    input,
    h("p", { class: "help", id: `${input.id}-help` }, help),
  );
}

function number(id: string, attributes: Record<string, string>): HTMLInputElement {
  return h("input", { id, type: "number", step: "1", ...attributes });
}

/** The value of a field with a number; undefined where it is empty. */
function valueOf(input: HTMLInputElement): number | undefined {
  return input.value === "" ? undefined : input.valueAsNumber;
}

function chosen(input: HTMLInputElement): ChosenFile[] {
  return Array.from(input.files ?? [], (file) => ({ name: file.name, blob: file }));
}

/** Computes in a worker, which is ended to stop it. */
class Predictor {
  readonly #address: string;
  readonly #version: string;
  #worker: Worker | undefined;
  #stop: (() => void) | undefined;

  constructor({ worker, version }: WebPageData) {
    this.#address = URL.createObjectURL(new Blob([worker], { type: "text/javascript" }));
    this.#version = version;
  }

  /**
   * Predicts.
   *
   * @returns undefined where it was stopped.
   * @throws {Error} If it failed; the message says why.
   */
  fold(
    request: FoldRequest,
    tell: (step: Extract<FoldMessage, { kind: "step" }>) => void,
  ): Promise<Extract<FoldMessage, { kind: "done" }> | undefined> {
    const worker = this.#worker ??= new Worker(this.#address);
    return new Promise((resolve, reject) => {
      this.#stop = () => resolve(undefined);
      worker.onerror = (event) => {
        this.stop();
        reject(new Error(event.message));
      };
      worker.onmessage = ({ data }: MessageEvent<FoldMessage>) => {
        if (data.kind === "step") tell(data);
        else if (data.kind === "done") resolve(data);
        else {
          this.stop(); // the device may be lost; the next prediction opens another
          reject(new Error(data.message));
        }
      };
      worker.postMessage({ version: this.#version, request });
    });
  }

  /** Ends what is computed. */
  stop(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#stop?.();
  }
}

/** Links that save files. */
function downloads(files: readonly FoldFile[]): HTMLElement[] {
  return files.map(({ name, text }) => {
    const href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    return h("a", { href, download: name, class: "download" }, name);
  });
}

async function start(): Promise<void> {
  const data: WebPageData = JSON.parse(document.getElementById("web-data")!.textContent!);
  const predictor = new Predictor(data);
  const own: ChosenFile | undefined = data.weights && {
    name: data.weights.name,
    blob: new Blob([Uint8Array.fromBase64(data.weights.bytes)]),
  };
  const sequence = h("textarea", { id: "sequence", rows: "4", spellcheck: "false", autocapitalize: "characters" });
  const alignment = h("input", { id: "alignment", type: "file", multiple: "" });
  const weights = h("input", { id: "weights", type: "file", accept: ".npz,.pt,.pth,.safetensors" });
  const recycles = number("recycles", { min: "0", max: "48", placeholder: "as published" });
  const seed = number("seed", { min: "0", value: "0" });
  const rows = number("rows", { min: "1", placeholder: "as published" });
  const fold = h("button", { type: "submit", id: "fold", class: "primary" }, "Fold");
  const stop = h("button", { type: "button", id: "stop", hidden: "" }, "Stop");
  const progress = h("progress", { id: "progress", hidden: "", "aria-label": "Prediction" });
  const said = h("p", { id: "said", class: "said", role: "status" });
  const wrong = h("p", { id: "wrong", class: "notice", role: "alert", hidden: "" });
  const saved = h("div", { class: "downloads", id: "downloads" });
  const result = h("div", { id: "result" });
  const show = reportView(result);

  const form = h(
    "form",
    {},
    field("Sequence", sequence, "Letters or FASTA, one chain. Empty: the first row of the alignment."),
    field(
      "Alignment",
      alignment,
      "A3M, aligned FASTA, Stockholm or CLUSTAL, plain or gzip; its first row is the sequence. Without one predictions " +
        "are much less accurate.",
    ),
    field(
      "Weights",
      weights,
      `AlphaFold's .npz, OpenFold's .pt, .safetensors, or a network of denofold train.${
        own ? ` None chosen: ${own.name}, which is part of this page.` : ""
      }`,
    ),
    h(
      "details",
      {},
      h("summary", {}, "Choices"),
      field("Recyclings", recycles, "Passes through the network after the first."),
      field("Seed", seed, "Of the rows that are drawn from the alignment and the letters that are hidden."),
      field("Rows", rows, "Most rows of the alignment in the main stack; fewer take less memory."),
    ),
    h("div", { class: "buttons" }, fold, stop),
    progress,
    said,
    wrong,
    saved,
  );
  stop.addEventListener("click", () => predictor.stop());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const file = chosen(weights)[0] ?? own;
    wrong.hidden = true;
    saved.replaceChildren();
    const fail = (message: string) => {
      wrong.textContent = message;
      wrong.hidden = false;
    };
    if (!file) return fail("There are no weights: choose a file.");
    fold.disabled = true;
    stop.hidden = progress.hidden = false;
    const began = performance.now();
    try {
      const done = await predictor.fold({
        ...{ sequence: sequence.value, alignments: chosen(alignment), weights: file },
        ...{ recycles: valueOf(recycles), seed: valueOf(seed) ?? 0, maxMsa: valueOf(rows) },
      }, (step) => {
        said.textContent = `${step.text} · ${Math.round((performance.now() - began) / 1000)} s`;
        progress.max = step.of;
        progress.value = step.done;
      });
      said.textContent = done ? `Done in ${Math.round((performance.now() - began) / 1000)} s` : "Stopped";
      if (done) {
        saved.replaceChildren("Save: ", ...downloads(done.files));
        await show(done.report);
      }
    } catch (error) {
      said.textContent = "";
      fail(error instanceof Error ? error.message : String(error));
    } finally {
      fold.disabled = false;
      stop.hidden = progress.hidden = true;
    }
  });

  const adapter = await navigator.gpu?.requestAdapter();
  const { vendor, architecture, description } = adapter?.info ?? {};
  const gpu = description || [vendor, architecture].filter(Boolean).join(" ");
  document.getElementById("web")!.append(
    h(
      "header",
      {},
      h("p", { class: "brand" }, `denofold ${data.version}`),
      h("h1", {}, "AlphaFold 2 in this tab"),
      h("p", {}, "Sequence and weights stay on this computer: the page is not allowed to use the network."),
    ),
    section(
      "form",
      "Fold a protein",
      adapter
        ? `WebGPU: ${gpu || "an adapter that does not tell its name"}.`
        : "This browser has no WebGPU, or no adapter for it: take a recent Chrome, Edge, Safari or Firefox.",
      form,
    ),
    result,
  );
  fold.disabled = !adapter;
  document.documentElement.dataset.ready = "true";
}

start();
