import type { ByteSource } from "../../model/weights/byte_source.ts";
import { InputError } from "../errors.ts";

/**
 * A file, open for reading by ranges until disposed.
 *
 * @throws {InputError} If it is missing, is a folder or cannot be read.
 */
export async function fileSource(path: string): Promise<ByteSource & Disposable> {
  const fail = (reason: string): never => {
    throw new InputError(`Cannot read ${path}: ${reason}`);
  };
  const file = await Deno.open(path).catch((error) =>
    fail(error instanceof Deno.errors.NotFound ? "there is no such file" : messageOf(error))
  );
  const { size, isDirectory } = await file.stat();
  if (isDirectory) {
    file.close();
    fail("it is a folder, expected a file of weights");
  }
  const readAt = (offset: number, target: Uint8Array): number => {
    const wanted = Math.max(0, Math.min(target.length, size - offset));
    let at = 0;
    try {
      file.seekSync(offset, Deno.SeekMode.Start);
      while (at < wanted) {
        const n = file.readSync(target.subarray(at, wanted));
        if (n === null) break;
        at += n;
      }
    } catch (error) {
      fail(messageOf(error));
    }
    return at;
  };
  return {
    name: path,
    size,
    // deno-lint-ignore require-await -- reads of a disk are synchronous: a thousand small ones need no thousand turns of the loop
    async read(offset, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      const read = readAt(offset, bytes);
      return read === bytes.length ? bytes : bytes.subarray(0, read);
    },
    // deno-lint-ignore require-await -- as above
    readInto: async (offset, target) => readAt(offset, target),
    [Symbol.dispose]: () => file.close(),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
