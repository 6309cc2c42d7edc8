/** Opens files of weights of any format. */
import { bufferedSource, type ByteSource, httpSource } from "../../model/weights/byte_source.ts";
import { openNpz } from "../../model/weights/npz.ts";
import { openSafetensors } from "../../model/weights/safetensors.ts";
import { openTorch } from "../../model/weights/torch.ts";
import type { WeightFile } from "../../model/weights/weight_file.ts";
import { InputError } from "../errors.ts";
import { openArchive } from "./archive.ts";
import { fileSource } from "./file_source.ts";

/** An open file of weights. */
export interface OpenedWeights extends Disposable {
  /** What it holds. */
  readonly file: WeightFile;
  /** Number of its bytes. */
  readonly size: number;
}

/**
 * Opens a file of weights by what it is, not by its name: safetensors, PyTorch's zip archives (`.pt`), NumPy's `.npz`. Its
 * numbers are read when they are asked for.
 *
 * @param path A path, or an `http:` or `https:` address on a server that gives ranges.
 * @throws {InputError} If it cannot be read or is none of these.
 */
export async function openWeights(path: string): Promise<OpenedWeights> {
  if (/^https?:\/\//.test(path)) {
    const source = await httpSource(path).catch((error) => {
      throw new InputError(error instanceof Error ? error.message : String(error));
    });
    return { file: await readWeights(source), size: source.size, [Symbol.dispose]() {} };
  }
  const source = await fileSource(path);
  try {
    return { file: await readWeights(source), size: source.size, [Symbol.dispose]: () => source[Symbol.dispose]() };
  } catch (error) {
    source[Symbol.dispose]();
    throw error;
  }
}

/**
 * {@linkcode openWeights} for any source: a `Blob`, bytes, a server.
 *
 * @throws {InputError} If it is none of the formats, or damaged.
 */
export async function readWeights(source: ByteSource): Promise<WeightFile> {
  const buffered = bufferedSource(source);
  const head = await buffered.read(0, 16);
  try {
    if (head.length === 0) throw new SyntaxError(`${source.name} is empty, expected weights`);
    if (head[0] === 0x50 && head[1] === 0x4b) {
      const archive = await openArchive(buffered);
      const torch = [...archive.entries.keys()].some((name) => /(?:^|\/)data\.pkl$/.test(name));
      return torch ? await openTorch(archive) : await openNpz(archive);
    }
    if (head[0] === 0x80 && head[1] <= 5) {
      throw new SyntaxError(
        `${source.name} is a pickle by itself, as PyTorch wrote before version 1.6: load it there and save it again with ` +
          `torch.save(state_dict, "new.pt")`,
      );
    }
    if (head[8] === 0x7b) return await openSafetensors(buffered);
    throw new SyntaxError(
      `${source.name} is no file of weights: it begins with ${
        shown(head.subarray(0, 8))
      }, expected safetensors, a PyTorch ` +
        `file (.pt) or NumPy's .npz`,
    );
  } catch (error) {
    if (error instanceof SyntaxError) throw new InputError(error.message);
    throw error;
  }
}

function shown(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes);
  return /^[\x20-\x7e]+$/.test(text)
    ? JSON.stringify(text)
    : `the bytes ${Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ")}`;
}
