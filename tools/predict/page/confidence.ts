/// <reference lib="dom" />
import { h } from "../../report/page/dom.ts";

/** Classes of confidence, as AlphaFold's database colours them; the letters tell them apart without colour. */
export const CLASSES = [
  { least: 90, color: "#0053d6", label: "very high", range: "90 and more" },
  { least: 70, color: "#65cbf3", label: "confident", range: "70 to 90" },
  { least: 50, color: "#ffdb13", label: "low", range: "50 to 70" },
  { least: -Infinity, color: "#ff7d45", label: "very low", range: "below 50" },
] as const;

/** The class of a pLDDT. */
export function classOf(plddt: number): typeof CLASSES[number] {
  return CLASSES.find(({ least }) => plddt >= least) ?? CLASSES[3];
}

/** The colours in words. */
export function confidenceLegend(): HTMLElement {
  return h(
    "ul",
    { class: "classes", "aria-label": "Colours of the predicted lDDT" },
    ...CLASSES.map(({ color, label, range }) =>
      h("li", {}, h("span", { class: "swatch", style: `background:${color}` }), `${label} (${range})`)
    ),
  );
}
