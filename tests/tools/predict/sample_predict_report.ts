/** A report of made-up predictions of a real structure: zinc finger 1znf, with invented confidence. */
import { readAlignment } from "../../../tools/data/read_alignment.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";
import { formatMmcif } from "../../../tools/data/write_mmcif.ts";
import { formatModelCif } from "../../../tools/data/write_modelcif.ts";
import { ATOM_SLOTS } from "../../../model/protein/residues.ts";
import { msaData } from "../../../tools/predict/msa_data.ts";
import {
  packBytes,
  packPositions,
  type PredictionData,
  type PredictReportData,
} from "../../../tools/predict/report_data.ts";

/** Made-up data that look like a run of two networks on one target. */
export async function samplePredictReport(): Promise<PredictReportData> {
  const structure = await readStructure("examples/zinc_fingers/1znf.cif");
  const alignment = await readAlignment("examples/zinc_fingers/zinc_fingers.a3m");
  const [chain] = structure.chains;
  const n = chain.sequence.length;
  const alpha = (i: number) => chain.atomPositions.subarray(3 * (i * ATOM_SLOTS + 1), 3 * (i * ATOM_SLOTS + 1) + 3);
  const alphas = Float32Array.from({ length: 3 * n }, (_, k) => alpha(Math.floor(k / 3))[k % 3]);
  const distance = (i: number, j: number) => Math.hypot(...[0, 1, 2].map((k) => alpha(i)[k] - alpha(j)[k]));
  const pairs = (f: (i: number, j: number) => number) =>
    Float32Array.from({ length: n * n }, (_, k) => f(Math.floor(k / n), k % n));
  const shifted = chain.atomPositions.map((x, at) => x + (at % 3 === 0 ? 1 : 0));
  const prediction = (rank: number, preset: string, drop: number): PredictionData => {
    const plddt = Array.from(
      { length: n },
      (_, i) =>
        Math.round(
          10 * Math.min(98, Math.max(20, 96 - drop - 60 * Math.exp(-i / 2) - 55 * Math.exp((i - n + 1) / 2))),
        ) / 10,
    );
    const bFactors = Float32Array.from(chain.atomMask, (there, at) => there * plddt[Math.floor(at / ATOM_SLOTS)]);
    const name = `${preset}_pred_0`;
    return {
      rank,
      name,
      preset,
      seed: 0,
      meanPlddt: plddt.reduce((sum, x) => sum + x, 0) / n,
      ptm: 0.71 - drop / 100,
      plddt,
      cif: formatModelCif({ id: "1znf", source: "made up", chains: [{ ...chain, bFactors }] }, { software: [] }),
      pae: packBytes(pairs((i, j) => Math.min(31.75, 0.8 + Math.abs(i - j) / 3 + (100 - plddt[j]) / 6)), 0, 31.75),
      maxPae: 31.75,
      distances: packBytes(pairs(distance), 2, 22),
      recycles: [60, 74, 80, 82].map((meanPlddt, i) => ({
        meanPlddt: meanPlddt - drop,
        ptm: 0.4 + i / 10,
        distanceChange: i ? 4 / i ** 2 : null,
      })),
      frames: [0.2, 0.6, 0.9].map((part, i) => ({
        label: `recycle ${i}`,
        alphas: packPositions(alphas.map((x) => x * part)),
      })),
      seconds: 12.3,
      experiment: {
        measures: { lddt: 0.84, tmScore: 0.66, caRmsd: 1.2, allAtomRmsd: 2.1, plddtError: 0.06 },
        lddt: plddt.map((x, i) => i === 0 ? null : Math.min(1, x / 95)),
        cif: formatMmcif({ id: "1znf", source: "made up", chains: [{ ...chain, atomPositions: shifted }] }),
      },
      files: [{ label: "PDB", href: `ranked_${rank - 1}.pdb` }, { label: "CIF", href: `ranked_${rank - 1}.cif` }],
    };
  };
  return {
    title: "Predicted structure of 1znf",
    summary: "25 residues, 15 aligned sequences, two networks.",
    created: "2026-01-02T03:04:05Z",
    notice: "The confidence in this report is made up: it is an example.",
    targets: [{
      id: "1znf",
      sequence: chain.sequence,
      numbers: Array.from(chain.residueNumbers, (number, i) => `${number}${chain.insertionCodes[i]}`),
      predictions: [prediction(1, "model_1_ptm", 0), prediction(2, "model_2_ptm", 14)],
      msa: msaData(alignment.rows),
      warnings: ["The alignment has 15 rows: with fewer than 30 predictions are much less accurate"],
      files: [{ label: "config.json", href: "config.json" }],
    }],
    failed: [{ id: "long", reason: "4,000 residues need 61 GB, there are 16 GB: use at most 1,900 residues" }],
    run: [{ label: "Adapter", value: "made up" }, { label: "Weights", value: "none" }],
  };
}
