import { checkReportData } from "./check_report_data.ts";
import { htmlPage } from "./html_page.ts";
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
  return await htmlPage(await pageAssets(), {
    id: "report",
    title: data.title,
    description: data.summary,
    withoutScript: "This report draws its tables and plots with JavaScript, which is switched off in this browser.",
    data: JSON.stringify(data),
  });
}
