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
  return {
    name: path,
    size,
    // deno-lint-ignore require-await -- reads of a disk are synchronous: a thousand small ones need no thousand turns of the loop
    async read(offset, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      try {
        file.seekSync(offset, Deno.SeekMode.Start);
        for (let at = 0; at < bytes.length;) {
          const n = file.readSync(bytes.subarray(at));
          if (n === null) return bytes.subarray(0, at);
          at += n;
        }
      } catch (error) {
        fail(messageOf(error));
      }
      return bytes;
    },
    [Symbol.dispose]: () => file.close(),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
