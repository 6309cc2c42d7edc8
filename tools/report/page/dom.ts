/// <reference lib="dom" />

type Child = Node | string | undefined | false;

/** Makes an HTML element; text children are never read as markup. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: { [name: string]: string } = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  for (const child of children) if (child) element.append(child);
  return element;
}

/** A section of the page with its heading and, below it, a sentence that says how to read it. */
export function section(id: string, heading: string, lead: string, ...children: Child[]): HTMLElement {
  return h("section", { id }, h("h2", {}, heading), lead ? h("p", { class: "lead" }, lead) : undefined, ...children);
}

/** A table that scrolls on its own where the screen is too narrow for it. */
export function tableBox(label: string, ...rows: HTMLElement[]): HTMLElement {
  return h("div", { class: "table-box", role: "region", "aria-label": label, tabindex: "0" }, h("table", {}, ...rows));
}

/** A number with fixed decimals and a true minus sign; an en dash where there is none. */
export function formatNumber(value: number | null | undefined, digits: number): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  return value.toFixed(digits).replace("-", "−");
}

/** A number with its unit, kept on one line. */
export function withUnit(value: number | null | undefined, digits: number, unit: string): string {
  const text = formatNumber(value, digits);
  return text === "–" || unit === "" ? text : `${text}\u00a0${unit}`;
}
