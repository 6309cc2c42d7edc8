/** Paragraphs of the report's section "What such a small model can and cannot show". */
export function limitsText({ examples, families, parameters, notes }: {
  examples: number;
  families: number;
  parameters: number;
  notes: readonly string[];
}): string[] {
  return [
    `The model has ${parameters.toLocaleString("en")} parameters and learned from ${examples} structures of ${
      families === 1 ? "one family" : `${families} families`
    }. ` +
    `It learns the common fold of ${
      families === 1 ? "that family" : "each family"
    } and how insertions and chain ends shift it; a good result shows that the ` +
    "data, the gradients, the training and the way from distances to coordinates work together.",
    "It is no predictor of structures. Of a protein outside what it was trained on, or of a new fold, its answer means nothing. " +
    "The naive answers in the table show how much of the result is the family's common fold alone.",
    "It knows no physics: it sees neither the metal ion nor the solvent, and may place atoms too close to each other. " +
    "It places no side chains; C-alpha atoms are derived from the predicted C-beta distances, and the mirror image, " +
    "which distances do not tell, is chosen by the handedness of the chain.",
    "It gives no confidence: whether a prediction is good is known here only because the structure is. Distances are " +
    "known up to 20 Å, so the places of parts that lie farther apart follow from the shorter distances alone.",
    "The structure that is predicted was not used for training; its sequence was, as a row of the alignment, as it " +
    "would be in practice. The held-out loss in the plot is for the reader alone: nothing was chosen by it.",
    ...notes,
  ];
}
