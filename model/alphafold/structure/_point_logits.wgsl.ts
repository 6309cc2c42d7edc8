import { type BindingType, type Kernel, kernelFamily, unroll } from "../../../core/mod.ts";
import { pointGradientProbes, pointLogitsProbes } from "./_probes.ts";

/** What the texts depend on: whether channels and coordinates are read four at a time. */
export interface PointLogitsStructure {
  readonly channelVectors: boolean;
  readonly pointVectors: boolean;
  readonly masked: boolean;
  /** Whether rows of logits are whole vec4s. */
  readonly rowVectors: boolean;
}

/** Queries, and keys, whose logits one invocation computes. */
export const TILE = 4;

const type = (vectors: boolean): BindingType => (vectors ? "load vec4f" : "read f32");
const reader = (vectors: boolean, name: string, at: string) => (vectors ? `${name}_at(${at})` : `${name}[${at}]`);
const product = (vectors: boolean, a: string, b: string) => (vectors ? `dot(${a}, ${b})` : `${a} * ${b}`);
const each = (text: (t: number) => string) => unroll(TILE, text);
const keys = (text: (k: number) => string) => Array.from({ length: TILE }, (_, k) => text(k)).join(", ");

/**
 * logits[m, i, j] = scale q_i · k_j - weight_h / 2 Σ |p_i - p_j|² + bias[m, i, j] + inf (mask_i mask_j - 1) for the
 * matrices m = (batch, h). An invocation has four queries and four keys; beyond the last ones it computes those again.
 */
export const pointLogitsKernel: (structure: PointLogitsStructure) => Kernel = kernelFamily(
  ({ channelVectors, pointVectors, masked, rowVectors }: PointLogitsStructure) => ({
    name: "pointLogits",
    bindings: {
      q: type(channelVectors), // [m, n, channels]
      k: type(channelVectors),
      qPoints: type(pointVectors), // [m, n, coordinates]
      kPoints: type(pointVectors),
      weights: "read f32", // [heads]
      bias: rowVectors ? "read vec4f" : "read f32", // [m, n, n]
      ...(masked && { mask: "read f32" as const }), // [batch, n]
      logits: rowVectors ? "write vec4f" : "write f32", // [m, n, n]
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
    turns: ({ channels, coordinates }) => channels + coordinates + 2 + (rowVectors ? 0 : TILE * (TILE + 1)),
    body: `
if (index < u.count) {
  let firstKey = index % u.blocks * ${TILE}u;
  let firstQuery = index / u.blocks % u.blocks * ${TILE}u;
  let m = index / u.blocks / u.blocks;
  let matrix = m + u.first;
  ${each((t) => `let i${t} = m * u.n + min(firstQuery + ${t}u, u.n - 1u);`)}
  ${each((t) => `let j${t} = m * u.n + min(firstKey + ${t}u, u.n - 1u);`)}
  ${each((t) => `var products${t} = vec4f(0.0); var squares${t} = vec4f(0.0);`)}
  for (var c = 0u; c < u.channels; c++) {
    ${each((k) => `let key${k} = ${reader(channelVectors, "k", `j${k} * u.channels + c`)};`)}
    ${
      each((t) =>
        `{ let query = ${reader(channelVectors, "q", `i${t} * u.channels + c`)}; products${t} += vec4f(${
          keys((k) => product(channelVectors, "query", `key${k}`))
        }); }`
      )
    }
  }
  for (var c = 0u; c < u.coordinates; c++) {
    ${each((k) => `let key${k} = ${reader(pointVectors, "kPoints", `j${k} * u.coordinates + c`)};`)}
    ${
      each((t) =>
        `{ let query = ${reader(pointVectors, "qPoints", `i${t} * u.coordinates + c`)}; ${
          keys((k) => `let x${k} = query - key${k};`).replaceAll(",", "")
        } squares${t} += vec4f(${keys((k) => product(pointVectors, `x${k}`, `x${k}`))}); }`
      )
    }
  }
  let weight = 0.5 * weights[matrix % u.heads];
  ${
      masked
        ? `let own = matrix / u.heads * u.n;
  let keyMask = vec4f(${keys((k) => `mask[own + j${k} - m * u.n]`)});`
        : ""
    }
  ${
      each((t) =>
        `if (firstQuery + ${t}u < u.n) {
    let v = u.scale * products${t} - weight * squares${t}${
          masked ? ` + u.inf * (mask[own + i${t} - m * u.n] * keyMask - 1.0)` : ""
        };
    ${
          rowVectors
            ? `let at = (i${t} * u.n + firstKey) / 4u; logits[at] = v + bias[at];`
            : `for (var k = 0u; k < min(4u, u.n - firstKey); k++) {
      let at = i${t} * u.n + firstKey + k;
      logits[at] = v[k] + bias[at];
    }`
        }
  }`
      )
    }
}`,
  }),
  pointLogitsProbes,
);

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
    turns: ({ n }) => n + 1,
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
  pointGradientProbes,
);
