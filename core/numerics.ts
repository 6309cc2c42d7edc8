import type { Device } from "./device.ts";
import { elementGrid } from "./grid.ts";
import { noise } from "./probe.ts";
import type { Storage, Tensor } from "./tensor.ts";
import { isWritten, type Kernel, kernel } from "./wgsl.ts";

/** The first tensor that was found to hold NaN or infinity. */
export interface NumericsFinding {
  /** Scopes the kernel ran in, outermost first, joined by `/`. */
  readonly path: string;
  /** Name of the kernel. */
  readonly kernel: string;
  /** Name of the kernel's binding. */
  readonly tensor: string;
  /** Its shape. */
  readonly shape: readonly number[];
  /** Whether the kernel read it (the fault came from outside) or wrote it. */
  readonly role: "input" | "output";
}

/** A kernel read or wrote NaN or infinity while numbers were checked. */
export class NumericsError extends Error {
  /** Name of the class. */
  override name = "NumericsError";
  /** Where. */
  readonly finding: NumericsFinding;

  /** An error that tells of a finding. */
  constructor(finding: NumericsFinding) {
    const { path, kernel, tensor, shape, role } = finding;
    const place = path ? `Scope ${path}` : "Outside of all scopes";
    const where = `${role} ${tensor} [${shape}] of kernel ${kernel}`;
    super(`${place}: ${where} ${role === "input" ? "holds" : "is the first to hold"} NaN or infinity`);
    this.finding = finding;
  }
}

type Bindings = Readonly<Record<string, Tensor>>;

/** A storage is less than this larger than its tensor. */
const PADDING = 256;

/** Checks in one buffer. */
const SLOTS = 16_384;

/** An exponent of ones alone is that of infinity and NaN; told by its bits, as compilers may take NaN for impossible. */
export const CHECK: Kernel = kernel({
  name: "checkNumerics",
  bindings: { x: "load vec4f", found: "write u32" },
  uniforms: { n: "u32", slot: "u32", turns: "u32" },
  body: `var bad = vec4<bool>();
for (var i = index * u.turns; i < min((index + 1u) * u.turns, (u.n + 3u) / 4u); i++) {
  let inside = vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(u.n);
  let exponents = bitcast<vec4u>(x_at(i)) & vec4u(0x7f800000u);
  bad |= inside & (exponents == vec4u(0x7f800000u));
}
if (any(bad)) { found[u.slot] = 1u; }`,
}, () =>
  [1, Infinity, -Infinity, NaN].map((bad) => {
    const x = noise(4 * 150 - 1, 1);
    x[x.length - 1] = bad; // the last that counts; what lies behind it is not finite either
    return {
      before: { x, found: [0, 0, 0] },
      uniforms: { n: x.length, slot: 1, turns: 2 },
      grid: [2, 1, 1],
      after: () => ({ found: [0, Number.isFinite(bad) ? 0 : 1, 0] }),
    };
  }));

/** Whole vec4s that an invocation looks at. */
const TURNS = 16;

/**
 * Looks for NaN and infinity in all tensors of floats that kernels read and write; made by
 * {@linkcode Device.checkNumerics}.
 */
export class NumericsCheck {
  readonly #device: Device;
  readonly #findings: NumericsFinding[] = [];
  readonly #found: Tensor[] = [];
  /** Storages all of whose content was looked at when it was written. */
  readonly #known = new WeakSet<Storage>();
  #checking = false;

  /** A check that has not looked at anything. */
  constructor(device: Device) {
    this.#device = device;
  }

  /** Called by the device before a kernel runs (`input`) and after it (`output`): looks at what it reads or writes. */
  look(role: NumericsFinding["role"], { name, bindings: types }: Kernel, bindings: Bindings, path: string): void {
    if (this.#checking) return;
    for (const [tensor, type] of types) {
      const seen: Tensor | undefined = bindings[tensor];
      if (!seen) continue; // the device says so
      const { storage, dtype, size, bytes, shape } = seen;
      if (isWritten(type) !== (role === "output") || !(dtype === "f32" || dtype === "f16") || size === 0) continue;
      if (role === "input" && this.#known.has(storage)) continue; // a kernel wrote it, and was looked at
      this.#check(seen, { path, kernel: name, tensor, shape, role });
      if (bytes > storage.bytes - PADDING) this.#known.add(storage);
    }
  }

  /** Called by the device when a storage holds zeros. */
  zeroed(storage: Storage): void {
    this.#known.add(storage);
  }

  /** Called by the device when something other than a kernel has changed a storage. */
  changed(storage: Storage): void {
    this.#known.delete(storage);
  }

  /**
   * Called by the device when it waits anyway: tells what was found first since the last time.
   *
   * @throws {NumericsError} If something was found.
   */
  async report(): Promise<void> {
    if (this.#checking || this.#findings.length === 0) return;
    const findings = this.#findings.splice(0), found = this.#found.splice(0);
    this.#checking = true; // reading comes here too
    try {
      for (const [i, tensor] of found.entries()) {
        const first = (await tensor.read()).indexOf(1);
        if (first >= 0) throw new NumericsError(findings[i * SLOTS + first]);
      }
    } finally {
      this.#checking = false;
      for (const tensor of found) tensor.dispose();
    }
  }

  /** Forgets what was seen since the last report. */
  [Symbol.dispose](): void {
    this.#findings.length = 0;
    for (const tensor of this.#found.splice(0)) tensor.dispose();
  }

  #check(x: Tensor, finding: NumericsFinding): void {
    this.#checking = true;
    try {
      const slot = this.#findings.length % SLOTS;
      if (slot === 0) {
        using found = this.#device.zeros([SLOTS], "u32");
        this.#found.push(this.#device.hold(found));
      }
      this.#device.run(CHECK, {
        bindings: { x, found: this.#found[this.#found.length - 1] },
        uniforms: { n: x.size, slot, turns: TURNS },
        grid: elementGrid(Math.ceil(x.size / 4 / TURNS), 64),
        flops: 0,
        bytesWritten: 4,
      });
      this.#findings.push(finding);
    } finally {
      this.#checking = false;
    }
  }
}
