/// <reference lib="dom" />
import { formatNumber, h, section, tableBox, withUnit } from "../../report/page/dom.ts";
import type { PlotSection } from "../../report/page/plots.ts";
import { currentTheme, onThemeChange } from "../../report/page/theme.ts";
import type { ProfileData } from "../profile_data.ts";
import { kebabCase } from "../../words.ts";
import { median } from "../table.ts";
import { kernelSection } from "./kernels.ts";
import { memorySection, rooflineSection, timelineSection } from "./plots.ts";

const MIB = 2 ** 20;

function start(): void {
  const data: ProfileData = JSON.parse(document.getElementById("profile-data")!.textContent!);
  const plots = [timelineSection(data), rooflineSection(data), memorySection(data)]
    .filter((part): part is PlotSection => part !== undefined);
  document.getElementById("profile")!.append(
    header(data),
    facts(data),
    ...data.parts.kernels ? [kernelSection(data)] : [],
    ...plots.map(({ element }) => element),
    ...data.parts.memory ? [peakSection(data)] : [],
    ...data.parts.kernels ? compilationSection(data) : [],
    h("footer", {}, `Made by denofold ${data.version}, ${data.created.slice(0, 16).replace("T", " ")} UTC.`),
  );
  const draw = (theme = currentTheme()) => plots.forEach((plot) => plot.draw(theme));
  draw();
  onThemeChange(draw);
  document.documentElement.dataset.ready = "true";
}

function header({ workload, adapter, settings, clock, parts }: ProfileData): HTMLElement {
  const notes: Record<ProfileData["clock"], string> = {
    timestamps: "",
    wall: " The adapter has no timestamps: each kernel was submitted alone and timed by the CPU's clock, " +
      "submission included.",
    none: parts.kernels ? " The adapter has no timestamps: times of kernels are missing." : "",
  };
  const choices = Object.entries(settings).map(([name, value]) => `${kebabCase(name)} ${value}`).join(", ");
  return h(
    "header",
    {},
    h("p", { class: "brand" }, "denofold profile"),
    h("h1", {}, workload),
    h("p", {}, `${choices}, on ${adapter}.${notes[clock]}`),
  );
}

function facts(data: ProfileData): HTMLElement {
  const { stepMs, host, memory, roofs, copies, gpuMs, parts, clock } = data;
  const steps = Math.max(1, stepMs.length);
  const tiles: [string, string][] = [
    [`A step (median of ${stepMs.length})`, withUnit(median(stepMs), 1, "ms")],
    ...clock === "none" ? [] : [["Kernels, a step", withUnit(gpuMs / steps, 1, "ms")] as [string, string]],
    ["Encoding, a step", withUnit(host.encodeMs / steps, 2, "ms")],
    ["Submitting, a step", withUnit(host.submitMs / steps, 2, "ms")],
    ["Waiting, a step", withUnit(host.waitMs / steps, 1, "ms")],
    ...parts.memory ? [["Tensors at the peak", withUnit(memory.peakBytes / MIB, 1, "MiB")] as [string, string]] : [],
    ["Copied, a step", withUnit(copies.bytes / steps / MIB, 1, "MiB")],
  ];
  if (roofs) {
    tiles.push(["Roof of multiply-adds", withUnit(roofs.gflops, 0, "GFLOP/s")]);
    tiles.push(["Roof of copies", withUnit(roofs.gbs, 1, "GB/s")]);
  }
  return h(
    "dl",
    { class: "facts" },
    ...tiles.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

function peakSection({ memory }: ProfileData): HTMLElement {
  return section(
    "peak",
    "Tensors at the peak",
    "What was held when tensors took most memory, by the place where it was made.",
    tableBox(
      "Tensors at the peak",
      h("tr", {}, h("th", { class: "name" }, "Place"), h("th", {}, "MiB"), h("th", {}, "Tensors")),
      ...memory.atPeak.slice(0, 40).map(({ place, bytes, count }) =>
        h(
          "tr",
          {},
          h("td", { class: "name" }, place || "before the profile began"),
          h("td", {}, formatNumber(bytes / MIB, 2)),
          h("td", {}, count ? `${count}` : "–"),
        )
      ),
    ),
  );
}

function compilationSection({ compilations }: ProfileData): HTMLElement[] {
  if (compilations.count === 0) return [];
  const sum = `${compilations.count} pipelines in ${formatNumber(compilations.totalMs, 1)} ms, the slowest first. ` +
    "What a driver compiles when a kernel first runs is part of that kernel's time.";
  return [section(
    "compilations",
    "Pipelines made",
    sum,
    tableBox(
      "Pipelines made",
      h("tr", {}, h("th", { class: "name" }, "Kernel"), h("th", {}, "ms")),
      ...compilations.slowest.map(({ kernel, ms }) =>
        h("tr", {}, h("td", { class: "name" }, kernel), h("td", {}, formatNumber(ms, 2)))
      ),
    ),
  )];
}

start();
