import { checkReportData } from "./check_report_data.ts";
import { pageAssets } from "./page_assets.ts";
import type { ReportData } from "./report_data.ts";

export * from "./distance_rows.ts";
export * from "./report_data.ts";

/**
 * Makes the report of a run: one HTML page that holds its data, its plots and its 3-D view, and asks for nothing from
 * the network (its content security policy forbids it). The first report of a machine bundles the page (a few seconds);
 * later ones take it from the cache.
 *
 * @param data What to show.
 * @returns HTML text, about 4 MB plus the data.
 * @throws {RangeError} If the parts of the data do not fit together.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { renderReport } from "@denofold/denofold/tools";
 * const line = [0, 3.8, 7.6];
 * const distances = line.map((a) => line.map((b) => Math.abs(a - b)));
 * const atoms = line.map((x, i) => `ATOM ${i + 1} C CA . GLY A ${i + 1} ${x} 0 0`).join("\n");
 * const columns = ["group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id", "label_asym_id"]
 *   .concat("label_seq_id", "Cartn_x", "Cartn_y", "Cartn_z");
 * const cif = `data_line\nloop_\n${columns.map((name) => `_atom_site.${name}`).join("\n")}\n${atoms}\n`;
 * const html = await renderReport({
 *   title: "Three residues",
 *   summary: "Three residues on a line.",
 *   created: "2026-01-01T00:00:00Z",
 *   targets: [{ id: "line", sequence: "GGG", predictedCif: cif, predictedDistances: distances, methods: [] }],
 *   limits: [],
 *   run: [],
 * });
 * assert.match(html, /<title>Three residues<\/title>/);
 * ```
 */
export async function renderReport(data: ReportData): Promise<string> {
  checkReportData(data);
  const { script, style } = await pageAssets();
  const policy = [
    "default-src 'none'",
    `script-src 'sha256-${await sha256Base64(script)}'`,
    "style-src 'unsafe-inline'",
    "img-src data: blob:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return [
    `<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">`,
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    `<meta name="viewport" content="width=device-width, initial-scale=1">`,
    `<meta name="color-scheme" content="light dark">`,
    `<meta name="generator" content="denofold">`,
    `<meta name="description" content="${escapeHtml(data.summary)}">`,
    `<link rel="icon" href="data:,">`,
    `<title>${escapeHtml(data.title)}</title>`,
    `<style>${style}</style>\n</head>\n<body>`,
    `<noscript><p>${escapeHtml(data.title)}. ${escapeHtml(data.summary)}</p>`,
    `<p>This report draws its tables and plots with JavaScript, which is switched off in this browser.</p></noscript>`,
    `<main id="report"></main>`,
    `<script type="application/json" id="report-data">${escapeJson(JSON.stringify(data))}</script>`,
    `<script>${script}</script>\n</body>\n</html>\n`,
  ].join("\n");
}

/** Makes JSON text safe inside a script element: no tag and no comment can begin in it. */
function escapeJson(json: string): string {
  return json.replaceAll("<", "\\u003c").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

async function sha256Base64(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toBase64();
}
