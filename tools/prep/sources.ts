/** Files that features are made of, with their hashes. */
import type { Alignment } from "../data/alignment.ts";
import { readAlignmentPieces } from "../data/read_alignment.ts";
import { type ComplexPart, parseComplexA3m } from "../data/complex_a3m.ts";
import { decodeText, piecesOf, readFileBytes, unpackMaybeGzip } from "../files.ts";
import { sha256 } from "../sha256.ts";

/** A file and what is in it. */
export interface SourceFile {
  /** Path, as given. */
  readonly path: string;
  /** SHA-256 of the file as it lies on the disk, hexadecimal. */
  readonly sha256: string;
}

/** Alignments of whole families that are kept after use, because many targets are rows of them. */
const KEPT_ALIGNMENTS = 2;

/** Reads files, and remembers the alignments of families that were read last. */
export class SourceReader {
  readonly #complexes = new Map<string, { parts: readonly ComplexPart[]; sha256: string }>();
  readonly #alignments = new Map<string, { alignment: Alignment; sha256: string }>();

  /**
   * Reads a file.
   *
   * @returns Its bytes as they lie on the disk, and their hash.
   * @throws {InputError} If it cannot be read.
   */
  async read(path: string): Promise<SourceFile & { readonly bytes: Uint8Array }> {
    const bytes = await readFileBytes(path);
    return { path, bytes, sha256: await sha256(bytes) };
  }

  /**
   * Reads an alignment.
   *
   * @param options.keep Whether others are likely to ask for it: it is kept whole then. @default false
   * @param options.maxRows Most rows that are read. @default all
   * @throws {InputError} If it cannot be read.
   */
  async alignment(
    path: string,
    { keep = false, maxRows }: { readonly keep?: boolean; readonly maxRows?: number } = {},
  ): Promise<SourceFile & { readonly alignment: Alignment }> {
    const kept = this.#alignments.get(path);
    if (kept) return { path, ...kept };
    const { bytes, sha256 } = await this.read(path);
    const pieces = piecesOf(unpackMaybeGzip(bytes, path));
    const alignment = await readAlignmentPieces(pieces, path, { maxRows: keep ? undefined : maxRows });
    if (keep) {
      this.#alignments.set(path, { alignment, sha256 });
      const [oldest] = this.#alignments.keys();
      if (this.#alignments.size > KEPT_ALIGNMENTS) this.#alignments.delete(oldest);
    }
    return { path, alignment, sha256 };
  }

  /**
   * Reads the alignment of a complex; the last one is kept, for its other chains.
   *
   * @throws {InputError} If it cannot be read.
   */
  async complex(path: string): Promise<SourceFile & { readonly parts: readonly ComplexPart[] }> {
    const kept = this.#complexes.get(path);
    if (kept) return { path, ...kept };
    const { bytes, sha256 } = await this.read(path);
    const parts = parseComplexA3m(decodeText(unpackMaybeGzip(bytes, path), path), path);
    this.#complexes.clear();
    this.#complexes.set(path, { parts, sha256 });
    return { path, parts, sha256 };
  }

  /** Hash of a file; of one that is kept without reading it again. */
  async hash(path: string): Promise<string> {
    return this.#alignments.get(path)?.sha256 ?? (await this.read(path)).sha256;
  }
}
