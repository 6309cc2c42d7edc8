/**
 * Calls of every op, there and back, of sizes that differ in what kernels' structures look at: odd, whole vec4s, 1, few
 * and many. They run on devices that compute nothing.
 */
import {
  type Device,
  type Dtype,
  isVisible,
  Key,
  leaves,
  pullback,
  type Shape,
  sizeOf,
  type Tensor,
  type Tree,
} from "../../core/mod.ts";
import * as ops from "../../ops/mod.ts";

/** Runs the calls of an op. */
type Call = (device: Device) => void;

type Inputs = Readonly<Record<string, Tensor>>;
type Shapes = Readonly<Record<string, Shape>>;

/** More windows than this of one tensor have no kernels that fewer do not have. */
const WINDOWS = 8;

/** There alone, of inputs of the types given, else f32; none that a kernel does not see whole are of 16 bits. */
function there(device: Device, shapes: Shapes, dtypes: Readonly<Record<string, Dtype>>, run: Run): void {
  if (isHuge(device, shapes)) return;
  attempt(device, () => {
    const inputs = inputsOf(device, shapes, dtypes);
    if (Object.values(inputs).every((x) => x.dtype !== "f16" || isVisible(x))) run(inputs);
  });
}

/** There alone, and there and back with a gradient for every input; with 16-bit intermediates, there alone. */
function both(device: Device, shapes: Shapes, run: Run): void {
  there(device, shapes, {}, run);
  if (device.intermediates === "f16" || isHuge(device, shapes)) return;
  attempt(device, () => {
    const back = pullback(device, run, inputsOf(device, shapes, {}));
    back.pullLeaves(leaves<Tensor>(back.output).map(({ shape }) => device.empty(shape)));
  });
}

type Run = (inputs: Inputs) => Tree<Tensor>;

function isHuge({ traits }: Device, shapes: Shapes): boolean {
  return Math.max(...Object.values(shapes).map(sizeOf)) * 4 > WINDOWS * traits.maxBindingBytes;
}

function inputsOf(device: Device, shapes: Shapes, dtypes: Readonly<Record<string, Dtype>>): Inputs {
  const made = Object.entries(shapes).map(([name, shape]) => [name, device.empty(shape, dtypes[name])]);
  return Object.fromEntries(made);
}

/** Runs a call in a scope; what is refused because a device lets kernels see too little is passed over. */
function attempt(device: Device, call: () => unknown): void {
  using scope = device.scope("call");
  void scope;
  try {
    call();
  } catch (error) {
    if (!(error instanceof RangeError && /maxStorageBufferBindingSize/.test(error.message))) throw error;
  }
}

/** Shapes of which rows are odd, whole vec4s, single numbers, long; and many rows. */
const SHAPES: readonly Shape[] = [
  [],
  [1],
  [5],
  [8],
  [13, 7],
  [13, 8],
  [3, 1],
  [6, 260],
  [5, 517],
  [3, 5, 7],
  [4, 6, 12],
  [2, 3, 5, 7],
  [2, 3, 4, 8],
  [70_001, 3],
  [70_001, 8],
  [2, 70_001],
];

function unary(run: (x: Tensor) => Tensor): Call {
  return (device) => SHAPES.forEach((x) => both(device, { x }, ({ x }) => run(x)));
}

/** Pairs of shapes that broadcast in every way: none, rows, columns, both, a number, more axes. */
const PAIRS: readonly (readonly [Shape, Shape])[] = [
  ...SHAPES.map((shape) => [shape, shape] as const),
  [[13, 7], [7]],
  [[13, 8], [8]],
  [[13, 8], [13, 1]],
  [[13, 7], [13, 1]],
  [[1, 8], [13, 1]],
  [[13, 7], []],
  [[2, 3, 5, 7], [3, 1, 7]],
  [[2, 3, 4, 8], [2, 1, 4, 1]],
  [[4, 6, 12], [4, 1, 12]],
  [[1, 6, 1], [4, 1, 12]],
  [[70_001, 8], [8]],
];

function binary(run: (x: Tensor, y: Tensor) => Tensor): Call {
  return (device) => PAIRS.forEach(([x, y]) => both(device, { x, y }, ({ x, y }) => run(x, y)));
}

