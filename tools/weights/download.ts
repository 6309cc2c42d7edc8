/** Fetches published files of weights. */
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { type ByteSource, httpSource } from "../../model/weights/byte_source.ts";
import { InputError } from "../errors.ts";
import { makeFolder } from "../files.ts";
import type { PublishedWeights } from "./published.ts";

/** Bytes of one request. */
const PIECE = 2 ** 24;
const TAR_BLOCK = 512;
/** Attempts for a piece before the download is given up; what came is kept. */
const ATTEMPTS = 4;

/** What {@linkcode downloadWeights} may be told. */
export interface DownloadOptions {
  /** Called as bytes come in. */
  readonly progress?: (done: number, total: number) => void;
  /** Stops the download; what came is kept. */
  readonly signal?: AbortSignal;
  /** Seconds before a failed piece is asked for again, doubled each time. @default 1 */
  readonly retrySeconds?: number;
}

/** What was fetched. */
export interface Downloaded {
  /** Where it is. */
  readonly path: string;
  /** Its bytes. */
  readonly bytes: number;
  /** Its SHA-256, in hexadecimal. */
  readonly sha256: string;
  /** Whether it was there already, whole. */
  readonly wasThere: boolean;
}

/**
 * Fetches a published file into a folder. Of a tar archive only the wanted file is read. What an earlier, interrupted download
 * left (`NAME.part`) is gone on from, if the server's file is still the same size and date.
 *
 * @throws {InputError} If the server cannot be reached, does not have the file, or its SHA-256 is not the published one.
 */
export async function downloadWeights(
  weights: PublishedWeights,
  folder: string,
  { progress, signal, retrySeconds = 1 }: DownloadOptions = {},
): Promise<Downloaded> {
  const name = weights.member ?? basename(new URL(weights.url).pathname);
  const path = join(folder, name);
  await makeFolder(folder);
  const whole = await httpSource(weights.url, { signal }).catch((error) => {
    throw new InputError(`Cannot download ${weights.name}: ${error instanceof Error ? error.message : error}`);
  });
  const source = weights.member === undefined ? whole : await memberOf(whole, weights.member);
  const there = await Deno.stat(path).catch(() => undefined);
  if (there?.size === source.size) {
    return { path, bytes: source.size, sha256: await verified(path, weights), wasThere: true };
  }
  const part = `${path}.part`;
  const file = await Deno.open(part, { write: true, create: true, append: true }).catch((error) => {
    throw new InputError(`Cannot write ${part}: ${error instanceof Error ? error.message : error}`);
  });
  try {
    let { size: done } = await file.stat();
    if (done > source.size) {
      await file.truncate(0);
      done = 0;
    }
    while (done < source.size) {
      progress?.(done, source.size);
      const bytes = await piece(source, done, retrySeconds, signal);
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      done += bytes.length;
    }
    progress?.(done, source.size);
    await file.sync();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(
      `The download of ${weights.name} ended early: ${reason}. ${part} is kept: run it again to go on.`,
    );
  } finally {
    file.close();
  }
  const sha256 = await verified(part, weights);
  await Deno.rename(part, path);
  return { path, bytes: source.size, sha256, wasThere: false };
}

async function piece(
  source: ByteSource,
  at: number,
  retrySeconds: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  for (let attempt = 1;; attempt++) {
    try {
      const bytes = await source.read(at, PIECE);
      if (bytes.length === 0) throw new Error("the server gives no more bytes");
      return bytes;
    } catch (error) {
      if (attempt === ATTEMPTS || signal?.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * retrySeconds * 2 ** (attempt - 1)));
    }
  }
}

/** A file of a tar archive, found by the heads of the files before it. */
async function memberOf(tar: ByteSource, member: string): Promise<ByteSource> {
  const decoder = new TextDecoder();
  const text = (header: Uint8Array, from: number, length: number) =>
    decoder.decode(header.subarray(from, from + length)).replace(/\0.*$/s, "").trim();
  const seen: string[] = [];
  for (let at = 0; at + TAR_BLOCK <= tar.size;) {
    const header = await tar.read(at, TAR_BLOCK);
    if (header.every((byte) => byte === 0)) break;
    const digits = text(header, 124, 12);
    if (text(header, 257, 5) !== "ustar" || !/^[0-7]+$/.test(digits)) {
      throw new InputError(`${tar.name} is no tar archive, or damaged at byte ${at}`);
    }
    const size = parseInt(digits, 8), begin = at + TAR_BLOCK;
    const name = basename(text(header, 0, 100));
    seen.push(name);
    if (name === member) {
      return {
        name: `${member} in ${tar.name}`,
        size,
        read: (offset, length) => tar.read(begin + offset, Math.max(0, Math.min(length, size - offset))),
      };
    }
    at = begin + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
  }
  throw new InputError(`${tar.name} has no file ${member}; it has ${seen.join(", ")}`);
}

/** SHA-256 of a file, which must be the published one; a file with another is removed. */
async function verified(path: string, { name, sha256 }: PublishedWeights): Promise<string> {
  const found = await sha256OfFile(path);
  if (sha256 !== undefined && found !== sha256) {
    await Deno.remove(path);
    throw new InputError(
      `${name} came with the SHA-256 ${found}, expected ${sha256}: damaged on the way, or another file; removed`,
    );
  }
  return found;
}

/**
 * SHA-256 of a file, in hexadecimal, read piece by piece.
 *
 * @throws {InputError} If it cannot be read.
 */
export async function sha256OfFile(path: string): Promise<string> {
  try {
    const hash = createHash("sha256");
    using file = await Deno.open(path);
    const buffer = new Uint8Array(2 ** 20);
    for (let n = await file.read(buffer); n !== null; n = await file.read(buffer)) hash.update(buffer.subarray(0, n));
    return hash.digest("hex");
  } catch (error) {
    throw new InputError(`Cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
}
