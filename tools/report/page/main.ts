/// <reference lib="dom" />
import { type ReportData, type ReportTarget, STANDARD_METRICS } from "../report_data.ts";
import { h, section } from "./dom.ts";
import { leaveOneOutSection } from "./leave_one_out.ts";
import { metricSection } from "./metrics.ts";
import { freePlot } from "./plotly.ts";
import { distanceSection, errorSection, lossSection, type PlotSection } from "./plots.ts";
import { StructureSection } from "./structure_section.ts";
import { currentTheme, onThemeChange } from "./theme.ts";

function start(): void {
  const data: ReportData = JSON.parse(document.getElementById("report-data")!.textContent!);
  const metrics = data.metrics ?? STANDARD_METRICS;
  const structure = new StructureSection();
  const slot = () => h("div", {});
  const slots = { target: slot(), metrics: slot(), errors: slot(), distances: slot(), loss: slot() };
  const leaveOneOut = leaveOneOutSection(data.leaveOneOut, metrics);
  let ofTarget: PlotSection[] = [];

  const showTarget = (target: ReportTarget): Promise<void> => {
    for (const part of ofTarget) part.plots.forEach(freePlot);
    const errors = errorSection(target);
    const distances = distanceSection(target);
    const loss = lossSection(target.loss ?? data.loss);
    ofTarget = [errors, distances, loss].filter((part) => part !== undefined);
    slots.target.replaceChildren(...targetFacts(target));
    slots.metrics.replaceChildren(...present(metricSection(target.methods, metrics)));
    slots.errors.replaceChildren(...present(errors?.element));
    slots.distances.replaceChildren(...present(distances?.element));
    slots.loss.replaceChildren(...present(loss?.element));
    for (const part of ofTarget) part.draw(currentTheme());
    return structure.show(target);
  };

  const showLoss = (): Promise<void> => {
    const loss = lossSection(data.loss);
    ofTarget = present(loss);
    slots.loss.replaceChildren(...present(loss?.element));
    loss?.draw(currentTheme());
    return Promise.resolve();
  };

  document.getElementById("report")!.append(
    header(data),
    ...present(targetChooser(data.targets, showTarget)),
    slots.target,
    slots.metrics,
    ...(data.targets.length > 0 ? [structure.element] : []),
    slots.errors,
    slots.distances,
    slots.loss,
    ...present(leaveOneOut?.element),
    ...present(limitsSection(data.limits)),
    ...present(runSection(data)),
    footer(data),
  );
  leaveOneOut?.draw(currentTheme());
  onThemeChange((theme) => {
    for (const part of [...ofTarget, ...present(leaveOneOut)]) part.draw(theme);
    structure.setTheme(theme);
  });
  const shown = data.targets.length > 0 ? showTarget(data.targets[0]) : showLoss();
  shown.then(() => document.documentElement.dataset.ready = "true");
}

function header(data: ReportData): HTMLElement {
  return h(
    "header",
    {},
    h("p", { class: "brand" }, "denofold report"),
    h("h1", {}, data.title),
    h("p", {}, data.summary),
  );
}

/** Buttons that choose between targets; none where there is one target. */
function targetChooser(targets: ReportTarget[], show: (target: ReportTarget) => void): HTMLElement | undefined {
  if (targets.length < 2) return undefined;
  const buttons = targets.map((target, i) => {
    const button = h(
      "button",
      { type: "button", "aria-pressed": String(i === 0), "data-target": target.id },
      target.id,
    );
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      show(target);
    });
    return button;
  });
  return h("nav", { class: "targets", "aria-label": "Structure shown" }, ...buttons);
}

function targetFacts(target: ReportTarget): HTMLElement[] {
  const n = target.sequence.length;
  const groups = target.sequence.match(/.{1,10}/g) ?? [];
  return [h(
    "div",
    { class: "target", id: "target" },
    h(
      "p",
      {},
      h("strong", {}, target.id),
      target.description ? `, ${target.description}` : "",
      ` · ${n} residue${n === 1 ? "" : "s"}`,
    ),
    h(
      "p",
      { class: "sequence", "aria-label": `Sequence ${target.sequence}` },
      ...groups.map((text) => h("span", {}, text)),
    ),
    target.files?.length ? h("p", { class: "files" }, "Files: ", ...fileLinks(target.files)) : undefined,
  )];
}

/** Links to files beside the report, with commas between. */
function fileLinks(files: string[]): (HTMLElement | string)[] {
  return files.flatMap((name, i) => {
    const link = h("a", { href: name.split("/").map(encodeURIComponent).join("/") }, name.split("/").pop() ?? name);
    return i === 0 ? [link] : [", ", link];
  });
}

function limitsSection(paragraphs: string[]): HTMLElement | undefined {
  if (paragraphs.length === 0) return undefined;
  const heading = "What such a small model can and cannot show";
  return section("limits", heading, "", ...paragraphs.map((text) => h("p", {}, text)));
}

function runSection({ run }: ReportData): HTMLElement | undefined {
  if (run.length === 0) return undefined;
  const lines = run.flatMap(({ label, value, code }) => [
    h("dt", {}, label),
    h("dd", {}, code ? h("code", {}, value) : value),
  ]);
  return section("run", "The run", "", h("dl", {}, ...lines));
}

function footer({ created, targets }: ReportData): HTMLElement {
  const date = new Date(created);
  const when = Number.isNaN(date.getTime()) ? created : `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const drawn = targets.length > 0 ? "Structures drawn with Mol*, plots" : "Plots drawn";
  return h("footer", {}, `Made by denofold, ${when}. ${drawn} with plotly.js.`);
}

function present<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

start();