function reduction(run: (x: Tensor, options: ops.ReduceOptions) => Tensor): Call {
  return (device) => {
    for (const x of SHAPES) {
      for (const axes of [undefined, ...x.map((_, axis) => [axis]), ...(x.length > 2 ? [[0, 2], [0, 1]] : [])]) {
        both(device, { x }, ({ x }) => run(x, { axes }));
      }
    }
  };
}

/** Every way to pick some of these. */
function subsets<T extends string>(...names: readonly T[]): ReadonlySet<T>[] {
  return Array.from({ length: 2 ** names.length }, (_, bits) => new Set(names.filter((_, i) => bits & (1 << i))));
}

/** The shapes of those that were picked. */
function picked<T extends string>(chosen: ReadonlySet<T>, shapes: Readonly<Record<T, Shape>>): Record<string, Shape> {
  return Object.fromEntries(Object.entries<Shape>(shapes).filter(([name]) => chosen.has(name as T)));
}

function loss(run: (inputs: Inputs) => Tensor, rowMask: boolean): Call {
  return (device) => {
    for (const shape of SHAPES.filter(({ length }) => length > 0)) {
      for (const chosen of subsets("mask")) {
        const mask = picked(chosen, { mask: rowMask ? shape.slice(0, -1) : shape });
        both(device, { prediction: shape, target: shape, ...mask }, run);
      }
    }
  };
}

/** Sizes of products [m, k] · [k, n]. */
const PRODUCTS: readonly (readonly [m: number, k: number, n: number])[] = [
  [1, 1, 1],
  [5, 7, 3],
  [13, 8, 12],
  [12, 7, 8],
  [8, 12, 7],
  [33, 20, 36],
  [64, 128, 256],
  [300, 129, 140],
  [20, 4100, 24],
  [21, 4099, 23],
  [70_001, 12, 20],
];

const matmul: Call = (device) => {
  for (const [m, k, n] of PRODUCTS) {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const a = transposeA ? [k, m] : [m, k], b = transposeB ? [n, k] : [k, n];
        const run = ({ a, b }: Inputs) => ops.matmul(a, b, { transposeA, transposeB });
        both(device, { a, b }, run);
        if (m > 1000) continue;
        both(device, { a: [2, 3, ...a], b: [2, 3, ...b] }, run);
        both(device, { a: [2, 3, ...a], b: [2, 1, ...b] }, run);
        both(device, { a, b: [3, ...b] }, run);
      }
    }
  }
  for (const [m, k, n] of PRODUCTS) {
    there(device, { a: [m, 4 * k], b: [4 * k, 4 * n] }, { a: "f16" }, ({ a, b }) => ops.matmul(a, b));
  }
};

const linear: Call = (device) => {
  for (const [m, k, n] of PRODUCTS) {
    const shapes = { weight: [n, k], bias: [n], gate: [m, n], residual: [m, n] };
    for (const activation of ["none", "relu", "gelu", "sigmoid"] as const) {
      const choices = activation === "none" ? subsets("bias", "gate", "residual") : subsets("bias");
      for (const chosen of choices) {
        for (const intermediate of [false, true]) {
          const { weight } = shapes;
          both(
            device,
            { x: [m, k], weight, ...picked(new Set<string>(chosen), shapes) },
            ({ x, weight, bias, gate, residual }) =>
              ops.linear(x, { weight, bias }, { activation, gate, residual, intermediate }),
          );
        }
      }
    }
  }
};

/** Ranks and sizes of adapters: of whole vec4s and of others. */
const ADAPTERS = [[8, 4, 8, 12], [13, 3, 7, 5], [1, 1, 1, 1], [3000, 8, 64, 128]] as const;

const mergedWeight: Call = (device) => {
  for (const [, r, k, n] of ADAPTERS) {
    for (const chosen of subsets("magnitude")) {
      const more = picked(new Set<string>(chosen), { magnitude: [n] });
      both(
        device,
        { weight: [n, k], down: [r, k], up: [n, r], ...more },
        ({ weight, down, up, magnitude }: Inputs) =>
          ops.mergedWeight({ weight, adapter: { down, up, scale: 2, magnitude } }),
      );
    }
  }
};

