/** What the page of `denofold attention` shows. */
import type { AttentionKind } from "../../model/layers/attention_capture.ts";
import type { DistanceMap } from "../report/report_data.ts";

/** Maps as whole numbers of 16 bits, each relative to its own largest value. */
export interface PackedMaps {
  /** Largest value of each map. */
  readonly largest: readonly number[];
  /** Values times 65,535 over the largest, little-endian, in base64. */
  readonly values: string;
}

/** The attention of one kind. */
export interface KindData {
  /** Which. */
  readonly kind: AttentionKind;
  /** Heads, from 0; none where the maps are the mean over heads. */
  readonly heads: readonly number[];
  /** Queries and keys of a map: residues, or sequences for column attention. */
  readonly size: number;
  /** Rows with maps of their own, from 0: sequences for row attention, residues for the others. */
  readonly rows: readonly number[];
  /** Means over all rows, `[block, head, query, key]`. */
  readonly means: PackedMaps;
  /** `[block, row, head, query, key]`. */
  readonly slices: PackedMaps;
}

/** The tree of the sequences. */
export interface TreeData {
  /** Sequences from top to bottom, the target first, `[N_seq]`. */
  readonly order: readonly number[];
  /** Clusters merged and the height of each merge, as `wardLinkage` numbers them, `[N_seq − 1]`. */
  readonly merges: readonly (readonly [a: number, b: number, height: number])[];
}

/** All that the page shows. */
export interface AttentionData {
  /** Heading. */
  readonly title: string;
  /** What was run on what, a sentence. */
  readonly summary: string;
  /** Date and time. */
  readonly created: string;
  /** Version of denofold. */
  readonly version: string;
  /** Name and value of what is worth knowing of the run. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Blocks shown, from 0. */
  readonly blocks: readonly number[];
  /** Names of the sequences, the target first, `[N_seq]`. */
  readonly names: readonly string[];
  /** The alignment over the target's residues, `[N_seq]`. */
  readonly alignment: readonly string[];
  /** The attentions shown. */
  readonly kinds: readonly KindData[];
  /** Hamming distances of the sequences, `[N_seq, N_seq]`. */
  readonly hamming: DistanceMap;
  /** The sequences' tree; not there if they stay in the order of the alignment. */
  readonly tree?: TreeData;
  /** The target's structure, where one is given. */
  readonly structure?: {
    /** Its name. */
    readonly name: string;
    /** The authors' residue numbers, `[N_res]`. */
    readonly residueNumbers: readonly number[];
    /** C-alpha distances in Å, `[N_res, N_res]`; null where an atom is missing. */
    readonly distances: DistanceMap;
  };
}
