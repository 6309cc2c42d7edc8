import type { DistanceMap, LossCurve, ReportData, ReportTarget } from "../../../tools/report/report.ts";

type Point = [number, number, number];

const NAMES: { [letter: string]: string } = {
  A: "ALA",
  R: "ARG",
  N: "ASN",
  D: "ASP",
  C: "CYS",
  Q: "GLN",
  E: "GLU",
  G: "GLY",
  H: "HIS",
  I: "ILE",
  L: "LEU",
  K: "LYS",
  M: "MET",
  F: "PHE",
  P: "PRO",
  S: "SER",
  T: "THR",
  W: "TRP",
  Y: "TYR",
  V: "VAL",
};

/** A hairpin and a helix against it, as in a zinc finger, made of ideal pieces: Cα positions in Å. */
export function fingerTrace(n: number): Point[] {
  const strand = Math.floor(n * 0.2);
  return Array.from({ length: n }, (_, i): Point => {
    if (i < strand) return [3.3 * i - 8, (i % 2) * 0.9, 0];
    if (i < strand + 2) return [3.3 * strand - 6, 1.5 + 2.6 * (i - strand), 0.8];
    if (i < 2 * strand + 2) return [3.3 * (2 * strand + 1 - i) - 8, 5 + (i % 2) * 0.9, 0.3];
    const k = i - 2 * strand - 2;
    const angle = (k * 100 * Math.PI) / 180;
    return [1.5 * k - 10, 3 + 2.3 * Math.cos(angle), 9.5 + 2.3 * Math.sin(angle)];
  });
}

/** Moves the points smoothly, by up to about `size` Å, as an imperfect prediction would. */
export function bend(points: Point[], size: number, phase: number): Point[] {
  return points.map(([x, y, z], i) => [
    x + size * Math.sin(i / 2.3 + phase),
    y + size * Math.cos(i / 1.7 + 2 * phase),
    z + size * Math.sin(i / 3.1 - phase) * Math.cos(i),
  ]);
}

/** Distances between all points in Å, `[N][N]`, rounded to 0.01. */
export function distances(points: Point[]): DistanceMap {
  const round = (value: number) => Math.round(value * 100) / 100;
  return points.map((a) => points.map((b) => round(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]))));
}

/** Cα atoms as mmCIF text, as small as a reader takes it. */
export function traceCif(id: string, sequence: string, points: Point[]): string {
  const columns = ["group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id", "label_asym_id"];
  columns.push("label_entity_id", "label_seq_id", "Cartn_x", "Cartn_y", "Cartn_z", "auth_seq_id", "auth_asym_id");
  const atoms = points.map((point, i) =>
    `ATOM ${i + 1} C CA . ${NAMES[sequence[i]]} A 1 ${i + 1} ${point.map((v) => v.toFixed(3)).join(" ")} ${i + 1} A`
  );
  const head = columns.map((name) => `_atom_site.${name}`).join("\n");
  return `data_${id}\n#\nloop_\n${head}\n${atoms.join("\n")}\n#\n`;
}

function target(id: string, description: string, sequence: string, size: number, phase: number): ReportTarget {
  const truth = fingerTrace(sequence.length);
  const predicted = bend(truth, size, phase);
  const values = (scale: number) => ({
    caRmsd: 1.62 * scale,
    cbRmsd: 1.98 * scale,
    meanDistanceError: 0.87 * scale,
    lddt: 0.78 / scale,
    tmScore: 0.52 / scale,
    gdtTs: 0.76 / scale,
    gdtHa: 0.55 / scale,
  });
  return {
    id,
    description,
    sequence,
    predictedCif: traceCif(`${id}_predicted`, sequence, predicted),
    trueCif: traceCif(id, sequence, truth),
    predictedDistances: distances(predicted),
    trueDistances: distances(truth).map((row, i) => row.map((value, j) => i === 3 && j === 9 ? null : value)),
    distanceCap: 20,
    methods: [
      { label: "Prediction", values: values(size) },
      { label: "Mean map of the family", values: values(size * 1.3) },
      { label: "Copy of 1znm", values: { ...values(size * 1.6), gdtHa: null } },
    ],
    residueErrors: truth.map((point, i) => i === 3 ? null : Math.hypot(...point.map((x, k) => x - predicted[i][k]))),
    files: [`${id}.cif`, `${id}_residues.csv`],
    loss: lossCurve(phase),
  };
}