const packedLinear: Call = (device) => {
  for (const [m, r, k, n] of ADAPTERS) {
    const shapes = { x: [m, k], q: [n, k], v: [n, k], bias: [n], down: [r, k], up: [n, r] };
    both(
      device,
      shapes,
      ({ x, q, v, bias, down, up }: Inputs) =>
        ops.packedLinear(x, [{ weight: q, adapter: { down, up, scale: 2 } }, { weight: v, bias }]),
    );
    for (const more of [{}, { dropout: { rate: 0.5, key: [1, 2] as const } }]) {
      both(
        device,
        shapes,
        ({ x, q, bias, down, up }: Inputs) =>
          ops.linear(x, { weight: q, bias, adapter: { down, up, scale: 2, ...more } }, { activation: "gelu" }),
      );
    }
  }
};

const attention: Call = (device) => {
  const run = (length: number, channels: number, gated: boolean, chosen: ReadonlySet<"bias" | "mask">) => {
    for (const axis of [1, 2] as const) {
      const [i, j] = axis === 2 ? [3, length] : [length, 3];
      const qkv = [2, i, j, (gated ? 4 : 3) * 2 * channels];
      const more = picked(chosen, { bias: [2, 2, length, length], mask: [2, i, j] });
      const call = ({ qkv, bias, mask }: Inputs) => ops.attention({ qkv, bias, mask }, { heads: 2, axis, gated });
      both(device, { qkv, ...more }, call);
      if (length === 13) there(device, { qkv, ...more }, { qkv: "f16" }, call);
    }
  };
  // Of 1, 2 and 4 queries a lane, for every number of lanes; of all widths of heads; and every choice.
  const everything = new Set(["bias", "mask"] as const);
  for (const length of [1, 7, 13, 30, 50, 260]) run(length, 8, true, everything);
  for (const channels of [4, 12, 16, 32, 64]) run(260, channels, true, everything);
  for (const gated of [false, true]) for (const chosen of subsets("bias", "mask")) run(13, 4, gated, chosen);
  crossAttention(device);
  sparseAttention(device);
};

/** Blocks of which lanes have one query or several, of packed operands and of separate ones. */
const sparseAttention: Call = (device) => {
  const run = (block: number, channels: number, chosen: ReadonlySet<"gate" | "mask">) => {
    const layout = { block, rows: 2, columns: 2, visited: [[0, 1], [1]] };
    const q = [1, 2, 2 * block, 2 * channels], mask = q.slice(0, 3);
    const more = picked(chosen, { gate: q, mask });
    const options = { heads: 2, axis: 2, layout } as const;
    both(device, { q, k: q, v: q, ...more }, ({ q, k, v, ...more }) => ops.attention({ q, k, v, ...more }, options));
    const packed = { qkv: [...mask, 6 * channels], ...(chosen.has("mask") && { mask }) };
    if (!chosen.has("gate")) both(device, packed, ({ qkv, mask }) => ops.attention({ qkv, mask }, options));
  };
  for (const block of [16, 40, 70]) run(block, 8, new Set(["gate", "mask"] as const));
  for (const chosen of subsets("gate", "mask")) run(16, 4, chosen);
  for (const channels of [32, 64]) run(16, channels, new Set(["mask"] as const));
  run(16, 64, new Set(["gate"] as const)); // lanes have channels of values
};

/** Queries and keys of their own: so few that lanes read theirs by themselves, and more; of one axis or two. */
const crossAttention: Call = (device) => {
  const run = (queries: number, keys: number, channels: number, chosen: ReadonlySet<"gate" | "bias" | "mask">) => {
    const q = [2, 3, queries, 2 * channels], k = [2, keys, 3, 2 * channels];
    const more = picked(chosen, { gate: q, bias: [2, 2, queries, keys], mask: [2, keys, 3] });
    const call = ({ q, k, v, ...more }: Inputs) =>
      ops.attention({ q, k, v, ...more }, { heads: 2, axis: 2, keyAxis: 1 });
    both(device, { q, k, v: k, ...more }, call);
    for (const tracked of ["q", "k", "v"]) {
      const others = inputsOf(device, { q, k, v: k, ...more }, {});
      both(device, { [tracked]: tracked === "q" ? q : k }, (given) => call({ ...others, ...given }));
      Object.values(others).forEach((other) => other.dispose());
    }
  };
  const everything = new Set(["gate", "bias", "mask"] as const);
  for (const [queries, keys] of [[1, 4], [7, 13], [13, 50], [50, 7], [50, 70], [260, 33]]) {
    run(queries, keys, 8, everything);
  }
  for (const channels of [4, 16, 32, 64]) for (const keys of [5, 70]) run(9, keys, channels, everything);
  for (const chosen of subsets("gate", "bias", "mask")) for (const keys of [5, 70]) run(9, keys, 4, chosen);
};

