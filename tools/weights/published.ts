/** Files of weights that their makers publish. */

/** A published file. */
export interface PublishedWeights {
  /** Its name for `denofold weights download`. */
  readonly name: string;
  /** Which networks it is for, in words. */
  readonly use: string;
  /** Where it is. */
  readonly url: string;
  /** The file in the tar archive at `url`; absent where that is the file itself. */
  readonly member?: string;
  /** What it may be used for. */
  readonly licence: string;
  /** Who is to be named, and where they say so. */
  readonly source: string;
  /** SHA-256 in hexadecimal, where one is published. */
  readonly sha256?: string;
}

const ALPHAFOLD = {
  url: "https://storage.googleapis.com/alphafold/alphafold_params_2022-12-06.tar",
  licence: "CC BY 4.0",
  source: "Google DeepMind, github.com/google-deepmind/alphafold (Jumper et al. 2021)",
};

const OPENFOLD = {
  licence: "CC BY 4.0",
  source: "the OpenFold team, github.com/aqlaboratory/openfold (Ahdritz et al. 2024)",
};

const alphafold = (preset: string, use: string): PublishedWeights => ({
  name: `alphafold/${preset}`,
  use,
  member: `params_${preset}.npz`,
  ...ALPHAFOLD,
});

const openfold = (name: string, use: string): PublishedWeights => ({
  name: `openfold/${name}`,
  use,
  url: `https://openfold.s3.amazonaws.com/openfold_params/${name}.pt`,
  ...OPENFOLD,
});

/** The files, by name. */
export const PUBLISHED: ReadonlyMap<string, PublishedWeights> = new Map(
  [
    ...[1, 2, 3, 4, 5].flatMap((n) => {
      const templates = n <= 2 ? "with templates" : "without templates";
      return [
        alphafold(`model_${n}`, `model_${n}, ${templates}`),
        alphafold(`model_${n}_ptm`, `model_${n}_ptm: predicts aligned errors too, ${templates}`),
      ];
    }),
    ...[1, 2, 3, 4, 5].map((n) => alphafold(`model_${n}_multimer_v3`, `model_${n}_multimer_v3: complexes`)),
    openfold("initial_training", "model_1 before fine-tuning"),
    ...[2, 3, 4, 5].map((n) => openfold(`finetuning_${n}`, "model_1")),
    openfold("finetuning_ptm_1", "model_1_ptm"),
    openfold("finetuning_ptm_2", "model_1_ptm"),
    openfold("finetuning_no_templ_1", "model_3"),
    openfold("finetuning_no_templ_2", "model_3"),
    openfold("finetuning_no_templ_ptm_1", "model_3_ptm"),
  ].map((weights) => [weights.name, weights]),
);
