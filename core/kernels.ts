import type { AdapterTraits, LoadPath } from "./adapter.ts";
import { createPipeline, type Pipeline, textOf } from "./_pipelines.ts";
import { noise, type Probe, type ProbeOutcome } from "./probe.ts";
import { Prober } from "./_prober.ts";
import type { Shape } from "./shapes.ts";
import type { Dtype } from "./tensor.ts";
import { textHash } from "./_text_hash.ts";
import { type Kernel, kernelFamily, mayBeHalf, TEXTURE_WIDTH } from "./wgsl.ts";

/** What was found out about a text. */
export type Verdict = "right" | "wrong";

/** Remembers between processes which texts were found right, or wrong; made for one adapter, driver and version. */
export interface KernelStore {
  /** What is known of the text of this hash. */
  verdict(hash: string): Verdict | undefined;
  /** Takes note of it. */
  keep(hash: string, verdict: Verdict): void;
  /** Forgets all: something that was right is wrong now. */
  clear(): void;
}

/** A kernel that computes wrong numbers on an adapter. */
export interface KernelFinding {
  /** Its name. */
  readonly kernel: string;
  /** The structure it was built for, as JSON; empty where it has none. */
  readonly structure: string;
  /** Where it loads from. */
  readonly loads: LoadPath;
  /** What was wrong, in a few words. */
  readonly reason: string;
}

const KNOWN_WRONG: ProbeOutcome = { right: false, largestError: Infinity, reason: "an earlier run found it wrong" };

/** Called with what took time: compiling, or verifying. */
type Spent = (kind: "compile" | "verify", began: number) => void;

/** A kernel that is needed computes wrong numbers, and nothing else on the adapter can take its place. */
export class WrongKernelError extends Error {
  /** Name of the class. */
  override name = "WrongKernelError";
}

/** How a device goes about its kernels. */
export interface KernelOptions {
  /** Which texts are known to be right. @default none: what is used is verified in this process */
  readonly store?: KernelStore;
  /** Receives what is found wrong, once. @default a warning of the first finding on the console, from {@linkcode Device.open} */
  readonly onFinding?: (finding: KernelFinding) => void;
  /** Whether kernels are verified before they are used; off for measuring what that costs. @default true */
  readonly verify?: boolean;
}

/** What is bound, by name, as far as a kernel's text depends on it: a tensor, or its type alone. */
export type BoundTypes = Readonly<Record<string, { readonly dtype: Dtype; readonly shape?: Shape } | undefined>>;

/** A kernel that would be run; of what it would be given, only bindings of 16-bit floats need be there. */
export type KernelUse = readonly [kernel: Kernel, bindings?: BoundTypes];

/** A text: compiled, and what is known about it. */
interface Entry extends Pipeline {
  verdict: Verdict | "asked";
}

/**
 * The first thing that is verified on every device, whatever an earlier process found: a kernel that loads and stores,
 * over more than one row of a texture. Mesa 25 keeps the code of its texture functions on disk without the width of the
 * vectors it was made for, and hands it to a process that uses another width. What was compiled together with such a
 * function agrees with it, hence a workgroup of the size of a subgroup: each width has a text of its own.
 */
export const loadsKernel: (structure: { readonly lanes: number }) => Kernel = kernelFamily(
  ({ lanes }: { readonly lanes: number }) => ({
    name: "loads",
    workgroupSize: lanes,
    bindings: { x: "load vec4f", out: "store vec4f" },
    uniforms: { n: "u32" },
    body: "if (index < u.n) { out_put(index, x_at(index)); }",
  }),
  ({ lanes }) => {
    const n = 2 * TEXTURE_WIDTH + 37;
    return [{
      before: { x: noise(4 * n, 1) },
      uniforms: { n },
      grid: [Math.ceil(n / lanes), 1, 1],
      after: ({ x }) => ({ out: x }),
    }];
  },
);

/**
 * The kernels of a device. A kernel that tells what it must compute ({@linkcode Probe}) is run on that first, in the text
 * and pipeline that will be used, and is used only if all numbers are right: from textures or from buffers, whichever is
 * preferred and right. Where WebGPU hands results out only later (browsers), what was recorded meanwhile is held back:
 * the next read throws instead of returning numbers of a wrong kernel.
 */
