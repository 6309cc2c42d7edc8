/**
 * NumPy's `.npz` archives: a `.npy` file an array.
 *
 * Source: NumPy, `numpy.lib.npyio.savez`.
 */
import type { Archive } from "./archive.ts";
import { NPY_HEADER_BYTES, parseNpy, parseNpyHeader } from "./npy.ts";
import { bytesPerNumber, makeArray, partOf } from "./safetensors.ts";
import { countOf, type WeightEntry, type WeightFile } from "./weight_file.ts";

/** Bytes in which nearly every head ends. */
const USUAL_HEADER_BYTES = 512;

/**
 * Reads the names and shapes of an archive's arrays.
 *
 * @throws {SyntaxError} If an entry is no `.npy` file or is cut short.
 */
export async function openNpz(archive: Archive): Promise<WeightFile> {
  const entries = new Map<string, WeightEntry>();
  for (const [path, file] of archive.entries) {
    if (!path.endsWith(".npy")) continue;
    const name = path.slice(0, -".npy".length);
    const source = `${path} in ${archive.source}`;
    const first = await file.read(0, Math.min(file.size, USUAL_HEADER_BYTES));
    const needed = first[6] === 1 ? 10 + first[8] + 256 * first[9] : NPY_HEADER_BYTES;
    const head = needed <= first.length ? first : await file.read(0, Math.min(file.size, needed));
    const { dtype, shape, fortranOrder, begin } = parseNpyHeader(head, source);
    const width = bytesPerNumber(dtype);
    if (file.size - begin !== countOf(shape) * width) {
      throw new SyntaxError(
        `Cannot read ${source} as .npy: [${shape}] of ${dtype} takes ${countOf(shape) * width} bytes, found ${
          file.size - begin
        }`,
      );
    }
    entries.set(name, {
      name,
      dtype,
      shape,
      fresh: true,
      async read(rows) {
        if (!fortranOrder || shape.length < 2) {
          const part = partOf(shape, width, rows);
          return makeArray(dtype, part.shape, await file.read(begin + part.begin, part.bytes));
        }
        const { data } = parseNpy(await file.read(0, file.size), source);
        const part = partOf(shape, width, rows);
        return makeArray(dtype, part.shape, new Uint8Array(data.buffer, data.byteOffset + part.begin, part.bytes));
      },
    });
  }
  if (entries.size === 0) throw new SyntaxError(`Cannot read ${archive.source} as .npz: the archive has no .npy file`);
  return { source: archive.source, format: "npz", entries, metadata: {} };
}
