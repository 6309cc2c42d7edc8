/// <reference lib="dom" />
/** The tables of the report of predictions. */
import { formatNumber, h, section, tableBox, withUnit } from "../../report/page/dom.ts";
import type { FileLink, PredictionData, ScreenPairData, TargetData } from "../report_data.ts";
import { classOf } from "./confidence.ts";
import { labelsOf } from "./plots.ts";
import type { Selection } from "./selection.ts";

/** The ranking of a screen; a click on a pair that the report has shows it. */
export function screenSection(
  pairs: ScreenPairData[],
  select: HTMLSelectElement,
  show: (target: TargetData) => Promise<void>,
  targets: TargetData[],
): HTMLElement {
  const rows = pairs.map((pair, k) => {
    const text = `${pair.bait} – ${pair.prey}`;
    const name = pair.target === null
      ? pair.reason === null ? h("a", { href: pair.href }, text) : text
      : h("button", { type: "button" }, text);
    if (pair.target !== null && name instanceof HTMLElement) {
      name.addEventListener("click", () => {
        select.value = String(pair.target);
        show(targets[pair.target!]).then(() => document.getElementById("target")!.scrollIntoView());
      });
    }
    const numbers = [
      formatNumber(pair.score, 3),
      formatNumber(pair.iptm, 3),
      formatNumber(pair.ptm, 3),
      formatNumber(pair.meanPlddt, 1),
      withUnit(pair.pae, 1, "Å"),
      formatNumber(pair.pdockq, 3),
      formatNumber(pair.pdockq2, 3),
      ...[pair.contacts, pair.clashes].map((count) => count === null ? "–" : String(count)),
      String(pair.residues),
    ];
    return h(
      "tr",
      {},
      h("td", { class: "number" }, String(k + 1)),
      h("th", { scope: "row" }, name),
      ...(pair.reason === null
        ? numbers.map((value) => h("td", { class: "number" }, value))
        : [h("td", { colspan: String(numbers.length) }, `failed: ${pair.reason}`)]),
    );
  });
  const heads = ["0.8 ipTM + 0.2 pTM", "ipTM", "pTM", "Mean pLDDT", "Mean PAE", "pDockQ", "pDockQ2", "Contacts"];
  return section(
    "screen",
    "Pairs",
    "Bait and prey, best first; scores are those of the best prediction. Click a pair to see it; of the others the files are linked.",
    tableBox(
      "Ranking of the pairs",
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col", class: "number" }, ""),
          h("th", { scope: "col" }, "Pair"),
          ...[...heads, "Clashes", "Residues"].map((text) => h("th", { scope: "col", class: "number" }, text)),
        ),
      ),
      h("tbody", {}, ...rows),
    ),
  );
}

/** The predictions, best first; a click on a name shows one. */
export function rankingTable(target: TargetData, choose: (prediction: PredictionData) => void) {
  const hasExperiment = target.predictions.some(({ experiment }) => experiment);
  const isOfComplexes = target.predictions.some(({ iptm }) => iptm !== undefined);
  const hasFiles = target.predictions.some(({ files }) => files.length > 0);
  const rows = target.predictions.map((prediction) => {
    const { rank, name, meanPlddt, ptm, iptm, seconds, recycles, files, experiment } = prediction;
    const button = h("button", { type: "button", "data-rank": String(rank), "aria-pressed": "false" }, name);
    button.addEventListener("click", () => choose(prediction));
    const change = recycles.at(-1)?.distanceChange ?? null;
    const row = h(
      "tr",
      {},
      h("td", { class: "number" }, String(rank)),
      h("th", { scope: "row" }, button),
      h("td", { class: "number" }, formatNumber(meanPlddt, 1)),
      h("td", { class: "number" }, formatNumber(ptm, 3)),
      ...(isOfComplexes ? [h("td", { class: "number" }, formatNumber(iptm ?? null, 3))] : []),
      ...(hasExperiment
        ? [
          h("td", { class: "number" }, formatNumber(experiment?.measures.lddt ?? null, 3)),
          h("td", { class: "number" }, formatNumber(experiment?.measures.tmScore ?? null, 3)),
          h("td", { class: "number" }, withUnit(experiment?.measures.caRmsd ?? null, 2, "Å")),
          h("td", { class: "number" }, withUnit(experiment?.measures.allAtomRmsd ?? null, 2, "Å")),
        ]
        : []),
      h("td", { class: "number" }, String(recycles.length - 1)),
      h("td", { class: "number" }, withUnit(change, 2, "Å")),
      h("td", { class: "number" }, withUnit(seconds, 1, "s")),
      ...(hasFiles ? [h("td", {}, ...links(files, ""))] : []),
    );
    return { prediction, button, row };
  });
  const measures = hasExperiment ? ["lDDT-Cα", "TM-score", "Cα RMSD", "All-atom RMSD"] : [];
  const scores = ["Mean pLDDT", "pTM", ...isOfComplexes ? ["ipTM"] : [], ...measures];
  const heads = ["", "Prediction", ...scores, "Recyclings", "Last change", "Time", ...hasFiles ? ["Files"] : []];
  return {
    element: tableBox(
      "Ranking of the predictions",
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ...heads.map((text, i) =>
            h("th", { scope: "col", ...(i > 1 && text !== "Files" ? { class: "number" } : {}) }, text)
          ),
        ),
      ),
      h("tbody", {}, ...rows.map(({ row }) => row)),
    ),
    mark(shown: PredictionData) {
      for (const { prediction, button } of rows) button.setAttribute("aria-pressed", String(prediction === shown));
    },
  };
}