export class Kernels {
  readonly #gpu: GPUDevice;
  readonly #traits: AdapterTraits;
  readonly #verify: boolean;
  readonly #store: KernelStore | undefined;
  readonly #onFinding: ((finding: KernelFinding) => void) | undefined;
  readonly #prober: Prober;
  readonly #loads: Kernel;
  readonly #byKernel = new Map<Kernel, Map<string, Entry>>();
  readonly #byText = new Map<string, Entry>();
  readonly #findings: KernelFinding[] = [];
  readonly #avoided = new Set<string>();
  readonly #spotChecked = new Set<string>();
  readonly #asked = new Set<Promise<void>>();
  #preferred: LoadPath | null = null;
  #late: KernelFinding | null = null;
  /** Whether a probe's outcome is known only after more was recorded. */
  #outcomesAreLate = false;

  /** Made by a {@linkcode Device}; one for plans verifies nothing. */
  constructor(gpu: GPUDevice, traits: AdapterTraits, options: KernelOptions & { readonly dry: boolean }) {
    this.#gpu = gpu;
    this.#traits = traits;
    this.#verify = !options.dry && options.verify !== false;
    this.#store = options.store;
    this.#onFinding = options.onFinding;
    this.#prober = new Prober(gpu);
    this.#loads = loadsKernel({ lanes: traits.subgroupSize || 64 });
  }

  /** What was found wrong so far, and is not used. */
  get findings(): readonly KernelFinding[] {
    return this.#findings;
  }

