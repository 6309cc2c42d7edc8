import { SyntheticDataset } from "../../data/synthetic.ts";
import { compare } from "../compare.ts";
import type { Family, Results } from "../family.ts";
import { isTinyOpenFold } from "./tiny_openfold.ts";

/** The sums of samples are compared beside the samples themselves; they depend on the order of summation. */
const SUMS = { rtol: 1e-6, atol: 0, atolOfMax: 1e-6 };

/** The noise data set and its first batches. */
export const TINY_OPENFOLD_DATASET: Family = {
  prefix: "tof_dataset",
  matches: isTinyOpenFold,
  async run(_device, golden) {
    const numSamples = golden.number("num_samples");
    const dataset = await SyntheticDataset.generate({
      numSamples,
      numSeqs: golden.number("n_seqs"),
      seqLen: golden.number("max_seq_len"),
      pairDim: golden.number("pair_input_dim"),
      vocabSize: golden.number("vocab_size"),
      ...(typeof golden.config.seed === "number" ? { seed: golden.config.seed } : {}),
    });
    const all = dataset.samples(Int32Array.from({ length: numSamples }, (_, i) => i));
    const results: Results = new Map<string, ArrayLike<number>>([
      ["out/msa_data", all.msaTokens],
      ["out/pair_data", all.pairFeatures],
      ["out/distance_data", all.distances],
    ]);
    for (let k = 0; golden.has(`out/batch${k}_msa`); k++) {
      const size = golden.shape(`out/batch${k}_msa`)[0];
      const { msaTokens, pairFeatures, distances } = dataset.nextBatch(size);
      const each = pairFeatures.length / size;
      results.set(`out/batch${k}_msa`, msaTokens);
      results.set(`out/batch${k}_distances`, distances);
      results.set(
        `out/batch${k}_pair_sum`,
        Array.from(
          { length: size },
          (_, b) => pairFeatures.subarray(b * each, (b + 1) * each).reduce((s, x) => s + x, 0),
        ),
      );
    }
    return results;
  },
  special(golden, results) {
    return golden.results.filter((name) => name.endsWith("_pair_sum"))
      .map((name) => compare(name, results.get(name), golden.data(name), SUMS));
  },
};
