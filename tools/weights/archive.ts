/** Opens zip archives by ranges. */
import { configure, type FileEntry, Reader, Uint8ArrayWriter, ZipReader } from "@zip.js/zip.js";
import type { Archive, ArchiveEntry } from "../../model/weights/archive.ts";
import { type ByteSource, readExactly } from "../../model/weights/byte_source.ts";

configure({ useWebWorkers: false });

const LOCAL_HEADER_BYTES = 30;
const LOCAL_HEADER_MARK = 0x04034b50;

/**
 * Opens a zip archive: reads its directory, and of its files what is asked for. Files that are stored as they are are read by
 * ranges; packed ones are unpacked whole, the last one being kept.
 *
 * @throws {SyntaxError} If it is no zip archive, is cut short, or is encrypted.
 */
export async function openArchive(source: ByteSource): Promise<Archive> {
  const fail = (found: string): never => {
    throw new SyntaxError(`Cannot read ${source.name} as a zip archive: ${found}`);
  };
  const zip = new ZipReader(new SourceReader(source));
  const listed = zip.getEntriesGenerator();
  const entries = new Map<string, ArchiveEntry>();
  let kept: { name: string; bytes: Uint8Array } | undefined;
  for (;;) {
    // One by one, since thousands of them take tens of megabytes.
    const { done, value: entry } = await listed.next().catch((error) => fail(said(error)));
    if (done || typeof entry === "boolean") break;
    if (entry.directory) continue;
    const { filename: name, offset, uncompressedSize: size, compressedSize, compressionMethod, encrypted } = entry;
    if (encrypted) return fail(`${name} is encrypted`);
    let begin: number | undefined;
    const stored = compressionMethod === 0 && compressedSize === size;
    const unpack = stored ? undefined : unpacker(entry); // what is stored needs no more of its entry, of which there are thousands
    entries.set(name, {
      name,
      size,
      async read(from, length) {
        if (from + length > size) {
          return fail(`bytes ${from} to ${from + length} of ${name} are asked for, it has ${size}`);
        }
        if (stored) {
          begin ??= await dataBegin(source, offset, name, fail);
          return await readExactly(source, begin + from, length, name);
        }
        if (kept?.name !== name) {
          kept = {
            name,
            bytes: await unpack!().catch((error) => fail(`${name}: ${said(error)}`)),
          };
        }
        return kept.bytes.slice(from, from + length);
      },
    });
  }
  return { source: source.name, entries };
}

/** Unpacks a file of an archive; of its own, so that others let go of their entries. */
function unpacker(entry: FileEntry): () => Promise<Uint8Array> {
  return () => entry.getData(new Uint8ArrayWriter(), { checkSignature: true });
}

/** Where the bytes of a stored file begin: behind a header whose length its directory entry does not say. */
async function dataBegin(
  source: ByteSource,
  offset: number,
  name: string,
  fail: (found: string) => never,
): Promise<number> {
  const header = await readExactly(source, offset, LOCAL_HEADER_BYTES, `the header of ${name}`);
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  if (view.getUint32(0, true) !== LOCAL_HEADER_MARK) return fail(`the header of ${name} at byte ${offset} is damaged`);
  return offset + LOCAL_HEADER_BYTES + view.getUint16(26, true) + view.getUint16(28, true);
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

class SourceReader extends Reader<ByteSource> {
  readonly #source: ByteSource;

  constructor(source: ByteSource) {
    super(source);
    this.#source = source;
    this.size = source.size;
  }

  override async readUint8Array(offset: number, length: number): Promise<Uint8Array> {
    return await this.#source.read(offset, Math.min(length, this.#source.size - offset));
  }
}
