/** A network with parameters, whose attention can be recorded. */
import type { Device } from "../../core/mod.ts";
import type { AttentionCapture, AttentionKind } from "../../model/layers/attention_capture.ts";
import type { MsaTokens } from "../data/family.ts";

/** What {@linkcode captureAttention} asks of a network. */
export interface AttentionModel {
  /** Evoformer blocks. */
  readonly blocks: number;
  /** Sequences that it reads where no number is given. */
  readonly sequences: number;
  /** Kinds of attention that it has. @default all */
  readonly kinds?: readonly AttentionKind[];
  /** What is to be known of its maps, a sentence or two. @default nothing */
  readonly remark?: string;
  /** Heads of an attention. */
  headsOf(kind: AttentionKind): number;
  /**
   * Checks that it takes a chain of so many residues.
   *
   * @param owner Whose chain, for the message.
   * @throws {InputError} If it does not.
   */
  checkLength(nRes: number, owner: string): void;
  /** Brings the parameters to the device and reads an alignment. */
  run(device: Device, alignment: MsaTokens, capture: AttentionCapture): Promise<void>;
}

/** A file that may hold parameters. */
export interface ParameterFile {
  /** Its path. */
  readonly path: string;
  /** Facts of a checkpoint of denofold; undefined for other files. */
  readonly facts?: Readonly<Record<string, unknown>>;
}
