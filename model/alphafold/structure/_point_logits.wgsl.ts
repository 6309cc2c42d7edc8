import { type BindingType, type Kernel, kernelFamily, unroll } from "../../../core/mod.ts";

/** What the texts depend on: whether channels and coordinates are read four at a time. */
export interface PointLogitsStructure {
  readonly channelVectors: boolean;
  readonly pointVectors: boolean;
}

/** Queries whose logits one invocation computes. */
export const QUERIES = 4;

const type = (vectors: boolean): BindingType => (vectors ? "load vec4f" : "read f32");
const reader = (vectors: boolean, name: string, at: string) => (vectors ? `${name}_at(${at})` : `${name}[${at}]`);
const product = (vectors: boolean, a: string, b: string) => (vectors ? `dot(${a}, ${b})` : `${a} * ${b}`);

/**
 * logits[m, i, j] = scale q_i · k_j - weight_h / 2 Σ |p_i - p_j|² + bias[m, i, j] + inf (mask_i mask_j - 1) for the
 * matrices m = (batch, h). An invocation has one key and four queries.
 */
export const pointLogitsKernel: (structure: PointLogitsStructure & { readonly masked: boolean }) => Kernel =
  kernelFamily(({ channelVectors, pointVectors, masked }: PointLogitsStructure & { readonly masked: boolean }) => {
    const each = (text: (t: number) => string) => unroll(QUERIES, text);
    return {
      name: "pointLogits",
      bindings: {
        q: type(channelVectors), // [m, n, channels]
        k: type(channelVectors),
        qPoints: type(pointVectors), // [m, n, coordinates]
        kPoints: type(pointVectors),
        weights: "read f32", // [heads]
        bias: "read f32", // [m, n, n]
        ...(masked && { mask: "read f32" as const }), // [batch, n]
        logits: "write f32", // [m, n, n]
      },
      uniforms: {
        count: "u32",
        n: "u32",
        blocks: "u32",
        heads: "u32",
        first: "u32",
        channels: "u32",
        coordinates: "u32",
        scale: "f32",
        inf: "f32",
      },
      body: `
if (index < u.count) {
  let j = index % u.n;
  let first = index / u.n % u.blocks * ${QUERIES}u;
  let m = index / u.n / u.blocks;
  ${each((t) => `let i${t} = m * u.n + min(first + ${t}u, u.n - 1u);`)}
  ${each((t) => `var s${t} = 0.0; var d${t} = 0.0;`)}
  for (var c = 0u; c < u.channels; c++) {
    let key = ${reader(channelVectors, "k", "(m * u.n + j) * u.channels + c")};
    ${each((t) => `s${t} += ${product(channelVectors, "key", reader(channelVectors, "q", `i${t} * u.channels + c`))};`)}
  }
  for (var c = 0u; c < u.coordinates; c++) {
    let key = ${reader(pointVectors, "kPoints", "(m * u.n + j) * u.coordinates + c")};
    ${
        each((t) =>
          `{ let x = ${reader(pointVectors, "qPoints", `i${t} * u.coordinates + c`)} - key; d${t} += ${
            product(pointVectors, "x", "x")
          }; }`
        )
      }
  }
  let matrix = m + u.first;
  let weight = 0.5 * weights[matrix % u.heads];
  ${
        masked
          ? `let own = matrix / u.heads * u.n;
  ${each((t) => `let off${t} = u.inf * (mask[own + j] * mask[own + min(first + ${t}u, u.n - 1u)] - 1.0);`)}`
          : ""
      }
  ${
        each((t) =>
          `if (first + ${t}u < u.n) { let at = i${t} * u.n + j; logits[at] = u.scale * s${t} - weight * d${t} + bias[at]${
            masked ? ` + off${t}` : ""
          }; }`
        )
      }
}`,
    };
  });

/**
 * Gradient of the points of queries (or, transposed, of keys): -weight_h Σ_j d[m, i, j] (p_i - p_j), and
 * squares[m, i, part] = Σ_j d[m, i, j] |p_i - p_j|² for a part of the coordinates. An invocation has one point's vec4 or
 * number.
 */
export const pointGradientKernel: (
  structure: { readonly pointVectors: boolean; readonly transposed: boolean },
) => Kernel = kernelFamily(
  ({ pointVectors, transposed }: { readonly pointVectors: boolean; readonly transposed: boolean }) => ({
    name: transposed ? "pointLogits.vjp.kPoints" : "pointLogits.vjp.qPoints",
    bindings: {
      d: "read f32",
      own: type(pointVectors),
      others: type(pointVectors),
      weights: "read f32",
      dOwn: pointVectors ? "write vec4f" : "write f32",
      ...(!transposed && { squares: "write f32" as const }),
    },
    uniforms: { count: "u32", n: "u32", heads: "u32", first: "u32", coordinates: "u32" },
    body: `
if (index < u.count) {
  let part = index / u.n % u.coordinates;
  let m = index / u.n / u.coordinates;
  let i = index % u.n;
  let at = (m * u.n + i) * u.coordinates + part;
  let point = ${reader(pointVectors, "own", "at")};
  var sum = ${pointVectors ? "vec4f(0.0)" : "0.0"};
  var square = 0.0;
  for (var j = 0u; j < u.n; j++) {
    let x = point - ${reader(pointVectors, "others", "(m * u.n + j) * u.coordinates + part")};
    let slope = d[m * u.n * u.n + ${transposed ? "j * u.n + i" : "i * u.n + j"}];
    sum += slope * x;
    square += slope * ${product(pointVectors, "x", "x")};
  }
  dOwn[at] = -weights[(m + u.first) % u.heads] * sum;
  ${transposed ? "" : "squares[at] = square;"}
}`,
  }),
);
