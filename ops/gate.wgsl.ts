import { kernelFamily } from "../core/mod.ts";
import { SIGMOID, SPECIAL_VALUES, valueTypes } from "./_functions.wgsl.ts";
import { sigmoidGateGradientProbes, sigmoidGateProbes } from "./_battery/maps.ts";

const FUNCTIONS = valueTypes("vec4f") + SPECIAL_VALUES + SIGMOID;

/** out = x · sigmoid(gate) [+ residual]. */
export const sigmoidGateKernel = kernelFamily(({ residual }: { residual: boolean }) => ({
  name: "sigmoidGate",
  bindings: {
    x: "load vec4f",
    gate: "load vec4f",
    ...(residual ? { residual: "load vec4f" as const } : {}),
    out: "write vec4f",
  },
  uniforms: { size: "u32" },
  declarations: FUNCTIONS,
  body: `if (index < u.size) {
out[index] = x_at(index) * sigmoid(gate_at(index))${residual ? " + residual_at(index)" : ""};
}`,
}), sigmoidGateProbes);

/** Gradients of x, of the gate, or of both in one. */
export const sigmoidGateGradientKernel = kernelFamily(({ x, gate }: { x: boolean; gate: boolean }) => ({
  name: "sigmoidGateGradient",
  bindings: {
    ...(gate ? { x: "load vec4f" as const } : {}),
    gate: "load vec4f",
    d_out: "load vec4f",
    ...(x ? { dx: "write vec4f" as const } : {}),
    ...(gate ? { d_gate: "write vec4f" as const } : {}),
  },
  uniforms: { size: "u32" },
  declarations: FUNCTIONS,
  body: `if (index < u.size) {
let open = sigmoid(gate_at(index));
let d = d_out_at(index) * open;
${x ? "dx[index] = d;" : ""}
${gate ? "d_gate[index] = d * x_at(index) * (1.0 - open);" : ""}
}`,
}), sigmoidGateGradientProbes);
