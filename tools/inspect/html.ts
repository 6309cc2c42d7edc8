/** The page of an inspection: one HTML file with its drawings, without scripts, that asks for nothing from the network. */
import { escapeHtml } from "../report/html_page.ts";
import { coveragePlot, identityPlot, mapPlot, residuePlot } from "./drawings.ts";
import { type FactTable, type Inspection, shown } from "./inspection.ts";

/** Most rows of a table. */
const SHOWN_ROWS = 1000;

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

const STYLE = `
:root { color-scheme: light dark; --page: #f4f6f8; --surface: #fff; --ink: #1b2430; --muted: #5a6675; --line: #dfe4ea;
  --coverage: #9cc5e3; --depth: #d55e00; --conservation: #00805e; --warning: #a4480a; }
@media (prefers-color-scheme: dark) { :root { --page: #0f141a; --surface: #171d25; --ink: #e6eaef; --muted: #9aa7b5;
  --line: #2b343f; --coverage: #33536e; --depth: #f0953f; --conservation: #2fc79a; --warning: #f0a35f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 48px; }
.kind { margin: 0; color: var(--muted); }
h1 { margin: 0 0 16px; font-size: 1.6rem; overflow-wrap: anywhere; }
h2 { margin: 0 0 4px; font-size: 1.15rem; }
section { margin-top: 18px; padding: 18px 20px; background: var(--surface); border: 1px solid var(--line);
  border-radius: 10px; }
.lead { margin: 0 0 12px; color: var(--muted); max-width: 52rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 18px; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
.warning { color: var(--warning); margin: 6px 0; }
.box { overflow-x: auto; max-height: 32rem; }
table { border-collapse: collapse; font-size: 0.86rem; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--muted); font-weight: 600; }
th, td { padding: 3px 14px 3px 0; border-bottom: 1px solid var(--line); white-space: nowrap; max-width: 28rem;
  overflow: hidden; text-overflow: ellipsis; }
td:last-child { white-space: normal; min-width: 12rem; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; font-size: 13px; }
svg.map { max-width: 794px; }
svg text { fill: var(--muted); }
svg image { image-rendering: pixelated; }
.grid { stroke: var(--line); } .frame { fill: none; stroke: var(--line); }
.coverage { fill: var(--coverage); } .depth { fill: none; stroke: var(--depth); stroke-width: 2; }
.conservation circle { fill: var(--conservation); } .identity { fill: var(--coverage); }
@media (max-width: 700px) { section { overflow-x: auto; } svg { min-width: 620px; } }
.missing { fill: var(--warning); }
.key { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin: 0 5px 0 12px; }
footer { margin-top: 22px; color: var(--muted); font-size: 0.85rem; }
`;

/**
 * Makes the page.
 *
 * @param version Of denofold, for the last line.
 */
export function inspectionPage(inspection: Inspection, version: string): string {
  const { kind, path, facts, tables, warnings, columns, curves = [], maps } = inspection;
  const title = path.split(/[\\/]/).pop() ?? path;
  const known = facts.filter(({ value }) => value !== undefined);
  const parts = [
    section(
      "Contents",
      "",
      `<dl>${known.map(({ label, value }) => `<dt>${escapeHtml(label)}</dt><dd>${cell(value)}</dd>`).join("\n")}</dl>` +
        warnings.map((warning) => `<p class="warning">Warning: ${escapeHtml(warning)}</p>`).join(""),
    ),
  ];
  if (columns) {
    const key = (name: string, text: string) =>
      `<span class="key" style="background: var(--${name})"></span>${escapeHtml(text)}`;
    const keys = key("coverage", "part of the rows with a residue (left)") +
      key("depth", "effective rows at 80 % identity (right)") +
      (columns.conservation ? key("conservation", "conservation, 0 to 1 (left)") : "");
    parts.push(section("Coverage", "", `<p class="lead">${keys}</p>${coveragePlot(columns)}`));
    parts.push(
      section(
        "Identity to the query",
        "Equal residues of those where both have one, row by row.",
        identityPlot(columns),
      ),
    );
  }
  for (const map of maps) {
    parts.push(section(map.title, map.lead, mapPlot(map).replace("<svg ", '<svg class="map" ')));
  }
  parts.push(...tables.filter(({ rows }) => rows.length > 0).map(tableSection));
  parts.push(...curves.map((curve) => section(curve.title, curve.lead, residuePlot(curve))));
  return [
    `<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">`,
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    `<meta name="viewport" content="width=device-width, initial-scale=1">`,
    `<meta name="generator" content="denofold">`,
    `<link rel="icon" href="data:,">`,
    `<title>${escapeHtml(title)}</title>\n<style>${STYLE}</style>\n</head>\n<body>\n<main>`,
    `<p class="kind">${escapeHtml(kind)}</p>\n<h1>${escapeHtml(title)}</h1>`,
    ...parts,
    `<footer>Made by denofold ${escapeHtml(version)} of ${escapeHtml(path)}.</footer>`,
    `</main>\n</body>\n</html>\n`,
  ].join("\n");
}

function tableSection({ title, columns, rows }: FactTable): string {
  const head = columns.map((column) => `<th>${escapeHtml(column)}</th>`).join("");
  const body = rows.slice(0, SHOWN_ROWS).map((row) =>
    `<tr>${row.map((value) => `<td>${cell(value)}</td>`).join("")}</tr>`
  );
  const more = rows.length > SHOWN_ROWS ? `The first ${SHOWN_ROWS} of ${rows.length}.` : "";
  return section(title, more, `<div class="box"><table><tr>${head}</tr>\n${body.join("\n")}</table></div>`);
}

function section(title: string, lead: string, content: string): string {
  const leadLine = lead === "" ? "" : `<p class="lead">${escapeHtml(lead)}</p>\n`;
  return `<section>\n<h2>${escapeHtml(title)}</h2>\n${leadLine}${content}\n</section>`;
}

function cell(value: string | number | undefined): string {
  return escapeHtml(shown(value));
}
