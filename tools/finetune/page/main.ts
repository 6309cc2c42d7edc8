/// <reference lib="dom" />
import { h, section } from "../../report/page/dom.ts";
import type { PlotSection } from "../../report/page/plots.ts";
import { currentTheme, onThemeChange } from "../../report/page/theme.ts";
import type { FinetuneReportData, RunData } from "../report_data.ts";
import { comparison, differencesSection } from "./comparison.ts";
import { curveSection, predictionSection } from "./plots.ts";
import { breakdownSection, metricsSection, movedSection, tasksSection, worstSection } from "./tables.ts";

function start(): void {
  const data: FinetuneReportData = JSON.parse(document.getElementById("finetuning-data")!.textContent!);
  const parts = data.runs.length === 1 ? runParts(data.runs[0]) : comparisonParts(data);
  const notices = [
    ...data.notices,
    ...new Set(data.runs.flatMap(({ name, notices }) => {
      return data.runs.length === 1 ? notices : notices.map((notice) => `${name}: ${notice}`);
    })),
  ];
  document.getElementById("finetuning")!.append(
    h(
      "header",
      {},
      h("p", { class: "brand" }, "denofold fine-tuning"),
      h("h1", {}, data.title),
      h("p", {}, data.summary),
    ),
    ...notices.map((notice) => h("p", { class: "notice", role: "note" }, notice)),
    ...parts.map((part) => part instanceof HTMLElement ? part : part.element),
    h(
      "footer",
      {},
      `Made by denofold, ${data.created.slice(0, 16).replace("T", " ")} UTC. Plots drawn with plotly.js.`,
    ),
  );
  const draw = (theme: ReturnType<typeof currentTheme>) => {
    for (const part of parts) if (!(part instanceof HTMLElement)) part.draw(theme);
  };
  draw(currentTheme());
  onThemeChange(draw);
  document.documentElement.dataset.ready = "true";
}

type Part = HTMLElement | PlotSection;

function runParts(run: RunData): Part[] {
  const parts = [
    metricsSection(run),
    tasksSection([run]),
    predictionSection(run),
    curveSection([run]),
    breakdownSection(run),
    worstSection(run),
    movedSection(run),
    runSection(run),
  ];
  return parts.filter((part) => part !== undefined);
}

function comparisonParts(data: FinetuneReportData): Part[] {
  const parts = [comparison(data), tasksSection(data.runs), curveSection(data.runs), differencesSection(data)];
  return parts.filter((part) => part !== undefined);
}

function runSection({ facts }: RunData): HTMLElement {
  const lines = facts.flatMap(({ label, value }) => [h("dt", {}, label), h("dd", {}, value)]);
  return section("run", "The run", "", h("dl", {}, ...lines));
}

start();
