/** A zip archive as the readers of weights see it; who opens it decides how it is unpacked. */

/** A file of an archive. */
export interface ArchiveEntry {
  /** Its path in the archive. */
  readonly name: string;
  /** Bytes, unpacked. */
  readonly size: number;
  /**
   * Some of its bytes.
   *
   * @throws {SyntaxError} If the archive is cut short or damaged there.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** An archive whose files are read when they are asked for. */
export interface Archive {
  /** Name for messages. */
  readonly source: string;
  /** Its files by path, in its order. */
  readonly entries: ReadonlyMap<string, ArchiveEntry>;
}