const triangle: Call = (device) => {
  for (const [n, c] of [[1, 1], [5, 3], [9, 4], [17, 8], [33, 13], [40, 32], [70, 128]]) {
    for (const direction of ["outgoing", "incoming"] as const) {
      const shape = [2, n, n, c];
      both(device, { a: shape, b: shape }, ({ a, b }) => ops.triangleProduct({ a, b }, { direction }));
    }
  }
};

const gatedTriangle: Call = (device) => {
  for (const [n, c] of [[1, 1], [5, 3], [9, 4], [17, 8], [33, 13], [40, 32], [70, 128]]) {
    for (const direction of ["outgoing", "incoming"] as const) {
      for (const chosen of subsets("mask")) {
        const shapes = { packed: [2, n, n, 4 * c], ...picked(chosen, { mask: [2, n, n] }) };
        const call = ({ packed, mask }: Inputs) => ops.gatedTriangleProduct({ packed, mask }, { direction });
        both(device, shapes, call);
        if (c % 4 === 0) there(device, shapes, { packed: "f16" }, call); // 16-bit floats come in whole vec4s
      }
    }
  }
};

/** Blocks of an edge, put into the whole one or by themselves, and products of them; less than a tile of rows, and more. */
const triangleBlocks: Call = (device) => {
  for (const [n, c] of [[9, 4], [40, 32], [70, 128]]) {
    for (const direction of ["outgoing", "incoming"] as const) {
      for (const rows of [5, Math.min(n, 32)]) {
        for (const chosen of subsets("mask")) {
          for (const dtype of ["f32", "f16"] as const) {
            const shape = (...last: number[]) =>
              direction === "outgoing" ? [1, rows, n, ...last] : [1, n, rows, ...last];
            const shapes = { packed: shape(2 * c), ...picked(chosen, { mask: shape() }) };
            there(device, shapes, { packed: dtype }, ({ packed, mask }) => {
              const edge = ops.triangleEdge(device, { n, c, direction, dtype, mask: !!mask });
              if (!edge) return [];
              ops.gateTriangleEdge(packed, mask, edge, 0);
              const block = ops.gateTriangleEdge(packed, mask, edge);
              return [ops.triangleProductOf(block, edge), ops.triangleProductOf(edge, block)];
            });
          }
        }
      }
    }
  }
};

const PART = { axis: 1, from: 1, to: 3 };

const layerNormOfPart: Call = (device) => {
  for (const width of [5, 8, 64]) {
    for (const chosen of subsets("gamma", "beta")) {
      for (const dtype of ["f32", "f16"] as const) {
        if (dtype === "f16" && width % 4) continue;
        const shapes = { x: [2, 4, 3, width], ...picked(chosen, { gamma: [width], beta: [width] }) };
        there(device, shapes, { x: dtype }, ({ x, gamma, beta }) => ops.layerNormOfPart(x, PART, { gamma, beta }));
      }
    }
  }
};

const linearInto: Call = (device) => {
  for (const [k, n] of [[5, 7], [5, 8], [8, 16], [64, 128]]) {
    const out = [2, 4, 50, n], part = [2, 2, 50];
    for (const chosen of subsets("bias", "gate", "factor")) {
      for (const onTop of [false, true]) {
        for (const dtype of ["f32", "f16"] as const) {
          if (dtype === "f16" && n % 4) continue;
          const more = picked(chosen, { bias: [n], gate: [...part, n], factor: part });
          there(
            device,
            { x: [...part, k], weight: [n, k], out, ...more },
            { out: dtype },
            ({ x, weight, bias, gate, factor, out }) => {
              ops.linearInto(x, { weight, bias }, out, PART, { gate, factor, onTop });
              return out;
            },
          );
        }
      }
    }
  }
};

const readPart: Call = (device) => there(device, { x: [2, 4, 3] }, {}, ({ x }) => ops.readPart(x, PART));

const writePart: Call = (device) =>
  there(device, { x: [2, 2, 3], out: [2, 4, 3] }, {}, ({ x, out }) => {
    ops.writePart(x, out, PART);
    return out;
  });

