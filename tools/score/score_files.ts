/** What a comparison of structures looks like: tables for the terminal, CSV, JSON, and a page. */
import { formatCsv } from "../data/matrix.ts";
import { inspectionPage } from "../inspect/html.ts";
import type { Inspection, ResidueCurve } from "../inspect/inspection.ts";
import { type MetricInfo, STANDARD_METRICS } from "../report/report_data.ts";
import { metricTitle, shown, textTable } from "../train/metric_table.ts";
import type { ChainScore, ScoreValues, StructureScore } from "./score.ts";

const ALL_ATOMS: MetricInfo = {
  name: "allAtomLddt",
  label: "all-atom lDDT",
  unit: "",
  digits: 3,
  better: "higher",
  meaning: "The same of all heavy atoms, names of atoms that are alike exchanged where that keeps more; " +
    "stereochemistry is not checked.",
};

/** The measures of prediction that two structures have, that of all atoms after that of C-alpha atoms. */
const METRICS = STANDARD_METRICS.flatMap((info) =>
  info.name === "meanDistanceError" ? [] : info.name === "lddt" ? [{ ...info, label: "lDDT-Cα" }, ALL_ATOMS] : [info]
);

const PAIRED_BY = {
  "sequence": "the sequences",
  "number": "the residues' numbers",
  "tm-align": "TM-align",
} as const;

/** The lines for the terminal. */
export function scoreText(score: StructureScore): string {
  const rows = rowsOf(score).map(({ label, residues, paired, identity, values }) => [
    ...[label, `${residues}`, `${paired}`, identity === undefined ? "" : `${(100 * identity).toFixed(1)} %`],
    ...METRICS.map((info) => shown(values[info.name as keyof ScoreValues], info)),
  ]);
  const header = ["model on reference", "residues", "paired", "identical", ...METRICS.map(metricTitle)];
  return [textTable(header, rows), ...aloneLines(score)].join("\n");
}

/** The files of a comparison by name. */
export function scoreFiles(score: StructureScore, version: string, warnings: readonly string[]): Map<string, string> {
  return new Map([
    ["score.json", `${JSON.stringify({ ...score, warnings }, undefined, 2)}\n`],
    ["residues.csv", residuesCsv(score)],
    ["score.html", inspectionPage(inspectionOf(score, warnings), version)],
  ]);
}

function residuesCsv({ chains }: StructureScore): string {
  const columns = [
    ...[
      "chain",
      "residue",
      "letter",
      "model_chain",
      "model_residue",
      "model_letter",
      "distance_angstrom",
      "lddt",
      "all_atom_lddt",
    ] as const,
  ];
  return formatCsv(
    columns,
    chains.flatMap(({ model, reference, perResidue }) =>
      perResidue.map((residue) => ({
        ...{ chain: reference, residue: residue.reference, letter: residue.letter },
        ...{ model_chain: model, model_residue: residue.model ?? "", model_letter: residue.modelLetter ?? "" },
        ...{
          distance_angstrom: digits(residue.distance),
          lddt: digits(residue.lddt),
          all_atom_lddt: digits(residue.allAtomLddt),
        },
      }))
    ),
  );
}

function digits(value: number | null): string {
  return value === null ? "" : value.toFixed(4);
}

/** Lines about each pair of chains, and about all together. */
function rowsOf({ chains, whole }: StructureScore) {
  return [
    ...chains.map(({ model, reference, residues, paired, identical, values }) => {
      return { label: `${model} on ${reference}`, residues, paired, identity: identical / Math.max(1, paired), values };
    }),
    ...(whole
      ? [{ label: "all together", residues: whole.residues, paired: whole.paired, identity: undefined, values: whole }]
      : []),
  ];
}

function aloneLines({ modelAlone, referenceAlone }: StructureScore): string[] {
  const line = (names: readonly string[], whose: string) =>
    names.length === 0 ? [] : [`Without counterpart, of the ${whose}: ${names.join(", ")}`];
  return [...line(modelAlone, "model"), ...line(referenceAlone, "reference")];
}

function inspectionOf(score: StructureScore, warnings: readonly string[]): Inspection {
  const { model, reference, pairing, chains } = score;
  const file = (path: string) => path.split(/[\\/]/).pop() ?? path;
  return {
    kind: "comparison of structures",
    path: `${file(model)} on ${file(reference)}`,
    facts: [
      { key: "model", label: "Model", value: model },
      { key: "reference", label: "Reference", value: reference },
      { key: "pairing", label: "Residues paired by", value: PAIRED_BY[pairing] },
    ],
    tables: [
      {
        key: "measures",
        title: "Measures",
        columns: ["chains", "residues", "paired", "identical", ...METRICS.map(metricTitle)],
        rows: rowsOf(score).map(({ label, residues, paired, identity, values }) => [
          ...[label, residues, paired, identity === undefined ? "" : `${(100 * identity).toFixed(1)} %`],
          ...METRICS.map((info) => shown(values[info.name as keyof ScoreValues], info)),
        ]),
      },
      {
        key: "meaning",
        title: "What they mean",
        columns: ["measure", "meaning"],
        rows: METRICS.map(({ label, meaning }) => [label, meaning]),
      },
    ],
    warnings: [...warnings, ...aloneLines(score)],
    curves: chains.flatMap(curvesOf),
    maps: [],
  };
}

function curvesOf({ model, reference, perResidue }: ChainScore): ResidueCurve[] {
  const residues = perResidue.map(({ letter, reference }) => `${letter}${reference}`);
  const of = `chain ${model} of the model on chain ${reference} of the reference`;
  const marked = "Marked below the axis: residues of which the model has no Cα atom.";
  return [
    {
      ...{ title: `Cα distance, ${of}`, residues, unit: "Å" },
      lead: `After the superposition of least RMSD of this chain, residue by residue. ${marked}`,
      values: perResidue.map(({ distance }) => distance ?? NaN),
    },
    {
      ...{ title: `lDDT-Cα, ${of}`, residues, unit: "" },
      lead: `Part of the distances between Cα atoms to neighbours within 15 Å that the model keeps. ${marked}`,
      values: perResidue.map(({ lddt }) => lddt ?? NaN),
    },
    {
      ...{ title: `All-atom lDDT, ${of}`, residues, unit: "" },
      lead: `The same of all heavy atoms of the residue. ${marked}`,
      values: perResidue.map(({ allAtomLddt }) => allAtomLddt ?? NaN),
    },
  ];
}
