/// <reference lib="dom" />
import { formatNumber, h, section, withUnit } from "../../report/page/dom.ts";
import { freePlot } from "../../report/page/plotly.ts";
import { currentTheme, onThemeChange } from "../../report/page/theme.ts";
import type { PredictionData, PredictReportData, TargetData } from "../report_data.ts";
import { type ChainChoice, chainChoice } from "./chain_choice.ts";
import {
  chainBounds,
  chainRanges,
  contactPlot,
  labelsOf,
  msaPlot,
  pairPlot,
  plddtPlot,
  type Plot,
  recyclePlot,
  writtenNames,
} from "./plots.ts";
import { rangeOf, residuesOf, Selection } from "./selection.ts";
import { type Drawn, StructureView } from "./structure_view.ts";
import { chainTable, interfaceTable, links, rankingTable, residueTable, screenSection } from "./tables.ts";
import { unpackMap, unpackPositions } from "./unpack.ts";

/**
 * Shows reports in an element, one in place of the other, with the same 3-D view.
 *
 * @returns Shows a report; done when it is drawn.
 */
export function reportView(root: HTMLElement): (data: PredictReportData) => Promise<void> {
  const stage = new Stage();
  let plots: Plot[] = [];
  onThemeChange((theme) => {
    for (const plot of plots) plot.draw(theme);
    stage.setTheme(theme);
  });
  return async (data) => {
    const slot = h("div", { id: "shown-target" });
    const show = (target: TargetData): Promise<void> => {
      for (const { element } of plots) freePlot(element);
      plots = [];
      return showTarget(target, slot, stage, plots);
    };
    const select = chooser(data.targets, show);
    root.replaceChildren(
      h(
        "header",
        {},
        h("p", { class: "brand" }, "denofold prediction"),
        h("h1", {}, data.title),
        h("p", {}, data.summary),
      ),
      ...(data.notice ? [h("p", { class: "notice", role: "note" }, data.notice)] : []),
      ...(data.failed.length ? [failures(data)] : []),
      ...(data.screen ? [screenSection(data.screen, select, show, data.targets)] : []),
      ...(data.targets.length > 1 ? [h("label", { class: "choice" }, "Target", select)] : []),
      slot,
      runSection(data),
      h(
        "footer",
        {},
        `Made by denofold, ${
          data.created.slice(0, 16).replace("T", " ")
        } UTC. Structures drawn with Mol*, plots with plotly.js.`,
      ),
    );
    if (data.targets.length > 0) await show(data.targets[0]);
  };
}

function failures({ failed }: PredictReportData): HTMLElement {
  return section(
    "failed",
    "Not predicted",
    "",
    h("ul", {}, ...failed.map(({ id, reason }) => h("li", {}, h("strong", {}, id), `: ${reason}`))),
  );
}

function chooser(targets: TargetData[], show: (target: TargetData) => Promise<void>): HTMLSelectElement {
  const select = h(
    "select",
    { id: "target-choice" },
    ...targets.map(({ id }, i) => h("option", { value: String(i) }, id)),
  );
  select.addEventListener("change", () => show(targets[Number(select.value)]));
  return select;
}

/** The 3-D view, one for the whole page, as browsers allow few WebGL contexts. */
class Stage {
  readonly element = h("div", { class: "stage", id: "stage" });
  readonly hover = h("div", { class: "hover", "aria-live": "off" });
  readonly message = h("p", { class: "message", hidden: "" });
  view: StructureView | undefined;
  onHover: (residue: number | undefined) => void = () => {};

  setTheme(theme: ReturnType<typeof currentTheme>): void {
    this.view?.setTheme(theme);
  }

  async show(drawn: Drawn, keepView: boolean): Promise<void> {
    try {
      this.view ??= new StructureView(this.element, currentTheme(), (residue) => this.onHover(residue));
    } catch {
      this.message.textContent = "This browser offers no WebGL, so the structure cannot be drawn; the files hold it.";
      this.message.hidden = false;
      this.element.hidden = true;
      return;
    }
    await this.view.show(drawn, keepView);
  }
}

