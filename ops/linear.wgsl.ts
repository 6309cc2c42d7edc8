import { kernelFamily } from "../core/mod.ts";
import { GELU_SLOPE } from "./_functions.wgsl.ts";
import { addLowRankProbes, epilogueGradProbes } from "./_battery/maps.ts";
import { EPILOGUE_FUNCTIONS } from "./_product/epilogue.ts";

/** Which activation a linear map ended in. */
export type Activation = "none" | "relu" | "gelu" | "sigmoid";

/**
 * Gradient of activation and gate of a linear map's epilogue: `dPre` from `dOut`, and `dGate` where there is a gate.
 * `y` is what the derivative is a function of: the output for relu and sigmoid, the value before it for gelu, the
 * value before the gate for a gate.
 */
export const epilogueGradKernel = kernelFamily(({ activation, gate }: { activation: Activation; gate: boolean }) => ({
  name: "linearEpilogueGrad",
  bindings: {
    dOut: "load vec4f",
    y: "load vec4f",
    ...(gate ? { g: "load vec4f" as const, dGate: "write vec4f" as const } : {}),
    dPre: "write vec4f",
  },
  uniforms: { n: "u32" },
  declarations: EPILOGUE_FUNCTIONS + GELU_SLOPE,
  body: `if (index < u.n) {
var d = dOut_at(index);
let y = y_at(index);
${gate ? "let s = sigmoid(g_at(index)); dGate[index] = d * y * s * (1.0 - s); d *= s;" : ""}
${
    {
      none: "",
      relu: "d = select(d, vec4f(), y <= vec4f());",
      sigmoid: "d *= y * (1.0 - y);",
      gelu: "d *= geluSlope(y);",
    }[activation]
  }
dPre[index] = d;
}`,
}), epilogueGradProbes);

/**
 * Adds scale · up · down to some neighbouring rows of a matrix: `w` [rows, k] from element `first` on, `up` [rows, r],
 * `down` [r, k]; k and `first` count in vec4s where `vector`.
 */
export const addLowRankKernel = kernelFamily(({ vector }: { vector: boolean }) => {
  const type = vector ? "vec4f" : "f32";
  return {
    name: "addLowRank",
    bindings: { up: "read f32", down: `read ${type}`, w: `write ${type}` },
    uniforms: { n: "u32", k: "u32", r: "u32", first: "u32", scale: "f32" },
    turns: ({ r }) => r + 1,
    body: `if (index < u.n) {
let row = index / u.k;
let column = index % u.k;
var sum = ${type}();
for (var i = 0u; i < u.r; i++) {
  sum = fma(${type}(up[row * u.r + i]), down[i * u.k + column], sum);
}
w[u.first + index] = fma(${type}(u.scale), sum, w[u.first + index]);
}`,
  };
}, addLowRankProbes);
