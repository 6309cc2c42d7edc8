/// <reference lib="dom" />
import { h } from "../../report/page/dom.ts";
import type { PredictionData, TargetData } from "../report_data.ts";
import { classOf, confidenceLegend } from "./confidence.ts";
import type { Drawn } from "./structure_view.ts";

/** Colours of chains, in their order, then again; Okabe & Ito's, for any of the common kinds of colour blindness. */
const CHAIN_COLORS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a100", "#7a8694"] as const;

/** How the chains of a complex are drawn. */
export interface ChainChoice {
  /** Controls and legend; the legend of the confidence alone for a single chain. */
  readonly element: HTMLElement;
  /** Colours of a prediction's residues and the chains that are drawn. */
  of(prediction: PredictionData): Pick<Drawn, "colorOf" | "chains">;
}

/** Lets the reader colour by chain or confidence, and draw some of the chains. */
export function chainChoice({ chains = [] }: TargetData, changed: () => void): ChainChoice {
  const byConfidence = ({ plddt }: PredictionData) => (residue: number) => classOf(plddt[residue] ?? 0).color;
  const legend = confidenceLegend();
  if (chains.length < 2) return { element: legend, of: (prediction) => ({ colorOf: byConfidence(prediction) }) };
  const colors = chains.map((_, k) => CHAIN_COLORS[k % CHAIN_COLORS.length]);
  const ofResidues = chains.flatMap(({ residues }, k) => new Array<string>(residues).fill(colors[k]));
  const select = h(
    "select",
    { id: "color-by" },
    h("option", { value: "chain" }, "chain"),
    h("option", { value: "confidence" }, "confidence"),
  );
  const boxes = chains.map(({ name }) => h("input", { type: "checkbox", checked: "", value: name }));
  const all = h("button", { type: "button", id: "all-chains" }, "All chains");
  const list = h(
    "ul",
    { class: "classes", id: "chains", "aria-label": "Chains that are drawn" },
    ...chains.map(({ name }, k) =>
      h(
        "li",
        {},
        h("label", {}, boxes[k], h("span", { class: "swatch", style: `background:${colors[k]}` }), `Chain ${name}`),
      )
    ),
  );
  legend.hidden = true;
  const shown = () => new Set(boxes.filter((box) => box.checked).map(({ value }) => value));
  const tell = () => {
    legend.hidden = select.value !== "confidence";
    all.disabled = shown().size === chains.length;
    changed();
  };
  all.disabled = true;
  all.addEventListener("click", () => {
    for (const box of boxes) box.checked = true;
    tell();
  });
  select.addEventListener("change", tell);
  for (const box of boxes) {
    box.addEventListener("change", () => {
      if (shown().size === 0) box.checked = true; // something is drawn
      tell();
    });
  }
  return {
    element: h(
      "div",
      { class: "chain-choice" },
      h("div", { class: "buttons" }, h("label", { class: "residue-choice" }, "Colour by", select), all),
      list,
      legend,
    ),
    of: (prediction) => ({
      colorOf: select.value === "chain" ? (residue) => ofResidues[residue] ?? "#888888" : byConfidence(prediction),
      ...(shown().size < chains.length && { chains: shown() }),
    }),
  };
}
