/** The op behind linear maps. */
import { defineOp, type Device, elementGrid, inWindows, sizeOf, type Tensor } from "../core/mod.ts";
import { sumRows } from "./_reduce.ts";
import { runMatmul } from "./_matmul.ts";
import { operationsOf } from "./_operations.ts";
import { GELU_SLOPE, NORMAL_CDF } from "./_functions.wgsl.ts";
import { adaptedWeight, adapterGradients, type AdapterPlace, type PlacedAdapter } from "./_low_rank.ts";
import { type Activation, epilogueGradKernel } from "./linear.wgsl.ts";

type Inputs = {
  x: Tensor;
  weight: Tensor;
  bias?: Tensor;
  gate?: Tensor;
  residual?: Tensor;
  [matrix: `down${number}` | `up${number}`]: Tensor;
};

interface Attributes {
  readonly activation: Activation;
  readonly dtype: "f32" | "f16";
  /** Of the adapters `down0` and `up0`, … */
  readonly places: readonly AdapterPlace[];
}

const NEEDS: Readonly<Record<string, readonly ("x" | "weight" | "gate")[]>> = {
  x: ["weight", "gate"],
  weight: ["x", "gate"],
  bias: ["gate"],
  gate: ["gate"],
};

/** Linear map of the last axis with its epilogue, and with adapters of some of the weight's rows. */
const op = defineOp<Inputs, keyof Inputs & string, { y?: Tensor; adapted?: Tensor }, Attributes>({
  name: "linear",
  needs(input) {
    const adapter = input.match(/^(?:down|up)(\d+)$/)?.[1]; // each of its matrices needs the other
    if (!adapter) return NEEDS[input] ?? [];
    return ["x", "gate", ...(input.startsWith("up") ? [`down${+adapter}`] as const : [`up${+adapter}`] as const)];
  },
  forward(inputs, { activation, dtype, places }, { device, wanted }) {
    const { x, weight, bias, gate, residual } = inputs;
    const [n, k] = weight.shape;
    const adapters = adaptersOf(inputs, places);
    const adapted = adapters.length ? adaptedWeight(weight, adapters) : undefined;
    const trained = places.some((_, i) => wanted[`down${i}`] || wanted[`up${i}`]);
    const intoEpilogue = wanted.x || wanted.weight || wanted.bias || wanted.gate || trained;
    const keepPre = intoEpilogue && (activation === "gelu" || !!gate);
    const { out, pre } = runMatmul(device, {
      a: x,
      b: adapted ?? weight,
      m: sizeOf(x.shape.slice(0, -1)),
      n,
      k,
      bTransposed: true,
      bias,
      gate,
      residual,
      keepPre,
      dtype,
      ...(activation !== "none" && { activation }),
    });
    const shaped = device.view(out, [...x.shape.slice(0, -1), n]);
    const y = activation === "relu" || activation === "sigmoid" ? shaped : pre;
    return { out: shaped, saved: { ...(intoEpilogue && { y }), ...(wanted.x && { adapted }) } };
  },
  vjp({ device, inputs, saved: { y, adapted }, attributes: { activation, places }, wanted, shapes }, dOut) {
    const { x, weight, gate } = inputs;
    const [n, k] = shapes.weight;
    const m = sizeOf(shapes.x.slice(0, -1));
    const { dPre, dGate } = y ? epilogueGrad(device, dOut, y, gate, activation) : { dPre: dOut, dGate: undefined };
    const ofAdapters = places.map((_, i) => ({ down: wanted[`down${i}`], up: wanted[`up${i}`] }));
    const ofBias = !!shapes.bias && wanted.bias;
    const ofWeight = wanted.weight
      ? runMatmul(device, { a: dPre, b: x, m: n, n: k, k: m, aTransposed: true, rowSums: ofBias })
      : undefined;
    const grads: { [K in keyof Inputs]?: Tensor } = {
      x: wanted.x
        ? device.view(runMatmul(device, { a: dPre, b: adapted ?? weight, m, n: k, k: n }).out, shapes.x)
        : undefined,
      weight: ofWeight && device.view(ofWeight.out, [n, k]),
      bias: ofBias ? ofWeight?.sums ?? sumRows(dPre, n) : undefined,
      gate: dGate,
      residual: dOut,
    };
    if (ofAdapters.some(({ down, up }) => down || up)) {
      const adapters = adaptersOf(inputs, places);
      adapterGradients(device, { x, dOut: dPre, m, n, k }, adapters, ofAdapters).forEach(({ down, up }, i) => {
        if (down) grads[`down${i}`] = down;
        if (up) grads[`up${i}`] = up;
      });
    }
    return grads;
  },
});

function adaptersOf(inputs: Partial<Inputs>, places: readonly AdapterPlace[]): PlacedAdapter[] {
  return places.map((place, i) => ({ ...place, down: inputs[`down${i}`]!, up: inputs[`up${i}`]! }));
}

/** Operations an element of an activation's derivative. */
const GRADIENT_OPERATIONS: Readonly<Record<Activation, number>> = {
  none: 0,
  relu: 0,
  sigmoid: 3,
  gelu: operationsOf("d * geluSlope(y)", NORMAL_CDF + GELU_SLOPE),
};

function epilogueGrad(device: Device, dOut: Tensor, y: Tensor, gate: Tensor | undefined, activation: Activation) {
  const dPre = device.empty(dOut.shape);
  const dGate = gate && device.empty(dOut.shape);
  inWindows(device, dOut.size, { reads: { dOut, y, g: gate }, writes: { dPre, dGate } }, (bindings, count) => {
    const n = Math.ceil(count / 4);
    device.run(epilogueGradKernel({ activation, gate: !!gate }), {
      bindings,
      uniforms: { n },
      grid: elementGrid(n, 64),
      flops: (GRADIENT_OPERATIONS[activation] + (gate ? 8 : 0)) * count,
    });
  });
  return { dPre, dGate };
}

/** What is put into a product of a linear map besides its operands. */
export interface LinearEpilogue extends Omit<Attributes, "places"> {
  readonly bias?: Tensor;
  readonly gate?: Tensor;
  readonly residual?: Tensor;
}

/** The map x·(W + adapters)ᵀ with its epilogue. Shapes are the caller's care. */
export function runLinear(
  x: Tensor,
  weight: Tensor,
  adapters: readonly PlacedAdapter[],
  { bias, gate, residual, activation, dtype }: LinearEpilogue = { activation: "none", dtype: "f32" },
): Tensor {
  const matrices = Object.fromEntries(adapters.flatMap(({ down, up }, i) => [[`down${i}`, down], [`up${i}`, up]]));
  const places = adapters.map(({ row, rows, rank, scale }) => ({ row, rows, rank, scale }));
  return op({ x, weight, bias, gate, residual, ...matrices }, { activation, dtype, places });
}