async function showTarget(target: TargetData, slot: HTMLElement, stage: Stage, plots: Plot[]): Promise<void> {
  const labels = labelsOf(target), n = labels.length;
  const selection = new Selection();
  let shown = target.predictions[0];
  const hasExperiment = target.predictions.some(({ experiment }) => experiment);
  const pairSlot = h("div", { class: "maps" });
  const said = h("p", { class: "said", "aria-live": "polite" });
  const table = rankingTable(target, (prediction) => choose(prediction));
  const slider = frameSlider();
  const clear = h("button", { type: "button", id: "clear-selection", hidden: "" }, "Clear selection");
  clear.addEventListener("click", () => selection.select());
  const reset = h("button", { type: "button", id: "reset-view" }, "Reset view");
  reset.addEventListener("click", () => stage.view?.reset());

  const choice = residueChoice(labels, writtenNames(target), selection);
  const interfaces = h("div", {}), bounds = chainBounds(target), blocks = chainRanges(target);
  const redraw = (keepView: boolean) =>
    stage.show(drawnOf(shown, chains), keepView).then(() => stage.view?.mark(residuesOf(selection.ranges)));
  const chains: ChainChoice = chainChoice(target, () => redraw(true));

  const plddt = plddtPlot(target, () => shown, selection);
  const recycles = recyclePlot(target, () => shown);
  const msa = target.msa ? msaPlot(target.msa, labels) : undefined;
  let pairs: Plot[] = [];

  const drawPairs = () => {
    for (const { element } of pairs) {
      freePlot(element);
      plots.splice(plots.findIndex((plot) => plot.element === element), 1);
    }
    const { pae, maxPae, distances } = shown;
    pairs = [
      ...(pae
        ? [pairPlot({
          id: "pae",
          labels,
          map: unpackMap(pae, n),
          limits: [0, maxPae],
          colors: (theme) => theme.sequential.map(([at], i, all) => [at, all[all.length - 1 - i][1]]),
          say: (i, j, value) => `aligned on ${labels[i]}, error of ${labels[j]}<br>${formatNumber(value, 1)} Å`,
          titles: { row: "Aligned residue", column: "Scored residue" },
          ...{ bounds, blocks },
        }, selection)]
        : []),
      pairPlot({
        id: "distances",
        labels,
        map: unpackMap(distances, n),
        limits: [2, 22],
        colors: (theme) => theme.sequential,
        say: (i, j, value) => `${labels[i]} – ${labels[j]}<br>${formatNumber(value, 1)} Å`,
        titles: { row: "Residue", column: "Residue" },
        ...{ bounds, blocks },
      }, selection),
      ...(shown.contacts
        ? [contactPlot({
          ...{ labels, bounds, blocks, contacts: shown.contacts },
          ...{ pae: pae ? unpackMap(pae, n) : null, limits: [0, maxPae] },
        }, selection)]
        : []),
    ];
    const captions = [
      ...(pae ? ["Predicted aligned error"] : []),
      "Expected Cβ distance (distogram)",
      `Contacts between chains (Cβ within 8 Å)${pae ? ", coloured by their aligned error" : ""}`,
    ];
    pairSlot.replaceChildren(
      ...pairs.map(({ element }, i) => h("figure", {}, h("figcaption", {}, captions[i]), element)),
    );
    plots.push(...pairs);
    for (const plot of pairs) plot.draw(currentTheme());
  };

  const choose = async (prediction: PredictionData) => {
    shown = prediction;
    table.mark(prediction);
    slider.show(
      prediction,
      chains,
      (frame, keep) => stage.show(frame, keep).then(() => stage.view?.mark(residuesOf(selection.ranges))),
    );
    plddt.draw(currentTheme());
    recycles.draw(currentTheme());
    drawPairs();
    interfaces.replaceChildren(...interfaceTable(target, prediction, selection), ...chainTable(prediction));
    await redraw(false);
  };

  slot.replaceChildren(
    h(
      "div",
      { class: "target", id: "target" },
      h("p", {}, h("strong", {}, target.id), ` · ${n} residue${n === 1 ? "" : "s"}`, ...links(target.files, " · ")),
      ...target.warnings.map((warning) => h("p", { class: "warning" }, warning)),
    ),
    section("ranking", "Ranking", "Click a row to see that prediction.", table.element),
    ...(bounds.length > 0
      ? [section(
        "interfaces",
        "Interfaces",
        "Pairs of chains of the prediction shown. Click two chains to see their block of the maps.",
        interfaces,
      )]
      : []),
    section(
      "structure",
      "Structure",
      `${blocks.length > 1 ? "Coloured by chain or by predicted lDDT" : "Coloured by predicted lDDT"}${
        hasExperiment ? "; the experimental structure is grey" : ""
      }. Drag to turn, scroll to zoom, drag with the right button to move.`,
      h("div", { class: "view-bar" }, chains.element, h("div", { class: "buttons" }, choice, clear, reset)),
      stage.message,
      h("div", { class: "stage-box" }, stage.element, stage.hover),
      slider.element,
      said,
    ),
    section(
      "plddt",
      "Confidence along the sequence",
      `Predicted lDDT of each residue, 0 to 100; the prediction shown is thick${
        hasExperiment ? ", its lDDT-Cα by the experimental structure dotted" : ""
      }. Drag over residues to see them in the structure and the maps.`,
      h("figure", {}, plddt.element),
      residueTable(target, () => shown),
    ),
    section(
      "pairs",
      "Pairs of residues",
      `Drag over a region to see its residues in the structure${
        blocks.length > 1 ? ", or click the block of two chains" : ""
      }.`,
      pairSlot,
    ),
    ...(msa
      ? [section(
        "msa",
        "Alignment",
        `${target.msa!.sequences} rows, ${
          formatNumber(target.msa!.effective, 1)
        } of weight; sorted by identity to the query, the line tells how many rows have a residue there.`,
        h("figure", {}, msa.element),
      )]
      : []),
    section(
      "recycles",
      "Recycling",
      "Mean pLDDT after each pass through the network.",
      h("figure", {}, recycles.element),
    ),
  );
  plots.push(plddt, recycles, ...(msa ? [msa] : []));

  const name = (residue: number) => `${labels[residue]}, pLDDT ${formatNumber(shown.plddt[residue], 1)}`;
  selection.add({
    hover(residues) {
      stage.view?.highlight(residues);
      stage.hover.textContent = [...residues].map(name).join("; ");
    },
    select(ranges) {
      stage.view?.mark(residuesOf(ranges));
      clear.hidden = ranges.length === 0;
      said.textContent = ranges.length === 0 ? "" : saidOf(ranges.map(({ from, to }) => [from, to]), labels, shown, n);
    },
  });
  stage.onHover = (residue) => {
    stage.hover.textContent = residue === undefined ? "" : name(residue);
  };
  msa?.draw(currentTheme());
  await choose(shown);
}

