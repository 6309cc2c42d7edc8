import type { AttentionData, KindData } from "../../../tools/attention/attention_data.ts";
import { packMaps } from "../../../tools/attention/pack_maps.ts";

/** Residues, sequences, layers and heads of the sample. */
export const [N_RES, N_SEQ, LAYERS, HEADS] = [6, 4, [1, 3], [0, 2]];

/** Residues with maps of their own. */
export const ROWS = [0, 2, 5];

/** A weight of the sample; every place has another. */
export function weightAt(kind: number, layer: number, row: number, head: number, i: number, j: number): number {
  return (1 + ((kind * 7 + layer * 5 + row * 3 + head * 11 + i * 13 + j * 17) % 23)) / 100;
}

/** The number of a row in {@link weightAt} that stands for the mean over rows. */
export const MEAN = 40;

function maps(kind: number, size: number, rows: readonly number[]): KindData["means"] {
  const values = LAYERS.flatMap((_, layer) =>
    rows.flatMap((row) =>
      HEADS.flatMap((_, head) =>
        Array.from({ length: size * size }, (_, k) => weightAt(kind, layer, row, head, Math.floor(k / size), k % size))
      )
    )
  );
  return packMaps(Float32Array.from(values), size * size);
}

/** Made-up maps of a made-up model on four sequences. */
export function sampleAttention(): AttentionData {
  const names = ["target <b>", "second", "third", "a sequence with a very long name"];
  const sizes = { msaRowAttention: N_RES, msaColumnAttention: N_SEQ, triangleAttentionStarting: N_RES };
  const kinds = (Object.keys(sizes) as (keyof typeof sizes)[]).map((kind, k): KindData => {
    const rows = kind === "msaRowAttention" ? [0] : ROWS;
    const size = sizes[kind];
    return { kind, heads: HEADS, size, rows, means: maps(k, size, [MEAN]), slices: maps(k, size, rows) };
  });
  const ending: KindData = {
    ...{ kind: "triangleAttentionEnding", heads: HEADS, size: N_RES, rows: ROWS },
    means: maps(3, N_RES, [MEAN]),
    slices: maps(3, N_RES, ROWS),
  };
  const distances = Array.from(
    { length: N_RES },
    (_, i) => Array.from({ length: N_RES }, (_, j) => i === 4 || j === 4 ? null : Math.abs(i - j) * 3.8),
  );
  return {
    title: "Attention on target <b>",
    summary: "Two layers of a model that nobody trained.",
    created: "2026-01-02T03:04:05.000Z",
    version: "0.0.0",
    facts: [["checkpoint", "model.safetensors"]],
    names,
    alignment: ["ACDEFG", "ACDEFA", "WCDKFG", "WC-KHG"],
    blocks: LAYERS,
    kinds: [...kinds, ending],
    hamming: [[0, 0.17, 0.33, 0.67], [0.17, 0, 0.5, 0.83], [0.33, 0.5, 0, 0.33], [0.67, 0.83, 0.33, 0]],
    tree: { order: [0, 1, 3, 2], merges: [[0, 1, 0.17], [2, 3, 0.33], [4, 5, 0.8]] },
    structure: { name: "1abc, chain A", residueNumbers: [11, 12, 13, 14, 15, 16], distances },
  };
}
