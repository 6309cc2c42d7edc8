/** Which kernels were found right, or wrong, on an adapter, kept in the cache folder from process to process. */
import type { KernelStore, Verdict } from "../../core/mod.ts";
import { type AdapterFile, readAdapterFile, writeAdapterFile } from "./adapter_file.ts";

/** How long after a finding it is written, at the latest; in milliseconds. */
const WRITE_AFTER = 2000;

/** A {@link KernelStore} in a file, which is written a moment after something was kept, and when the process ends. */
class KernelFile implements KernelStore {
  readonly #file: AdapterFile;
  #verdicts: Map<string, Verdict>;
  #cleared = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(file: AdapterFile, verdicts: Map<string, Verdict>) {
    this.#file = file;
    this.#verdicts = verdicts;
    globalThis.addEventListener("unload", () => this.#write());
  }

  verdict(hash: string): Verdict | undefined {
    return this.#verdicts.get(hash);
  }

  keep(hash: string, verdict: Verdict): void {
    if (this.#verdicts.get(hash) === verdict) return;
    this.#verdicts.set(hash, verdict);
    this.#writeSoon();
  }

  clear(): void {
    this.#verdicts.clear();
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
    const others = this.#cleared ? [] : verdictsIn(readAdapterFile(this.#file));
    this.#cleared = false;
    const all = [...new Map([...others, ...this.#verdicts])].sort();
    const of = (wanted: Verdict) => all.filter(([, verdict]) => verdict === wanted).map(([hash]) => hash);
    writeAdapterFile(this.#file, { right: of("right"), wrong: of("wrong") });
  }
}

/** Opens the record of an adapter, driver and version; an empty one where there is none, or where it is damaged. */
export function openKernelFile(file: AdapterFile): KernelStore {
  return new KernelFile(file, verdictsIn(readAdapterFile(file)));
}

function verdictsIn(kept: unknown): Map<string, Verdict> {
  const verdicts = new Map<string, Verdict>();
  if (typeof kept !== "object" || kept === null) return verdicts;
  for (const verdict of ["right", "wrong"] as const) {
    const hashes: unknown = (kept as Record<string, unknown>)[verdict];
    for (const hash of Array.isArray(hashes) ? hashes : []) {
      if (typeof hash === "string" && /^[0-9a-f]{16}$/.test(hash)) verdicts.set(hash, verdict);
    }
  }
  return verdicts;
}
