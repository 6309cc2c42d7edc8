/// <reference lib="dom" />
import { formatNumber, h, section } from "../../report/page/dom.ts";
import { drawMap, type PlotSection } from "../../report/page/plots.ts";
import { currentTheme, onThemeChange, type Theme } from "../../report/page/theme.ts";
import type { AttentionData, KindData } from "../attention_data.ts";
import { drawSequences } from "./column_plot.ts";
import { switcher } from "./controls.ts";
import { kindSection, type KindSectionOptions } from "./kind_section.ts";

/** Weights and distances with as many decimals as tell them apart. */
const weight = (value: number) => formatNumber(value, value < 0.01 ? 4 : 3);

function start(): void {
  const data: AttentionData = JSON.parse(document.getElementById("attention-data")!.textContent!);
  let fromZero = false;
  const shared = { blocks: data.blocks, fromZero: () => fromZero };
  const sections = [triangleSection(data, shared), columnSection(data, shared), rowSection(data, shared)]
    .filter((part): part is PlotSection => part !== undefined);
  const draw = (theme: Theme) => sections.forEach((part) => part.draw(theme));
  document.getElementById("attention")!.append(
    header(data),
    h(
      "div",
      { class: "colours" },
      "Colours of attention begin at ",
      switcher("Colours begin at", ["the smallest weight of each map", "0"], (index) => {
        fromZero = index === 1;
        draw(currentTheme());
      }),
    ),
    ...sections.map(({ element }) => element),
    runSection(data),
    h("footer", {}, `Made by denofold ${data.version}, ${data.created.slice(0, 16).replace("T", " ")} UTC.`),
  );
  draw(currentTheme());
  onThemeChange(draw);
  document.documentElement.dataset.ready = "true";
}

type Shared = Pick<KindSectionOptions, "blocks" | "fromZero">;

const ofKind = ({ kinds }: AttentionData, kind: KindData["kind"]) => kinds.find((data) => data.kind === kind);

/** Letter and number of each residue of the target: `C5`. */
function residues({ alignment }: AttentionData): string[] {
  return [...alignment[0]].map((letter, i) => `${letter}${i + 1}`);
}

/** The same with the structure's number, where that is another: `C5 (structure: 505)`. */
function fullNames(data: AttentionData): string[] {
  return residues(data).map((name, i) => {
    const number = data.structure?.residueNumbers[i];
    return number === undefined || number === i + 1 ? name : `${name} (structure: ${number})`;
  });
}

/** The map of C-alpha distances, where there is a structure. */
function distanceFigure(data: AttentionData, id: string): KindSectionOptions["beside"] {
  const { structure } = data;
  if (!structure) return undefined;
  const { distances: map, name } = structure;
  const labels = residues(data), full = fullNames(data);
  const plot = h("div", { class: "plot map", id: `${id}-distances` });
  const most = Math.max(1, ...map.map((row) => Math.max(...row.map((value) => value ?? 0))));
  return {
    figure: h("figure", {}, h("figcaption", {}, `Cα distances in ${name}`), plot),
    plots: [plot],
    draw: (theme) =>
      drawMap(plot, {
        ...{ map, limits: [0, most], labels, scale: theme.sequential, suffix: " Å" },
        text: (i, j) => `${full[i]} – ${full[j]}<br>${formatNumber(map[i][j], 2)} Å`,
        titles: { row: "residue", column: "residue" },
      }, theme),
  };
}

/** Draws a map of residues by residues. */
function residueDrawing(data: AttentionData, titles: (kind: KindData) => { row: string; column: string }) {
  const labels = residues(data), full = fullNames(data);
  const draw: KindSectionOptions["draw"] = (element, { map, limits, kind }, theme) => {
    const { row, column } = titles(kind);
    drawMap(element, {
      ...{ map, limits, labels, scale: theme.intensity, titles: titles(kind) },
      text: (i, j) => `${row} ${full[i]}<br>${column} ${full[j]}<br>weight ${weight(map[i][j])}`,
    }, theme);
  };
  return draw;
}