const outerProductMean: Call = (device) => {
  for (const nSeq of [1, 5, 16, 130]) {
    for (
      const [nI, nJ, cA, cB, cOut] of [[1, 1, 1, 1, 1], [7, 9, 3, 5, 11], [12, 12, 8, 8, 16], [30, 33, 32, 32, 128]]
    ) {
      for (const chosen of subsets("bias", "residual")) {
        both(
          device,
          {
            ...{ a: [2, nSeq, nI, cA], b: [2, nSeq, nJ, cB], weight: [cOut, cA * cB] },
            ...picked(chosen, { bias: [cOut], residual: [2, nI, nJ, cOut] }),
          },
          ({ a, b, weight, bias, residual }) => ops.outerProductMean({ a, b, weight, bias, residual }),
        );
        for (const consume of [false, true]) {
          for (const dtype of ["f32", "f16"] as const) {
            if (dtype === "f16" && cOut % 4) continue;
            there(
              device,
              {
                ...{ a: [2, nSeq, nI, cA], b: [2, nSeq, nJ, cB], weight: [cOut, cA * cB] },
                ...picked(chosen, { bias: [cOut], residual: [2, nI, nJ, cOut] }),
                factor: [2, nI, nJ],
              },
              { ...(chosen.has("residual") && { residual: dtype }) },
              ({ factor, ...inputs }) =>
                ops.outerProductMean(inputs as ops.OuterProductMeanInputs, { scale: 1, factor, consume }),
            );
          }
        }
      }
    }
  }
};

const layerNorm: Call = (device) => {
  for (const x of SHAPES.filter(({ length }) => length > 0)) {
    const width = x.at(-1)!;
    for (const chosen of subsets("gamma", "beta")) {
      both(
        device,
        { x, ...picked(chosen, { gamma: [width], beta: [width] }) },
        ({ x, gamma, beta }) => ops.layerNorm(x, { gamma, beta }),
      );
    }
  }
};

const softmax: Call = (device) => {
  for (const x of SHAPES) x.forEach((_, axis) => both(device, { x }, ({ x }) => ops.softmax(x, { axis })));
};

const dropout: Call = (device) => {
  for (const x of SHAPES) {
    for (const axes of [[], ...x.map((_, axis) => [axis])]) {
      both(device, { x }, ({ x }) => ops.dropout(x, { rate: 0.25, key: Key.fromSeed(1), axes }));
    }
  }
};

const geglu: Call = (device) => {
  for (const x of [[2], [8], [13, 6], [13, 16], [4, 6, 24], [70_001, 8], [2, 140_002]]) {
    both(device, { x }, ({ x }) => ops.geglu(x));
  }
};

const sigmoidGate: Call = (device) => {
  for (const x of SHAPES) {
    for (const chosen of subsets("residual")) {
      both(
        device,
        { x, gate: x, ...picked(chosen, { residual: x }) },
        ({ x, gate, residual }) => ops.sigmoidGate({ x, gate, residual }),
      );
    }
    for (const tracked of ["x", "gate"]) {
      const other = device.empty(x);
      both(
        device,
        { [tracked]: x },
        (inputs) => ops.sigmoidGate({ x: other, gate: other, ...inputs }),
      );
    }
  }
};

/** Copies are of numbers or vec4s, of either type, with one axis or several. */
const cast: Call = (device) => {
  for (const shape of [[], [5], [3, 8]]) {
    there(device, { x: shape }, {}, ({ x }) => ops.cast(x, "f16"));
    there(device, { x: shape }, { x: "f16" }, ({ x }) => ops.cast(x, "f32"));
    there(device, { x: shape }, {}, ({ x }) => ops.cast(ops.cast(x, "bf16"), "f32"));
  }
};

const permute: Call = (device) => {
  for (const x of SHAPES) {
    const orders = [x.map((_, axis) => x.length - 1 - axis)];
    if (x.length > 2) {
      orders.push([1, 0, ...x.map((_, axis) => axis).slice(2)], [
        0,
        2,
        1,
        ...x.map((_, axis) => axis).slice(3),
      ]);
    }
    for (const axes of orders) {
      const call = ({ x }: Inputs) => ops.permute(x, axes);
      both(device, { x }, call);
      there(device, { x }, { x: "i32" }, call);
      if (x.length && x.every((n) => n % 4 === 0)) there(device, { x }, { x: "f16" }, call);
    }
  }
};