/** What is said of the chosen residues: their confidence, and the error between them. */
function saidOf(
  ranges: (readonly [number, number])[],
  labels: string[],
  prediction: PredictionData,
  n: number,
): string {
  const names = ranges.map(([from, to]) => `${labels[from]}–${labels[to]}`);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const own = ranges.map(([from, to]) => `mean pLDDT ${formatNumber(mean(prediction.plddt.slice(from, to + 1)), 1)}`);
  if (ranges.length < 2 || !prediction.pae) return names.map((name, i) => `${name}: ${own[i]}`).join("; ");
  const pae = unpackMap(prediction.pae, n);
  const [[r0, r1], [c0, c1]] = ranges;
  const block = pae.slice(r0, r1 + 1).flatMap((row) => row.slice(c0, c1 + 1));
  return `${names[0]} (${own[0]}) and ${names[1]} (${own[1]}): mean predicted aligned error ${
    withUnit(mean(block), 1, "Å")
  }`;
}

/** Chooses residues by their numbers, for those who do not drag. */
function residueChoice(labels: string[], numbers: readonly string[], selection: Selection): HTMLElement {
  const input = h("input", {
    type: "text",
    id: "residues",
    size: "10",
    placeholder: `${numbers[0]}-${numbers.at(-1)}`,
  });
  input.addEventListener("change", () => {
    const ranges = input.value.split(",").map((text) => {
      const [first, last = first] = text.trim().split(/(?<=.)[-–]/).map((number) => numbers.indexOf(number.trim()));
      return rangeOf(first, last, labels.length);
    });
    const known = input.value.trim() !== "" && ranges.every(({ from, to }) => from >= 0 && to >= from);
    selection.select(...(known ? ranges : []));
  });
  return h("label", { class: "residue-choice" }, "Residues", input);
}

