/** Writes files of weights, a tensor at a time. */
import { configure, ZipWriter } from "@zip.js/zip.js";
import { encodeNpyHeader } from "../../model/weights/npy.ts";
import { safetensorsHeader } from "../../model/weights/safetensors.ts";
import { encodeStateDict } from "../../model/weights/torch.ts";
import type { WeightEntry, WeightFormat } from "../../model/weights/weight_file.ts";
import { writeStreamAtomic } from "../files.ts";

configure({ useWebWorkers: false });

/** The date in archives, so that the same weights make the same bytes. */
const DATE = new Date(1980, 0, 1);

/** What {@linkcode writeWeights} may be told. */
export interface WriteWeightsOptions {
  /** Free texts, for safetensors. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Called after each array with how many are written, of how many. */
  readonly progress?: (done: number, total: number) => void;
}

/**
 * Writes arrays as a file of weights, under the names they have: one is read and written at a time, into a temporary file
 * that takes the place of `path` at the end.
 *
 * @throws {InputError} If the file cannot be written or the disk is full; an old file stays as it was.
 * @throws {TypeError} If the format has no such number type.
 */
export async function writeWeights(
  path: string,
  format: WeightFormat,
  entries: readonly WeightEntry[],
  { metadata = {}, progress }: WriteWeightsOptions = {},
): Promise<void> {
  await writeStreamAtomic(path, async (stream) => {
    if (format === "safetensors") await writeSafetensors(stream, entries, metadata, progress);
    else await writeArchive(stream, format, entries, progress);
  });
}

async function writeSafetensors(
  stream: WritableStream<Uint8Array>,
  entries: readonly WeightEntry[],
  metadata: Readonly<Record<string, string>>,
  progress?: (done: number, total: number) => void,
): Promise<void> {
  const { header, order } = safetensorsHeader(entries, metadata);
  const writer = stream.getWriter();
  await writer.write(header);
  for (const [done, entry] of order.entries()) {
    await writer.write(await bytesOf(entry));
    progress?.(done + 1, order.length);
  }
  await writer.close();
}

/** A zip archive of files stored as they are, as NumPy and PyTorch write it. */
async function writeArchive(
  stream: WritableStream<Uint8Array>,
  format: "npz" | "torch",
  entries: readonly WeightEntry[],
  progress?: (done: number, total: number) => void,
): Promise<void> {
  const zip = new ZipWriter(stream, { level: 0, lastModDate: DATE, extendedTimestamp: false, keepOrder: true });
  const add = async (name: string, bytes: Uint8Array<ArrayBuffer>) => {
    await zip.add(name, new Blob([bytes]).stream(), { uncompressedSize: bytes.length });
  };
  const text = (name: string, said: string) => add(name, new TextEncoder().encode(said));
  if (format === "torch") {
    await add("archive/data.pkl", encodeStateDict(entries));
    await text("archive/byteorder", "little");
  }
  for (const [index, entry] of entries.entries()) {
    const bytes = await bytesOf(entry);
    if (format === "torch") await add(`archive/data/${index}`, bytes);
    else await add(`${entry.name}.npy`, await joined(encodeNpyHeader(entry), bytes));
    progress?.(index + 1, entries.length);
  }
  if (format === "torch") await text("archive/version", "3\n");
  await zip.close();
}

async function bytesOf(entry: WeightEntry): Promise<Uint8Array<ArrayBuffer>> {
  const { data } = await entry.read();
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

async function joined(...parts: Uint8Array<ArrayBuffer>[]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