const slice: Call = (device) => {
  for (const x of SHAPES) {
    for (const step of [1, 4]) {
      const begin = x.map((n) => Math.min(step, n - 1)), end = x.map((n, axis) => Math.max(begin[axis] + 1, n - step));
      const call = ({ x }: Inputs) => ops.slice(x, begin, end);
      both(device, { x }, call);
      there(device, { x }, { x: "i32" }, call);
    }
  }
  there(device, { x: [12, 16] }, { x: "f16" }, ({ x }) => ops.slice(x, [0, 4], [12, 12]));
};

const pad: Call = (device) => {
  for (const x of SHAPES) {
    for (const step of [1, 4]) {
      both(device, { x }, ({ x }) =>
        ops.pad(
          x,
          x.shape.map(() => step),
          x.shape.map(() => step),
        ));
    }
  }
};

const concat: Call = (device) => {
  for (const shape of SHAPES) {
    shape.forEach((_, axis) =>
      both(device, { x: shape, y: shape.with(axis, 3), z: shape }, ({ x, y, z }) => ops.concat([x, y, z], axis))
    );
  }
};

const split: Call = (device) => {
  for (const shape of SHAPES) {
    shape.forEach((n, axis) => both(device, { x: shape.with(axis, n + 3) }, ({ x }) => ops.split(x, [n, 3], axis)[1]));
  }
};

const TABLES: readonly (readonly [table: Shape, positions: Shape])[] = [
  [[21, 32], [13, 7]],
  [[7, 5], [11]],
  [[3], [5]],
  [[5, 3, 8], [2, 3]],
  [[21, 8], [70_001]],
];

const embedding: Call = (device) => {
  for (const [table, positions] of TABLES) {
    both(device, { table }, ({ table }) => ops.embedding(table, device.empty(positions, "i32")));
  }
};

const reorderRows: Call = (device) => {
  for (const [x] of TABLES) {
    const order = () => device.empty([x[0]], "i32");
    both(device, { x }, ({ x }) => ops.reorderRows(x, order(), order()));
  }
};

const oneHot: Call = (device) => {
  for (const [, x] of TABLES) there(device, { x }, { x: "i32" }, ({ x }) => ops.oneHot(x, 13));
};

const smallest: Call = (device) => {
  for (const x of SHAPES) {
    if (x.length < 2 || x.at(-1)! > 16_384) continue;
    there(device, { x }, {}, ({ x }) => ({ ...ops.smallest(x, Math.min(3, x.shape.at(-1)!)) }));
  }
};

const digitize: Call = (device) => {
  for (const x of SHAPES) there(device, { x }, {}, ({ x }) => ops.digitize(x, [-1, 2, 5]));
};

const distanceClasses: Call = (device) => {
  for (const chosen of subsets("marks", "groups")) {
    const shapes = { points: [2, 13, 3], ...picked(chosen, { marks: [2, 13], groups: [2, 13] }) };
    const whole = { groups: "i32" } as const;
    there(device, shapes, whole, ({ points, ...more }) => ops.distanceClasses(points, { bounds: [2, 4, 6], ...more }));
  }
};

const chainOffsetClasses: Call = (device) => {
  const shapes = { residues: [2, 13], chains: [2, 13], entities: [2, 13], copies: [2, 13] };
  const whole = { residues: "i32", chains: "i32", entities: "i32", copies: "i32" } as const;
  there(
    device,
    shapes,
    whole,
    ({ residues, chains, entities, copies }) =>
      ops.chainOffsetClasses({ residues, chains, entities, copies }, { residues: 32, copies: 2 }),
  );
};

const offsetClasses: Call = (device) =>
  there(device, { x: [2, 13] }, { x: "i32" }, ({ x }) => ops.offsetClasses(x, 32));

const pairEmbedding: Call = (device) => {
  const [batch, n] = [2, 13];
  const everything = new Set(["left", "right", "weights", "bias", "residual"] as const);
  for (const c of [5, 8]) {
    const shapes = {
      ...{ left: [batch, n, c], right: [batch, n, c], weights: [batch, n], bias: [c], residual: [batch, n, n, c] },
    };
    for (const chosen of c === 8 ? subsets(...everything) : [new Set<never>(), everything]) {
      both(
        device,
        { table: [7, c], ...picked(chosen, shapes) },
        ({ table, ...more }) => ops.pairEmbedding({ table, classes: device.empty([batch, n, n], "i32"), ...more }),
      );
    }
  }
};

