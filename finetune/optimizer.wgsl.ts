import { type Kernel, kernel, kernelFamily, WINDOW_STEP } from "../core/mod.ts";
import { adamProbes, emaProbes, squareSumProbes, stepGuardProbes } from "./_probes.ts";

/** Sum of squares of chunks of 256 vec4s, each summed in 16 parts for accuracy. */
export const squareSumKernel: Kernel = kernel({
  name: "squareSum",
  bindings: { x: "load vec4f", out: "write f32" },
  uniforms: { n4: "u32", chunks: "u32" },
  body: `if (index < u.chunks) {
var total = 0.0;
for (var part = 0u; part < 16u; part++) {
  var sum = vec4f();
  for (var i = 0u; i < 16u; i++) {
    let at = index * 256u + part * 16u + i;
    let x = select(vec4f(), x_at(min(at, u.n4 - 1u)), at < u.n4);
    sum = fma(x, x, sum);
  }
  total += sum.x + sum.y + sum.z + sum.w;
}
out[index] = total;
}`,
}, squareSumProbes);

/**
 * Whether a step may be made: 1, or 0 where the norm of the gradients, or the loss, is NaN or infinite. Told by the bits
 * (an exponent of ones alone), as compilers may take NaN for impossible.
 */
export const stepGuardKernel = kernelFamily(({ loss }: { loss: boolean }) => ({
  name: "stepGuard",
  bindings: { norm: "read u32", ...(loss ? { loss: "read u32" as const } : {}), applied: "write u32" },
  workgroupSize: 1,
  declarations: "fn isFinite(bits: u32) -> bool { return (bits & 0x7f800000u) != 0x7f800000u; }",
  body: `applied[0] = select(0u, 1u, isFinite(norm[0])${loss ? " && isFinite(loss[0])" : ""});`,
}), stepGuardProbes);

/** Vec4s of a workgroup of {@linkcode adamKernel}; runs of parameters are whole multiples. */
export const ADAM_WORKGROUP = WINDOW_STEP / 4;

/**
 * One step of Adam with decoupled weight decay (AdamW) or decay added to the gradient (Adam), gradients scaled by
 * min(1, maxNorm / (norm + 1e-6)). Nothing changes where `applied` is 0. There is an invocation for each vec4, so that
 * nothing is stored under a condition, which costs lavapipe a fifth of the time.
 */
export const adamKernel = kernelFamily(({ decoupled }: { decoupled: boolean }) => ({
  name: decoupled ? "adamW" : "adam",
  bindings: {
    g: "read vec4f",
    norm: "read f32",
    applied: "read u32",
    p: "write vec4f",
    m: "write vec4f",
    v: "write vec4f",
  },
  uniforms: {
    first: "u32", // first vec4 of the run
    rate: "f32",
    decay: "f32",
    beta2: "f32",
    rest1: "f32", // 1 - beta1, which float32 cannot take from beta1 without losing digits
    rest2: "f32",
    eps: "f32",
    correction1: "f32", // 1 - beta1^t
    correction2: "f32", // sqrt(1 - beta2^t)
    maxNorm: "f32",
  },
  workgroupSize: ADAM_WORKGROUP,
  body: `let i = u.first + index;
let isApplied = applied[0] != 0u;
let scale = min(1.0, u.maxNorm / (norm[0] + 1e-6));
var d = g[i] * scale;
let p0 = p[i];
let m0 = m[i];
let v0 = v[i];
${decoupled ? "let x = p0 * (1.0 - u.rate * u.decay);" : "let x = p0;\nd += u.decay * x;"}
let m1 = fma(vec4f(u.rest1), d - m0, m0);
let v1 = fma(vec4f(u.rest2), d * d, u.beta2 * v0);
let p1 = x - (u.rate / u.correction1) * m1 / (sqrt(v1) / u.correction2 + u.eps);
m[i] = select(m0, m1, isApplied);
v[i] = select(v0, v1, isApplied);
p[i] = select(p0, p1, isApplied);`,
}), adamProbes);

/** shadow = decay * shadow + (1 - decay) * p; where there is an `applied`, only if it is not 0. */
export const emaKernel = kernelFamily(({ guarded }: { guarded: boolean }) => ({
  name: "ema",
  bindings: { p: "read vec4f", ...(guarded ? { applied: "read u32" as const } : {}), shadow: "write vec4f" },
  uniforms: { n4: "u32", decay: "f32" },
  body: `if (index < u.n4${guarded ? " && applied[0] != 0u" : ""}) {
shadow[index] = fma(vec4f(u.decay), shadow[index], (1.0 - u.decay) * p[index]);
}`,
}), emaProbes);