/** Goes through the states that led to the structure. */
function frameSlider() {
  const input = h("input", {
    type: "range",
    min: "0",
    value: "0",
    id: "frame",
    "aria-label": "State on the way to the structure",
  });
  const label = h("output", { for: "frame" });
  const element = h("div", { class: "frames" }, h("label", { for: "frame" }, "On the way"), input, label);
  let listener = () => {};
  input.addEventListener("input", () => listener());
  return {
    element,
    show(
      prediction: PredictionData,
      chains: ChainChoice,
      draw: (frame: Drawn, keepView: boolean) => Promise<unknown>,
    ) {
      const { frames } = prediction;
      element.hidden = frames.length === 0;
      input.max = String(frames.length);
      input.value = input.max;
      label.textContent = "final structure";
      listener = () => {
        const at = Number(input.value);
        const frame = frames[at];
        label.textContent = frame ? frame.label : "final structure";
        draw(
          frame
            ? { cif: traceCif(unpackPositions(frame.alphas)), colorOf: chains.of(prediction).colorOf, cartoon: false }
            : drawnOf(prediction, chains),
          true,
        );
      };
    },
  };
}

/** The final structure, with the experimental one. */
function drawnOf(prediction: PredictionData, chains: ChainChoice): Drawn {
  const { cif, experiment } = prediction;
  return { cif, ...chains.of(prediction), cartoon: true, experiment: experiment?.cif ?? null };
}

/** A Cα trace as mmCIF. */
function traceCif(positions: [number, number, number][]): string {
  const columns = [
    "group_PDB",
    "id",
    "type_symbol",
    "label_atom_id",
    "label_alt_id",
    "label_comp_id",
    "label_asym_id",
    "label_entity_id",
    "label_seq_id",
  ]
    .concat("Cartn_x", "Cartn_y", "Cartn_z", "auth_seq_id", "auth_asym_id", "pdbx_PDB_model_num");
  const rows = positions.map(([x, y, z], i) => `ATOM ${i + 1} C CA . ALA A 1 ${i + 1} ${x} ${y} ${z} ${i + 1} A 1`);
  return `data_trace\nloop_\n${columns.map((name) => `_atom_site.${name}`).join("\n")}\n${rows.join("\n")}\n`;
}

function runSection({ run }: PredictReportData): HTMLElement {
  return section(
    "run",
    "The run",
    "",
    h("dl", {}, ...run.flatMap(({ label, value }) => [h("dt", {}, label), h("dd", {}, value)])),
  );
}

/** The report that this page was made for; the page that predicts brings none. */
const own = document.getElementById("prediction-data");
if (own) {
  reportView(document.getElementById("prediction")!)(JSON.parse(own.textContent!))
    .then(() => document.documentElement.dataset.ready = "true");
}
