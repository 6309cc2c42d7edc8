/** Which chain of a complex is which. */

/** Where a chain stands among those of a complex; numbers begin with 1. */
export interface ChainPlace {
  /** Index of the chain among those given. */
  readonly input: number;
  /** Number of the chain in the order of the features. */
  readonly asym: number;
  /** Number of its sequence, by first appearance. */
  readonly entity: number;
  /** Number of the chain among those with its sequence. */
  readonly sym: number;
}

/**
 * The chains of a complex in the order of its features: copies of a sequence stand together, sequences in the order in which
 * they first appear.
 *
 * Source: AlphaFold's `add_assembly_features`.
 *
 * @param sequences Of the chains, as given.
 */
export function placeChains(sequences: readonly string[]): ChainPlace[] {
  const entities = new Map<string, number[]>();
  sequences.forEach((sequence, input) => {
    const copies = entities.get(sequence) ?? [];
    entities.set(sequence, copies);
    copies.push(input);
  });
  let asym = 0;
  return [...entities.values()].flatMap((copies, entity) =>
    copies.map((input, sym) => ({ input, asym: ++asym, entity: entity + 1, sym: sym + 1 }))
  );
}
