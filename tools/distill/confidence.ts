/** How sure a network is of each residue, by how far its distances are from what sequences at large have. */

/** Separations along the chain that count: 1 to so many residues. */
export const MOST_SEPARATION = 128;

/** What is kept of a distogram: enough for divergences from any reference, and for the reference. */
export interface DistogramSums {
  /** Residues, N_res. */
  readonly residues: number;
  /** Classes of distance. */
  readonly bins: number;
  /** Separations, S: those of the chain, up to {@linkcode MOST_SEPARATION}. */
  readonly separations: number;
  /** Sums of log-probabilities over the residues at a separation on either side, `[N_res, S, bins]`. */
  readonly logs: Float32Array;
  /** Sums of probabilities over all pairs at a separation, `[S, bins]`. */
  readonly totals: Float32Array;
}

/**
 * Sums a distogram by separation.
 *
 * @param logits `[N_res, N_res, bins]`.
 */
export function distogramSums(logits: Float32Array, residues: number, bins: number): DistogramSums {
  const separations = Math.max(0, Math.min(MOST_SEPARATION, residues - 1));
  const logs = new Float32Array(residues * separations * bins), totals = new Float32Array(separations * bins);
  for (let i = 0; i < residues; i++) {
    for (let j = 0; j < residues; j++) {
      const apart = Math.abs(i - j);
      if (apart === 0 || apart > separations) continue;
      const row = logits.subarray((i * residues + j) * bins, (i * residues + j + 1) * bins);
      const most = row.reduce((most, x) => Math.max(most, x), -Infinity);
      const norm = most + Math.log(row.reduce((sum, x) => sum + Math.exp(x - most), 0));
      const to = (i * separations + apart - 1) * bins, all = (apart - 1) * bins;
      for (let b = 0; b < bins; b++) {
        logs[to + b] += row[b] - norm;
        totals[all + b] += Math.exp(row[b] - norm);
      }
    }
  }
  return { residues, bins, separations, logs, totals };
}

/** Mean probabilities by separation, `[S, bins]`, of chains together; S is that of the longest. */
export function referenceDistribution(chains: readonly Pick<DistogramSums, "totals" | "bins">[]): Float64Array {
  const reference = new Float64Array(Math.max(0, ...chains.map(({ totals }) => totals.length)));
  const bins = chains[0]?.bins ?? 1;
  for (const { totals } of chains) totals.forEach((total, k) => reference[k] += total);
  for (let at = 0; at < reference.length; at += bins) {
    const sum = reference.subarray(at, at + bins).reduce((sum, x) => sum + x, 0);
    for (let b = 0; b < bins; b++) reference[at + b] /= sum;
  }
  return reference;
}

/**
 * Of each residue the mean divergence of its predicted distances from the reference at the same separation: large where the
 * network knows more than that.
 *
 * Source: Jumper et al. (2021), Suppl. 1.3, equation of c_i: the mean over j of D_KL(reference || predicted).
 *
 * @param reference As {@linkcode referenceDistribution} gives it.
 * @returns `[N_res]`; 0 for a residue without others.
 */
export function divergences(
  { residues, bins, separations, logs }: DistogramSums,
  reference: Float64Array,
): Float32Array {
  const own = new Float64Array(separations); // Σ p log p of the reference
  for (let s = 0; s < separations; s++) {
    for (let b = 0; b < bins; b++) {
      const p = reference[s * bins + b];
      if (p > 0) own[s] += p * Math.log(p);
    }
  }
  return Float32Array.from({ length: residues }, (_, i) => {
    let sum = 0, count = 0;
    for (let s = 0; s < separations; s++) {
      const sides = Number(i - s - 1 >= 0) + Number(i + s + 1 < residues);
      if (sides === 0) continue;
      const at = (i * separations + s) * bins;
      let cross = 0;
      for (let b = 0; b < bins; b++) cross += reference[s * bins + b] * logs[at + b];
      sum += sides * own[s] - cross;
      count += sides;
    }
    return count > 0 ? Math.max(0, sum / count) : 0; // rounding may leave less
  });
}
