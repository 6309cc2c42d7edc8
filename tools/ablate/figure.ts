/** The figure of a study of ablations: differences to the baseline, with intervals. */
import type { SeedMean } from "./statistics.ts";

/** A row of the figure. */
export interface FigureRow {
  /** What it is. */
  readonly label: string;
  /** Difference to the baseline. */
  readonly difference: SeedMean;
}

const WIDTH = 720, LEFT = 190, RIGHT = 40, ROW = 34, TOP = 56, BOTTOM = 52;

/**
 * Dots with intervals, a row a variant, as SVG.
 *
 * @param axis What the differences are of, with the unit.
 */
export function differencesFigure(rows: readonly FigureRow[], axis: string): string {
  const reach = rows.flatMap(({ difference: { mean, margin } }) => [mean - (margin ?? 0), mean + (margin ?? 0)]);
  const most = 1.1 * Math.max(1e-6, ...reach.map(Math.abs));
  const x = (value: number) => LEFT + (WIDTH - LEFT - RIGHT) * (value + most) / (2 * most);
  const height = TOP + ROW * rows.length + BOTTOM, bottom = TOP + ROW * rows.length;
  const ticks = [-1, -0.5, 0, 0.5, 1].map((part) => part * most / 1.1);
  const text = (at: number, y: number, anchor: string, content: string) =>
    `<text x="${at.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escaped(content)}</text>`;
  const lines = [
    text(LEFT - 12, 28, "end", "without"),
    text((LEFT + WIDTH - RIGHT) / 2, 28, "middle", `Difference to the baseline in ${axis}`),
    ...ticks.flatMap((value) => [
      `<line x1="${x(value).toFixed(1)}" x2="${x(value).toFixed(1)}" y1="${TOP - 8}" y2="${bottom}" stroke="${
        value === 0 ? "#555" : "#ddd"
      }"/>`,
      text(x(value), bottom + 20, "middle", value.toPrecision(2)),
    ]),
    ...rows.flatMap(({ label, difference: { mean, margin } }, i) => {
      const y = TOP + ROW * (i + 0.5);
      const from = x(mean - (margin ?? 0)).toFixed(1), to = x(mean + (margin ?? 0)).toFixed(1);
      return [
        text(LEFT - 12, y + 5, "end", label),
        ...(margin === null
          ? []
          : [`<line x1="${from}" x2="${to}" y1="${y}" y2="${y}" stroke="#1f5fa8" stroke-width="3"/>`]),
        `<circle cx="${x(mean).toFixed(1)}" cy="${y}" r="6" fill="#1f5fa8"/>`,
      ];
    }),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
    `font-family="sans-serif" font-size="14" role="img" aria-label="Differences to the baseline in ${
      escaped(axis)
    }">\n` +
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>\n${lines.join("\n")}\n</svg>\n`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
