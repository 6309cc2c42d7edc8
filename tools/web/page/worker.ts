/// <reference lib="webworker" />
/** The page's worker: computes, so that the page stays alive; the page ends it to stop. */
import { Device } from "../../../core/mod.ts";
import type { FoldMessage, FoldRequest } from "../messages.ts";
import { TabPredictor } from "./fold.ts";

declare const self: DedicatedWorkerGlobalScope;

let opened: Promise<TabPredictor> | undefined;

self.addEventListener("message", async ({ data }: MessageEvent<{ version: string; request: FoldRequest }>) => {
  const say = (message: FoldMessage) => self.postMessage(message);
  try {
    opened ??= open(data.version);
    const predictor = await opened;
    const done = await predictor.fold(data.request, (step) => say({ kind: "step", ...step }));
    say({ kind: "done", ...done });
  } catch (error) {
    say({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  }
});

async function open(version: string): Promise<TabPredictor> {
  if (!navigator.gpu) throw new Error("This browser gives its workers no WebGPU");
  return new TabPredictor(await Device.open(navigator.gpu), version);
}
