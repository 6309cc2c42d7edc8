/**
 * Whether other programs took part of the processors while we measured: wall-clock times then say little.
 *
 * @module
 */

/** Processes that wanted a processor, averaged over the last minute; 0 where the system does not say. */
export function loadAverage(): number {
  return Number(Deno.loadavg()[0].toFixed(2));
}

/** Whether loads tell of others, where the system does not say more. */
function isLoaded(before: number, after: number, cores: number): boolean {
  return before > cores / 4 || after > cores + 1; // our own share is at most a thread for each processor and one besides
}

/** CPU time since the machine started, in ticks of its clock. */
export interface Ticks {
  /** Of all programs, and of neighbours of a virtual machine. */
  readonly busy: number;
  /** The same and the time in which processors had nothing to do. */
  readonly total: number;
  /** Of this process and of its children that have ended. */
  readonly ours: number;
}

/**
 * Reads {@linkcode Ticks}.
 *
 * @param machine Text of Linux' `/proc/stat`.
 * @param self Text of `/proc/self/stat`.
 */
export function readTicks(machine: string, self: string): Ticks {
  // user, nice, system, idle, waiting for disks, interrupts, soft interrupts, stolen; guests are counted in user.
  const [user, nice, system, idle, waiting, interrupts, soft, stolen = 0] = machine.split("\n", 1)[0].trim()
    .split(/\s+/).slice(1).map(Number);
  const busy = user + nice + system + interrupts + soft + stolen;
  const fields = self.slice(self.lastIndexOf(")") + 2).split(" ").map(Number);
  const ours = fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0); // user and system, ours and the children's
  return { busy, total: busy + idle + waiting, ours };
}

/** How many processors others kept busy between two moments. */
export function processorsOfOthers(before: Ticks, after: Ticks, cores: number): number {
  const total = after.total - before.total;
  const others = after.busy - before.busy - (after.ours - before.ours);
  return total > 0 ? Math.max(0, others / total * cores) : 0;
}

/** Watches the machine from its making on. */
export class MachineWatch {
  readonly #cores: number;
  readonly #load = loadAverage();
  readonly #ticks = ticksNow();

  /** @param cores Processors. */
  constructor(cores: number) {
    this.#cores = cores;
  }

  /** What a record says of the machine. */
  get state(): { load_before: number; load_after: number; others: number | null; busy: boolean } {
    const load = loadAverage(), ticks = ticksNow();
    const others = this.#ticks && ticks && processorsOfOthers(this.#ticks, ticks, this.#cores);
    const busy = others === null ? isLoaded(this.#load, load, this.#cores) : others > this.#cores / 20;
    return { load_before: this.#load, load_after: load, others: others && Number(others.toFixed(3)), busy };
  }
}

function ticksNow(): Ticks | null {
  try {
    return readTicks(Deno.readTextFileSync("/proc/stat"), Deno.readTextFileSync("/proc/self/stat"));
  } catch {
    return null; // not Linux
  }
}