/** Shapes whose rows some ops take whole. */
const SHORT_ROWS = SHAPES.filter((shape) => shape.length > 0 && shape.at(-1)! <= 2 ** 14);

const softmaxExpectation: Call = (device) => {
  for (const x of SHORT_ROWS) {
    for (const values of [x.slice(-1), [x.at(-2) ?? 1, x.at(-1)!]]) {
      both(device, { x }, ({ x }) => ops.softmaxExpectation(x, device.empty(values)));
    }
  }
};

const sparseCrossEntropy: Call = (device) => {
  for (const x of SHORT_ROWS) {
    both(device, { x }, ({ x }) => ops.sparseCrossEntropy(x, device.empty(x.shape.slice(0, -1), "i32")));
  }
};

const readRegion: Call = (device) => {
  for (const x of SHAPES) {
    for (const step of [1, 4]) {
      const begin = x.map((n) => Math.min(step, n - 1)),
        shape = x.map((n, axis) => Math.max(1, n - begin[axis] - step));
      for (const dtype of ["f32", "i32"] as const) {
        there(device, { x }, { x: dtype }, ({ x }) => ops.readRegion(x, begin, shape));
      }
    }
  }
};

const writeRegion: Call = (device) => {
  for (const x of SHAPES) {
    for (const step of [1, 4]) {
      const shapes = { x, out: x.map((n) => n + 2 * step) };
      for (const dtype of ["f32", "i32"] as const) {
        there(device, shapes, { x: dtype, out: dtype }, ({ x, out }) => {
          ops.writeRegion(x, out, x.shape.map(() => step));
          return out;
        });
      }
    }
  }
};

/** Axes before those of a frame, a point or a quaternion: none, the same ones, and ones that broadcast. */
const LEADING: readonly (readonly [Shape, Shape])[] = [
  [[], []],
  [[13, 7], [13, 7]],
  [[13, 1], [13, 7]],
  [[1, 7], [13, 1]],
  [[2, 3, 1, 5], [3, 4, 1]],
];

const FRAME = [3, 4], POINT = [3], QUATERNION = [4], UPDATE = [6];

/** Calls with items of these shapes, the leading axes of every second one being others. */
function rigid(items: Shapes, run: (inputs: Inputs) => Tensor): Call {
  return (device) => {
    for (const pair of LEADING) {
      const shapes = Object.entries(items).map(([name, item], i) => [name, [...pair[i % 2], ...item]]);
      both(device, Object.fromEntries(shapes), run);
    }
  };
}

const sumTo: Call = (device) =>
  PAIRS.forEach(([x, y]) => {
    const shape = y.length <= x.length && y.every((n, i) => n === 1 || n === x[i + x.length - y.length]) ? y : x;
    both(device, { x }, ({ x }) => ops.sumTo(x, shape));
  });

const broadcastTo: Call = (device) => {
  for (const [y, x] of PAIRS) {
    const wide = x.length <= y.length && x.every((n, i) => n === 1 || n === y[i + y.length - x.length]);
    if (wide) both(device, { x }, ({ x }) => ops.broadcastTo(x, y));
  }
};

const where: Call = (device) => {
  for (const [x, y] of PAIRS) both(device, { mask: x, x, y }, ({ mask, x, y }) => ops.where(mask, x, y));
};

