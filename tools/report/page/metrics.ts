/// <reference lib="dom" />
import type { MetricInfo, ScoredMethod } from "../report_data.ts";
import { formatNumber, h, section, tableBox, withUnit } from "./dom.ts";

/** Large numbers of the prediction, and the table that sets the baselines beside them. */
export function metricSection(methods: ScoredMethod[], metrics: MetricInfo[]): HTMLElement | undefined {
  const shown = metrics.filter((metric) => methods.some((method) => isNumber(method.values[metric.name])));
  if (shown.length === 0) return undefined;
  const [prediction, ...baselines] = methods;
  const lead = baselines.length === 0
    ? "The prediction measured against the experimental structure."
    : "The prediction measured against the experimental structure, beside naive answers that need no network. " +
      "The best value of each row is in bold.";
  return section(
    "metrics",
    "How close it comes",
    lead,
    baselines.length > 0 ? h("p", { class: "verdict" }, verdict(methods, shown)) : undefined,
    h("div", { class: "tiles" }, ...shown.slice(0, 5).map((metric) => tile(metric, prediction, baselines))),
    tableBox("Measures of the prediction and of the baselines", head(methods), body(methods, shown)),
    h("details", {}, h("summary", {}, "What the measures mean"), ...shown.map(explanation)),
  );
}

/** Whether the prediction beats the naive answers, in one sentence; values that look the same are no better. */
export function verdict([prediction, ...baselines]: ScoredMethod[], metrics: MetricInfo[]): string {
  const compared = metrics.filter(({ name }) =>
    isNumber(prediction.values[name]) && baselines.some(({ values }) => isNumber(values[name]))
  );
  const shown = (value: number, { digits }: MetricInfo) => Number(value.toFixed(digits));
  const wins = compared.filter((metric) => {
    const [own, best] = [prediction.values[metric.name]!, bestOf(metric, baselines)!].map((value) =>
      shown(value, metric)
    );
    return metric.better === "lower" ? own < best : own > best;
  });
  const names = baselines.map(({ label }) => label).join(" and ");
  const of = `${wins.length} of ${compared.length} measures`;
  if (wins.length === compared.length) {
    return `The prediction beats the naive answers (${names}) in all ${compared.length} measures.`;
  }
  if (wins.length === 0) {
    return `The prediction does not beat the naive answers (${names}) in any of ${compared.length} measures.`;
  }
  return `The prediction beats the best of the naive answers (${names}) in ${of}: ${
    wins.map(({ label }) => label).join(", ")
  }; in the others it does not.`;
}

function explanation({ label, meaning }: MetricInfo): HTMLElement {
  return h("p", {}, h("strong", {}, label), `: ${meaning}`);
}

function tile(metric: MetricInfo, prediction: ScoredMethod, baselines: ScoredMethod[]): HTMLElement {
  const best = bestOf(metric, baselines);
  const value = formatNumber(prediction.values[metric.name], metric.digits);
  return h(
    "div",
    { class: "tile", title: metric.meaning },
    h("div", { class: "tile-label" }, metric.label),
    h("div", { class: "tile-value" }, value, metric.unit ? h("small", {}, `\u00a0${metric.unit}`) : ""),
    h(
      "div",
      { class: "tile-note" },
      best === undefined ? "" : `best baseline ${withUnit(best, metric.digits, metric.unit)}`,
    ),
  );
}

function head(methods: ScoredMethod[]): HTMLElement {
  return h(
    "thead",
    {},
    h(
      "tr",
      {},
      h("th", { scope: "col" }, "Measure"),
      ...methods.map((method) => h("th", { scope: "col", class: "number" }, method.label)),
    ),
  );
}

function body(methods: ScoredMethod[], metrics: MetricInfo[]): HTMLElement {
  return h(
    "tbody",
    {},
    ...metrics.map((metric) => {
      const best = methods.length > 1 ? bestOf(metric, methods) : undefined;
      return h(
        "tr",
        { "data-metric": metric.name },
        h(
          "th",
          { scope: "row" },
          metric.label,
          metric.unit ? ` (${metric.unit})` : "",
          h("span", { class: "better" }, metric.better === "lower" ? " ↓" : " ↑"),
          h("div", { class: "meaning" }, metric.meaning),
        ),
        ...methods.map((method) => {
          const value = method.values[metric.name];
          const text = formatNumber(value, metric.digits);
          const isBest = best !== undefined && text === formatNumber(best, metric.digits);
          return h("td", { class: isBest ? "number best" : "number" }, text);
        }),
      );
    }),
  );
}

function bestOf(metric: MetricInfo, methods: ScoredMethod[]): number | undefined {
  const values = methods.map((method) => method.values[metric.name]).filter(isNumber);
  if (values.length === 0) return undefined;
  return metric.better === "lower" ? Math.min(...values) : Math.max(...values);
}

/** Whether a measure is there. */
export function isNumber(value: number | null | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