function lossCurve(phase: number): LossCurve {
  const step = Array.from({ length: 150 }, (_, i) => i + 1);
  const wave = (i: number, a: number) => 1 + 0.12 * Math.sin(i * a + phase);
  return {
    label: "Mean squared distance error (Å²)",
    train: { step, loss: step.map((i) => (60 * Math.exp(-i / 12) + 1.1) * wave(i, 1.9)) },
    validation: {
      step: step.filter((i) => i % 10 === 0),
      loss: step.filter((i) => i % 10 === 0).map((i) => (62 * Math.exp(-i / 13) + 2.6) * wave(i, 0.7)),
    },
  };
}

/** A report with every part: two targets, baselines, loss, a leave-one-out table, limits and run facts. */
export function sampleReport(): ReportData {
  const ids = ["1ard", "1bbo", "1paa", "1sp1", "1sp2", "1zaa_1", "1zaa_2", "1zaa_3", "1zfd", "1znf", "1znm", "2drp_1"];
  return {
    title: "Two zinc fingers folded by a model that had not seen them",
    summary:
      "A small Evoformer, trained on the other zinc fingers of the family, predicts the distances between the residues " +
      "of each of these two; the structure computed from them is compared with the experiment.",
    created: "2026-01-31T12:34:56Z",
    targets: [
      target("1znf", "zinc finger 31 of Xfin", "YKCGLCERSFVEKSALSRHQRVHKN", 1, 0.4),
      target("1sp1", "third zinc finger of Sp1", "KKFACPECPKRFMRSDHLSKHIKTHQNKK", 1.4, 1.9),
    ],
    leaveOneOut: {
      methods: ["Prediction", "Mean map of the family", "Nearest relative"],
      rows: ids.map((id, i) => ({
        id,
        residues: 25 + (i % 5),
        values: [1, 1.25, 1.5].map((scale, k) => ({
          caRmsd: (1.9 + 0.6 * Math.sin(i * 2.1 + k)) * scale,
          cbRmsd: (2.4 + 0.6 * Math.sin(i * 2.3 + k)) * scale,
          meanDistanceError: (1 + 0.3 * Math.sin(i * 1.7 + k)) * scale,
          lddt: (0.72 + 0.06 * Math.sin(i * 1.3 + k)) / scale,
          tmScore: (0.5 + 0.1 * Math.sin(i * 1.9 + k)) / scale,
          gdtTs: (0.74 + 0.07 * Math.sin(i + k)) / scale,
          gdtHa: i === 4 && k === 2 ? null : (0.53 + 0.07 * Math.sin(i + k)) / scale,
        })),
      })),
    },
    limits: [
      "The model has a few hundred thousand parameters and saw 14 short structures of one family. It shows that the " +
      "engine learns and that distances can be turned into a structure.",
      "It cannot fold other proteins: outside this family its answers mean nothing. It places no side chains, knows " +
      "nothing of the zinc ion and takes its mirror image from the handedness of the chain.",
    ],
    run: [
      {
        label: "Command",
        value: "denofold train --structures examples/zinc_fingers --msa examples/zinc_fingers/alignment.a3m " +
          "--hold-out 1znf --msa-dim 32 --pair-dim 64 --num-blocks 2 --num-steps 150 --seed 0 --out runs/1znf",
        code: true,
      },
      { label: "Seed", value: "0" },
      { label: "Adapter", value: "llvmpipe (LLVM 15.0.6, 256 bits), Vulkan, software" },
      { label: "Versions", value: "denofold 0.1.0, Deno 2.9.6" },
      { label: "Training time", value: "1 min 42 s for 150 steps" },
      { label: "Peak GPU memory", value: "312 MiB" },
    ],
  };
}