function triangleSection(data: AttentionData, shared: Shared): PlotSection | undefined {
  const names = { triangleAttentionStarting: "starting node", triangleAttentionEnding: "ending node" } as const;
  const kinds = (["triangleAttentionStarting", "triangleAttentionEnding"] as const).flatMap((name) => {
    const kind = ofKind(data, name);
    return kind ? [{ kind, name: `Around the ${names[name]}` }] : [];
  });
  if (kinds.length === 0) return undefined;
  const labels = residues(data);
  const starts = ({ kind }: KindData) => kind === "triangleAttentionStarting";
  return kindSection({
    ...shared,
    ...{ id: "triangle", kinds, rowName: "residue", meanCaption: "Mean over all residues i" },
    heading: "Triangle attention",
    lead:
      "Pairs of residues attend to pairs that share residue i with them: (i, j) to (i, k) around the starting node, " +
      "(j, i) to (k, i) around the ending node. Rows are queries j, columns keys k; each row sums to 1.",
    rowLabel: (row) => labels[row],
    sliceCaption: (row, kind) => `Residue i = ${labels[row]}: pairs that ${starts(kind) ? "start" : "end"} there`,
    draw: residueDrawing(data, () => ({ row: "query j", column: "key k" })),
    beside: distanceFigure(data, "triangle"),
  });
}

function rowSection(data: AttentionData, shared: Shared): PlotSection | undefined {
  const kind = ofKind(data, "msaRowAttention");
  return kind && kindSection({
    ...shared,
    ...{ id: "row", kinds: [{ kind, name: "" }], rowName: "sequence", meanCaption: "Mean over all sequences" },
    heading: "Row attention",
    lead:
      "Residues of each sequence attend to each other, biased by the pair representation. Rows are queries, columns " +
      "keys; each row sums to 1.",
    rowLabel: (row) => data.names[row],
    sliceCaption: (row) => row === 0 ? `The target, ${data.names[0]}` : `Sequence ${data.names[row]}`,
    draw: residueDrawing(data, () => ({ row: "query residue", column: "key residue" })),
    beside: distanceFigure(data, "row"),
  });
}

function columnSection(data: AttentionData, shared: Shared): PlotSection | undefined {
  const kind = ofKind(data, "msaColumnAttention");
  if (!kind) return undefined;
  const { names, alignment, tree, hamming } = data;
  const labels = residues(data);
  const order = tree?.order ?? names.map((_, i) => i);
  const titles = { row: "query sequence", column: "key sequence" };
  const hammingPlot = h("div", { class: "plot", id: "column-hamming" });
  const ordered = tree
    ? "Sequences are ordered by Ward's clustering of their Hamming distances, branches turned so that the target comes first."
    : "Sequences are in the order of the alignment, the target first.";
  return kindSection({
    ...shared,
    ...{ id: "column", kinds: [{ kind, name: "" }], rowName: "residue", meanCaption: "Mean over all residues" },
    heading: "Column attention",
    lead: `The sequences' residues in one column of the alignment attend to each other; each row sums to 1. ${ordered}`,
    rowLabel: (row) => labels[row],
    sliceCaption: (row) => `Residue ${labels[row]}`,
    order,
    draw: (element, { map, limits }, theme) =>
      drawSequences(element, {
        ...{ map, limits, names, order, tree, titles, scale: theme.intensity },
        text: (i, j) => `query ${names[i]}<br>key ${names[j]}<br>weight ${weight(map[i][j])}`,
      }, theme),
    beside: {
      figure: h("figure", {}, h("figcaption", {}, "Hamming distance of the sequences"), hammingPlot),
      plots: [hammingPlot],
      draw: (theme) =>
        drawSequences(hammingPlot, {
          ...{ map: hamming, limits: [0, 1], names, order, tree, titles: { row: "sequence", column: "sequence" } },
          scale: theme.sequential,
          text: (i, j) =>
            `${names[i]} – ${names[j]}<br>differ in ${formatNumber(100 * (hamming[i][j] ?? 0), 1)} % of ${
              alignment[0].length
            } columns`,
        }, theme),
    },
  });
}

function header({ title, summary, alignment, names }: AttentionData): HTMLElement {
  const groups = alignment[0].match(/.{1,10}/g) ?? [];
  return h(
    "header",
    {},
    h("p", { class: "brand" }, "denofold attention"),
    h("h1", {}, title),
    h("p", {}, summary),
    h(
      "p",
      { class: "sequence", "aria-label": `Sequence of ${names[0]}, ${alignment[0]}` },
      ...groups.map((text) => h("span", {}, text)),
    ),
  );
}

function runSection({ facts }: AttentionData): HTMLElement {
  const lines = facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
  return section("run", "The run", "", h("dl", {}, ...lines));
}

start();
