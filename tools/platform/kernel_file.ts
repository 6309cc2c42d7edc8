/** Which kernels were found right on an adapter, kept in the cache folder from process to process. */
import type { KernelStore } from "../../core/mod.ts";
import { type AdapterFile, readAdapterFile, writeAdapterFile } from "./adapter_file.ts";

/** How long after a finding it is written, at the latest; in milliseconds. */
const WRITE_AFTER = 2000;

/** A {@link KernelStore} in a file, which is written a moment after something was added, and when the process ends. */
class KernelFile implements KernelStore {
  readonly #file: AdapterFile;
  #right: Set<string>;
  #cleared = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(file: AdapterFile, right: Iterable<string>) {
    this.#file = file;
    this.#right = new Set(right);
    globalThis.addEventListener("unload", () => this.#write());
  }

  has(hash: string): boolean {
    return this.#right.has(hash);
  }

  add(hash: string): void {
    if (this.#right.has(hash)) return;
    this.#right.add(hash);
    this.#writeSoon();
  }

  clear(): void {
    this.#right = new Set();
    this.#cleared = true;
    this.#writeSoon();
  }

  #writeSoon(): void {
    if (this.#timer !== undefined) return;
    const timer = this.#timer = setTimeout(() => this.#write(), WRITE_AFTER);
    Deno.unrefTimer(timer);
  }

  /** Other processes may have added to the file meanwhile. */
  #write(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const others = this.#cleared ? [] : hashesOf(readAdapterFile(this.#file));
    this.#cleared = false;
    writeAdapterFile(this.#file, { right: [...new Set([...others, ...this.#right])].sort() });
  }
}

/** Opens the record of an adapter, driver and version; an empty one where there is none, or where it is damaged. */
export function openKernelFile(file: AdapterFile): KernelStore {
  return new KernelFile(file, hashesOf(readAdapterFile(file)));
}

function hashesOf(kept: unknown): string[] {
  const right = typeof kept === "object" && kept !== null && "right" in kept ? kept.right : undefined;
  return Array.isArray(right) ? right.filter((hash) => typeof hash === "string" && /^[0-9a-f]{16}$/.test(hash)) : [];
}