  /** Kernels that {@linkcode Kernels.choose} has passed over, by name and structure. */
  get avoided(): readonly string[] {
    return [...this.#avoided].sort();
  }

  /** Where `load` bindings are served from if that is right for a kernel. */
  get loads(): LoadPath {
    return this.#preferred ?? this.#traits.loadPaths[0];
  }
  set loads(path: LoadPath) {
    if (!this.#traits.loadPaths.includes(path)) {
      throw new TypeError(`Cannot load from ${path}: this adapter's ways are ${this.#traits.loadPaths.join(", ")}`);
    }
    if (path === this.loads) return;
    this.#preferred = path;
    this.#byKernel.clear();
  }

  /** Ways to load that are right on this adapter, the preferred one first. */
  get loadPaths(): readonly LoadPath[] {
    return this.#verify ? this.#paths.filter((path) => this.#loadsRight(path, false)) : this.#paths;
  }

  /** Passes over these kernels from now on as if they were wrong: a run that goes on does as it did before. */
  avoid(kernels: readonly string[]): void {
    for (const name of kernels) this.#avoided.add(name);
  }

  /** Verifies the preferred way to load; {@linkcode Device.open} waits for it. */
  async start(): Promise<void> {
    if (!this.#verify) return;
    this.#loadsRight(this.loads, false);
    await Promise.all(this.#asked);
    this.#late = null; // nothing was computed with it
  }

  /**
   * The first of some ways to compute all of whose kernels are right.
   *
   * @param candidates In order of preference.
   * @param kernelsOf The kernels that a candidate would run.
   * @throws {WrongKernelError} If none is.
   */
  choose<T>(candidates: readonly T[], kernelsOf: (candidate: T) => readonly KernelUse[]): T {
    if (!this.#verify && !this.#avoided.size) return candidates[0];
    let wrong: Kernel | undefined;
    for (const candidate of candidates) {
      wrong = kernelsOf(candidate).find(([kernel, bindings = {}]) =>
        this.#avoided.has(identity(kernel)) || (this.#verify && !this.#find(kernel, halvesOf(kernel, bindings)))
      )?.[0];
      if (!wrong) return candidate;
      this.#avoided.add(identity(wrong));
    }
    throw this.#refusal(wrong!);
  }

  /**
   * The pipeline of a kernel, verified.
   *
   * @param bindings Its tensors by name: some may be of 16-bit floats, and the kernel is compiled for that.
   * @throws {WrongKernelError} If it computes wrong numbers.
   * @internal
   */
  pipelineOf(kernel: Kernel, bindings: BoundTypes, spent: Spent): Pipeline {
    const found = this.#find(kernel, halvesOf(kernel, bindings), spent);
    if (!found) throw this.#refusal(kernel);
    return found;
  }

  /**
   * Runs a kernel's probes, whatever is known about it; for tables of what is right.
   *
   * @returns Null where it has no probes, or the device was lost.
   */
  async probe(
    kernel: Kernel,
    { loads, halves = [] }: { readonly loads: LoadPath; readonly halves?: readonly string[] },
  ): Promise<ProbeOutcome | null> {
    if (!kernel.probes) return null;
    this.#gpu.pushErrorScope("validation");
    const pipeline = createPipeline(this.#gpu, kernel, textOf(kernel, halves, loads, this.#traits), halves, loads);
    const outcome = this.#prober.run(pipeline, kernel, halves, kernel.probes(), false);
    const invalid = await this.#gpu.popErrorScope();
    return invalid ? { right: false, largestError: Infinity, reason: oneLine(invalid.message) } : await outcome;
  }

  /**
   * Waits for what is being verified.
   *
   * @throws {WrongKernelError} If a kernel that was used meanwhile turned out to be wrong. It is not used again.
   */
  async settle(): Promise<void> {
    while (this.#asked.size) await Promise.all(this.#asked);
    const late = this.#late;
    this.#late = null;
    if (!late) return;
    throw new WrongKernelError(
      `${
        wrongNumbers(late, this.#traits.description)
      }. What was computed since the last read is void; the kernel is not ` +
        "used any more: compute again, or start the command again",
    );
  }

  /** The right pipeline of a kernel, from where it loads best; undefined if there is none. */
  #find(kernel: Kernel, halves: readonly string[], spent?: Spent): Entry | undefined {
    let variants = this.#byKernel.get(kernel);
    if (!variants) this.#byKernel.set(kernel, variants = new Map());
    const variant = halves.join();
    const known = variants.get(variant);
    if (known && known.verdict !== "wrong") return known;
    const loading = kernel.bindings.filter(([, type]) => type === "load vec4f");
    const half = loading.some(([name]) => halves.includes(name));
    for (const loads of loading.length ? this.#paths : ["buffers"] as const) {
      if (loading.length && this.#verify && !this.#loadsRight(loads, half)) continue;
      const entry = this.#entry(kernel, halves, loads, spent);
      if (entry.verdict === "wrong") continue;
      variants.set(variant, entry);
      return entry;
    }
    return undefined;
  }

  /** All ways to load, the preferred one first. */
  get #paths(): readonly LoadPath[] {
    return [this.loads, ...this.#traits.loadPaths.filter((path) => path !== this.loads)];
  }

  #loadsRight(path: LoadPath, half: boolean): boolean {
    const right = (halves: readonly string[]) => this.#entry(this.#loads, halves, path).verdict !== "wrong";
    return right([]) && (!half || right(["x", "out"]));
  }

  #entry(kernel: Kernel, halves: readonly string[], loads: LoadPath, spent?: Spent): Entry {
    const code = textOf(kernel, halves, loads, this.#traits);
    const known = this.#byText.get(code);
    if (known) return known;
    const probes = this.#verify ? kernel.probes : null;
    if (probes) this.#gpu.pushErrorScope("validation"); // what does not compile is not used, as what is wrong is not
    const began = performance.now();
    const entry: Entry = { ...createPipeline(this.#gpu, kernel, code, halves, loads), verdict: "right" };
    spent?.("compile", began);
    this.#byText.set(code, entry);
    if (!probes) return entry;
    const asked = performance.now();
    this.#judge(entry, kernel, halves, probes, textHash(code));
    spent?.("verify", asked);
    return entry;
  }

  /** Finds out whether a text is right; closes the error scope in which it was compiled. */
  #judge(entry: Entry, kernel: Kernel, halves: readonly string[], probes: () => readonly Probe[], hash: string): void {
    const known = this.#store?.verdict(hash);
    // Where an outcome comes too late to choose by, that of an earlier run counts.
    const outcome = known === "wrong" && this.#outcomesAreLate
      ? KNOWN_WRONG
      : known === "right" && !this.#mustSee(kernel)
      ? null
      : this.#prober.run(entry, kernel, halves, probes());
    const invalid = this.#gpu.popErrorScope().then((error) => error?.message, () => undefined);
    if (outcome instanceof Promise) {
      this.#outcomesAreLate = true;
      entry.verdict = "asked";
      const asked: Promise<void> = outcome.then((outcome) => {
        const finding = this.#conclude(entry, kernel, hash, outcome, invalid);
        if (!finding) return;
        this.#late ??= finding;
        if (kernel !== this.#loads) this.#find(kernel, halves); // is it right when it loads from elsewhere?
      }).finally(() => this.#asked.delete(asked));
      this.#asked.add(asked);
    } else this.#conclude(entry, kernel, hash, outcome, invalid);
  }

  /** @param outcome Null where nothing is to be said against it. @returns What is said against it, or null. */
  #conclude(
    entry: Entry,
    kernel: Kernel,
    hash: string,
    outcome: ProbeOutcome | null,
    invalid: Promise<string | undefined>,
  ): KernelFinding | null {
    entry.verdict = outcome?.right === false ? "wrong" : "right";
    if (outcome?.right) this.#store?.keep(hash, "right");
    if (!outcome || outcome.right) return null;
    if (kernel === this.#loads || kernel.source.spotCheck) this.#store?.clear(); // of a time when it was right
    if (this.#outcomesAreLate) this.#store?.keep(hash, "wrong");
    const { loads } = entry;
    const finding = { kernel: kernel.name, structure: kernel.structure, loads, reason: outcome.reason };
    this.#findings.push(finding);
    void invalid.then((message) => {
      if (message !== undefined) finding.reason = `it does not compile: ${oneLine(message)}`;
      this.#onFinding?.(finding);
    });
    return finding;
  }

  /** Whether a kernel is verified although an earlier process found it right. */
  #mustSee(kernel: Kernel): boolean {
    if (kernel === this.#loads) return true;
    if (!kernel.source.spotCheck || this.#spotChecked.has(kernel.name)) return false;
    this.#spotChecked.add(kernel.name);
    return true;
  }

  #refusal(kernel: Kernel): WrongKernelError {
    const adapter = this.#traits.description;
    const finding = this.#findings.findLast((finding) => identity(finding) === identity(kernel)) ??
      this.#findings.find(({ kernel }) => kernel === this.#loads.name);
    return new WrongKernelError(
      finding
        ? `${
          wrongNumbers(finding, adapter)
        }, and there is no other version of it. Update the driver, or choose another ` +
          "adapter; `denofold doctor --check` shows what is right here"
        : `Kernel ${kernel.name} is to be avoided on ${adapter}, and there is no other version of it`,
    );
  }
}

/**
 * Makes a function that tells of the first finding, with what to do; where one kernel is wrong, more may be, for the same
 * reason.
 */
export function tellingFirst(
  { description, software }: AdapterTraits,
  log: (line: string) => void,
): (finding: KernelFinding) => void {
  let told = false;
  return ({ kernel, loads, reason }) => {
    if (told) return;
    told = true;
    const cache = software && loads === "textures"
      ? ' Mesa 25 takes code from its cache that was made for another width of vectors: `import "@denofold/denofold/setup"`, ' +
        "before all else, gives denofold a cache of its own."
      : "";
    log(
      `The kernel ${kernel} (loads from ${loads}) is wrong on ${description} and is not used: ${reason}. ` +
        `Something else takes its place; \`denofold doctor --check\` shows all that is right and wrong.${cache}`,
    );
  };
}

function wrongNumbers({ kernel, structure, loads, reason }: KernelFinding, adapter: string): string {
  return `Kernel ${kernel}${structure && ` ${structure}`} (loads from ${loads}) is wrong on ${adapter}: ${reason}`;
}

function identity({ structure, ...rest }: Kernel | KernelFinding): string {
  const name = "name" in rest ? rest.name : rest.kernel;
  return structure ? `${name} ${structure}` : name;
}

function oneLine(message: string): string {
  return message.replace(/\s+/g, " ").trim();
}

/** Names of a kernel's bindings that are tensors of 16-bit floats. */
function halvesOf({ name, bindings: types }: Kernel, bindings: BoundTypes): string[] {
  const halves = types.filter(([binding]) => bindings[binding]?.dtype === "f16");
  for (const [binding, type] of types) {
    const { dtype, shape } = bindings[binding] ?? {};
    if (dtype === "f16" ? mayBeHalf(type) : dtype !== "bf16" || type.endsWith(" u32")) continue;
    throw new TypeError(`Kernel ${name}: ${binding} [${shape}] is ${dtype}, this kernel takes f32 there`);
  }
  return halves.map(([binding]) => binding);
}
