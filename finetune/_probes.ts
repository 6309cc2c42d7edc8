/** Probes of the optimizer's kernels. */
import { noise, type Probe } from "../core/mod.ts";

/** Sums of squares of chunks of 1,024 elements, the last of them shorter. */
export function squareSumProbes(): readonly Probe[] {
  const n4 = 2 * 256 + 37, chunks = 3;
  return [{
    before: { x: noise(4 * n4, 1) },
    uniforms: { n4, chunks },
    grid: [1, 1, 1],
    after({ x }) {
      const out = new Float64Array(chunks);
      x.forEach((value, i) => (out[Math.floor(i / 1024)] += value * value));
      return { out };
    },
  }];
}

/** Bits of a finite number, of infinities and of NaN. */
const FINITE = 0x3f800000, INFINITIES = [0x7f800000, 0xff800000], NAN = 0x7fc00000;

/** A step is made where norm and loss are finite. */
export function stepGuardProbes({ loss }: { readonly loss: boolean }): readonly Probe[] {
  const cases = [FINITE, ...INFINITIES, NAN].flatMap((norm) =>
    (loss ? [0, ...INFINITIES, NAN] : [0]).map((loss) => [norm, loss])
  );
  return cases.map(([norm, lossBits]): Probe => ({
    before: { norm: [norm], ...(loss && { loss: [lossBits] }) },
    grid: [1, 1, 1],
    after: () => ({ applied: [Number(norm === FINITE && lossBits === 0)] }),
  }));
}

/** One step of Adam on a run in the middle, with clipping, without, and where none is to be made. */
export function adamProbes({ decoupled }: { readonly decoupled: boolean }): readonly Probe[] {
  const first = 5, n4 = 3 * 32, size = 4 * (first + n4);
  const u = { rate: 0.01, decay: 0.1, beta2: 0.99, rest1: 0.1, rest2: 0.01, eps: 1e-3 };
  const steps = { correction1: 1 - 0.9 ** 3, correction2: Math.sqrt(1 - 0.99 ** 3) };
  return [[2, 1], [100, 1], [100, 0]].map(([maxNorm, applied]): Probe => ({
    before: {
      applied: [applied],
      ...{ g: noise(size, 1), norm: [8], p: noise(size, 2), m: noise(size, 3) },
      v: noise(size, 4).map(Math.abs),
    },
    uniforms: { first, ...u, ...steps, maxNorm },
    grid: [3, 1, 1],
    after({ g, norm, p, m, v }) {
      const scale = Math.min(1, maxNorm / (norm[0] + 1e-6));
      for (let i = applied ? 4 * first : size; i < size; i++) {
        const d = g[i] * scale + (decoupled ? 0 : u.decay * p[i]);
        m[i] += u.rest1 * (d - m[i]);
        v[i] = u.beta2 * v[i] + u.rest2 * d * d;
        const x = decoupled ? p[i] * (1 - u.rate * u.decay) : p[i];
        p[i] = x - u.rate / steps.correction1 * m[i] / (Math.sqrt(v[i]) / steps.correction2 + u.eps);
      }
      return { p, m, v };
    },
  }));
}

/** One step of the moving average, and none. */
export function emaProbes({ guarded }: { readonly guarded: boolean }): readonly Probe[] {
  const n4 = 71, decay = 0.9;
  return (guarded ? [1, 0] : [1]).map((applied): Probe => ({
    before: { p: noise(4 * n4, 1), shadow: noise(4 * n4, 2), ...(guarded && { applied: [applied] }) },
    uniforms: { n4, decay },
    grid: [3, 1, 1],
    after: ({ p, shadow }) => ({ shadow: shadow.map((s, i) => (applied ? decay * s + (1 - decay) * p[i] : s)) }),
  }));
}
