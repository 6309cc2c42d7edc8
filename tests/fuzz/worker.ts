/// <reference lib="deno.worker" />
/** Fuzzes one reader in a thread of its own, so that one that hangs can be ended. */
import process from "node:process";
import { type Finding, Fuzzer } from "./fuzz.ts";
import { RewriteFuzzer } from "./rewrite.ts";

/** What the thread is asked to do. */
export interface FuzzTask {
  readonly reader: string;
  /** Files are rewritten, not spoilt. */
  readonly rewrite: boolean;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  /** Folder for the file that is read. */
  readonly folder: string;
  /** Holds the number of the input at hand. */
  readonly at: Int32Array;
}

/** What the thread tells. */
export type FuzzNews = { readonly finding: Finding } | { readonly cpuSeconds: number; readonly mostMs: number };

self.onmessage = async ({ data }: MessageEvent<FuzzTask>) => {
  const tell = (news: FuzzNews) => self.postMessage(news);
  const fuzzer = await (data.rewrite ? RewriteFuzzer : Fuzzer).open(data.reader, data.folder, data.seed);
  if (fuzzer instanceof Fuzzer && data.from === 0) await fuzzer.readSamples();
  const start = process.cpuUsage();
  let mostMs = 0;
  for (let index = data.from; index < data.to; index++) {
    Atomics.store(data.at, 0, index);
    const began = performance.now();
    const finding = await fuzzer.run(index);
    mostMs = Math.max(mostMs, performance.now() - began);
    if (finding) tell({ finding });
  }
  const { user, system } = process.cpuUsage(start);
  tell({ cpuSeconds: (user + system) / 1e6, mostMs });
};