/** The calls of every op that `ops/mod.ts` exports. */
export const CALLS: Readonly<Record<string, Call>> = {
  ...{
    abs: unary(ops.abs),
    exp: unary(ops.exp),
    gelu: unary(ops.gelu),
    log: unary(ops.log),
    negate: unary(ops.negate),
  },
  ...{ reciprocal: unary(ops.reciprocal), relu: unary(ops.relu), rsqrt: unary(ops.rsqrt), silu: unary(ops.silu) },
  ...{ sigmoid: unary(ops.sigmoid), softplus: unary(ops.softplus), sqrt: unary(ops.sqrt), square: unary(ops.square) },
  ...{ tanh: unary(ops.tanh), clamp: unary((x) => ops.clamp(x, -1, 1)) },
  ...{ addScalar: unary((x) => ops.addScalar(x, 2)), multiplyScalar: unary((x) => ops.multiplyScalar(x, 2)) },
  reshape: unary((x) => ops.square(ops.reshape(x, [x.size]))),
  transpose: (device) => SHAPES.forEach((x) => x.length > 1 && both(device, { x }, ({ x }) => ops.transpose(x))),
  ...{ sin: unary(ops.sin), cos: unary(ops.cos) },
  ...{ add: binary(ops.add), divide: binary(ops.divide), maximum: binary(ops.maximum), minimum: binary(ops.minimum) },
  ...{ multiply: binary(ops.multiply), pow: binary(ops.pow), subtract: binary(ops.subtract) },
  ...{ atan2: binary(ops.atan2), equal: binary(ops.equal) },
  ...{ greater: binary(ops.greater), greaterEqual: binary(ops.greaterEqual) },
  ...{ less: binary(ops.less), lessEqual: binary(ops.lessEqual) },
  where,
  ...{
    sum: reduction(ops.sum),
    mean: reduction(ops.mean),
    max: reduction(ops.max),
    min: reduction(ops.min),
    sumTo,
    broadcastTo,
  },
  ...{
    matmul,
    linear,
    mergedWeight,
    packedLinear,
    attention,
    triangleProduct: triangle,
    gatedTriangleProduct: gatedTriangle,
    ...{ triangleEdge: triangleBlocks, gateTriangleEdge: triangleBlocks, triangleProductOf: triangleBlocks },
    ...{ layerNormOfPart, linearInto, readPart, writePart },
    outerProductMean,
  },
  ...{
    layerNorm,
    softmax,
    dropout,
    geglu,
    sigmoidGate,
    cast,
    permute,
    slice,
    pad,
    concat,
    split,
    embedding,
    reorderRows,
    oneHot,
  },
  ...{ smallest },
  ...{ digitize, distanceClasses, offsetClasses, chainOffsetClasses, pairEmbedding, readRegion, writeRegion },
  ...{ softmaxExpectation, sparseCrossEntropy },
  composeFrames: rigid({ a: FRAME, b: FRAME }, ({ a, b }) => ops.composeFrames(a, b)),
  applyFrames: rigid({ a: FRAME, x: POINT }, ({ a, x }) => ops.applyFrames(a, x)),
  invertApplyFrames: rigid({ a: FRAME, x: POINT }, ({ a, x }) => ops.invertApplyFrames(a, x)),
  invertFrames: rigid({ a: FRAME }, ({ a }) => ops.invertFrames(a)),
  framesFromThreePoints: rigid({ a: POINT, b: POINT, c: POINT }, ({ a, b, c }) => ops.framesFromThreePoints(a, b, c)),
  framesFromQuaternions: rigid({ q: QUATERNION, x: POINT }, ({ q, x }) => ops.framesFromQuaternions(q, x)),
  framesFromMatrices: rigid({ a: [4, 4] }, ({ a }) => ops.framesFromMatrices(a)),
  framesFromSeven: rigid({ a: [7] }, ({ a }) => ops.framesFromSeven(a)),
  matricesFromFrames: rigid({ a: FRAME }, ({ a }) => ops.matricesFromFrames(a)),
  normalizeQuaternions: rigid({ q: QUATERNION }, ({ q }) => ops.normalizeQuaternions(q)),
  multiplyQuaternions: rigid({ a: QUATERNION, b: QUATERNION }, ({ a, b }) => ops.multiplyQuaternions(a, b)),
  updateQuaternions: rigid({ q: QUATERNION, u: UPDATE }, ({ q, u }) => ops.updateQuaternions(q, u)),
  updateTranslations: rigid(
    { x: POINT, q: QUATERNION, u: UPDATE },
    ({ x, q, u }) => ops.updateTranslations(x, q, u),
  ),
  meanSquaredError: loss(({ prediction, target, mask }) => ops.meanSquaredError(prediction, target, { mask }), false),
  huber: loss(({ prediction, target, mask }) => ops.huber(prediction, target, { mask }), false),
  crossEntropy: loss(({ prediction, target, mask }) => ops.crossEntropy(prediction, target, { mask }), true),
};
