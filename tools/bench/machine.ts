/** Processes that wanted a processor, averaged over the last minute; 0 where the system does not say. */
export function loadAverage(): number {
  return Number(Deno.loadavg()[0].toFixed(2));
}

/**
 * Whether other programs took part of the processors while we measured: wall-clock times then say little.
 *
 * @param before Load average before the first measurement.
 * @param after Load average after the last; our own share is at most a thread for each processor and one besides.
 * @param cores Processors.
 */
export function isBusy(before: number, after: number, cores: number): boolean {
  return before > cores / 4 || after > cores + 1;
}