/** Scores of each pair of chains; those of a row are chosen by a click on their names. */
export function interfaceTable(
  { chains = [] }: TargetData,
  { interfaces = [], experiment }: PredictionData,
  selection: Selection,
) {
  if (interfaces.length === 0) return [];
  const measured = experiment?.interfaces;
  const rangeOfChain = (name: string) => {
    const { start, residues } = chains.find((chain) => chain.name === name)!;
    return { from: start, to: start + residues - 1 };
  };
  const rows = interfaces.map(
    ({ chains: [a, b], iptm, meanPae, plddt, contacts, residues, pdockq, pdockq2, clashes }) => {
      const button = h("button", { type: "button" }, `${a} – ${b}`);
      button.addEventListener("click", () => selection.select(rangeOfChain(a), rangeOfChain(b)));
      const numbers = [
        formatNumber(iptm, 3),
        withUnit(meanPae, 1, "Å"),
        String(contacts),
        String(residues),
        formatNumber(plddt, 1),
        formatNumber(pdockq, 3),
        formatNumber(pdockq2, 3),
        String(clashes),
        ...(measured
          ? [formatNumber(measured.find((one) => one.chains.join() === `${a},${b}`)?.dockq ?? null, 3)]
          : []),
      ];
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, button),
        ...numbers.map((text) => h("td", { class: "number" }, text)),
      );
    },
  );
  const scores = ["ipTM", "Mean PAE", "Contacts", "Residues", "pLDDT", "pDockQ", "pDockQ2", "Clashes"]
    .concat(measured ? ["DockQ"] : []);
  return [tableBox(
    "Interfaces between chains",
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Chains"),
        ...scores.map((text) => h("th", { scope: "col", class: "number" }, text)),
      ),
    ),
    h("tbody", {}, ...rows),
  )];
}

/** How near each chain is to the true one that it stands for; nothing without an experimental structure. */
export function chainTable({ experiment }: PredictionData): HTMLElement[] {
  if (!experiment?.chains) return [];
  return [tableBox(
    "Chains beside those of the experimental structure",
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ...["Chain", "Stands for"].map((text) => h("th", { scope: "col" }, text)),
        ...["lDDT-Cα", "TM-score"].map((text) => h("th", { scope: "col", class: "number" }, text)),
      ),
    ),
    h(
      "tbody",
      {},
      ...experiment.chains.map(({ chain, truth, lddt, tmScore }) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, chain),
          h("td", {}, truth),
          h("td", { class: "number" }, formatNumber(lddt, 3)),
          h("td", { class: "number" }, formatNumber(tmScore, 3)),
        )
      ),
    ),
  )];
}

/** The same numbers as the plot's, for those who read rather than look. */
export function residueTable(target: TargetData, shown: () => PredictionData): HTMLElement {
  const box = h("div", {});
  const details = h("details", { class: "residues" }, h("summary", {}, "As a table"), box);
  const labels = labelsOf(target);
  details.addEventListener("toggle", () => {
    if (!details.open) return box.replaceChildren();
    const { plddt } = shown();
    box.replaceChildren(tableBox(
      "Predicted lDDT of each residue",
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Residue"),
          h("th", { scope: "col", class: "number" }, "pLDDT"),
          h("th", { scope: "col" }, "Confidence"),
        ),
      ),
      h(
        "tbody",
        {},
        ...labels.map((label, i) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, label),
            h("td", { class: "number" }, formatNumber(plddt[i], 1)),
            h("td", {}, classOf(plddt[i]).label),
          )
        ),
      ),
    ));
  });
  return details;
}

/** Links to files, after some text. */
export function links(files: FileLink[], before: string): (HTMLElement | string)[] {
  return files.flatMap(({ label, href }, i) => [i === 0 ? before : " ", h("a", { href }, label)]);
}
