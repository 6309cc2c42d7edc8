import { type BindingType, type KernelSource, unroll } from "../core/mod.ts";
import { coordinatesWgsl, placeWgsl } from "./_strides.ts";

/** What one item of a tensor of frames, points, … is. */
export type FrameItem = "frame" | "point" | "quaternion" | "update";

/** How an item lies in memory, and what it is in WGSL. */
interface ItemSource {
  /** Last axes of the tensor. */
  readonly shape: readonly number[];
  /** Type in WGSL. */
  readonly type: string;
  /** What is bound. */
  readonly element: "f32" | "vec4f";
  /** Elements bound of one item. */
  readonly width: number;
  /** The item that begins at element `at` of the array `name`. */
  load(name: string, at: string): string;
  /** Statements that store `value` there. */
  store(name: string, at: string, value: string): string;
}

const numbers = (count: number, name: string, at: string) =>
  Array.from({ length: count }, (_, i) => `${name}[${at} + ${i}u]`).join(", ");

/** Every kind of item. A frame is three rows of a rotation's row and a coordinate of the translation: whole vec4s. */
export const FRAME_ITEMS: Readonly<Record<FrameItem, ItemSource>> = {
  frame: {
    shape: [3, 4],
    type: "Frame",
    element: "vec4f",
    width: 3,
    load: (name, at) => `transpose(mat3x4f(${numbers(3, name, at)}))`,
    store: (name, at, value) =>
      `let rows = transpose(${value});\n${unroll(3, (i) => `${name}[${at} + ${i}u] = rows[${i}];`)}`,
  },
  point: {
    shape: [3],
    type: "vec3f",
    element: "f32",
    width: 3,
    load: (name, at) => `vec3f(${numbers(3, name, at)})`,
    store: (name, at, value) => `let v = ${value};\n${unroll(3, (i) => `${name}[${at} + ${i}u] = v[${i}];`)}`,
  },
  quaternion: {
    shape: [4],
    type: "vec4f",
    element: "vec4f",
    width: 1,
    load: (name, at) => `${name}[${at}]`,
    store: (name, at, value) => `${name}[${at}] = ${value};`,
  },
  update: {
    shape: [6],
    type: "Update",
    element: "f32",
    width: 6,
    load: (name, at) => `Update(vec3f(${numbers(3, name, at)}), vec3f(${numbers(3, name, `${at} + 3u`)}))`,
    store: (name, at, value) =>
      `let v = ${value};\n` +
      unroll(3, (i) => `${name}[${at} + ${i}u] = v.turn[${i}]; ${name}[${at} + ${i + 3}u] = v.shift[${i}];`),
  },
};

/** An op on every item of some tensors, and its derivative. */
export interface FrameOpSource {
  /** Its tensors, and what their items are. */
  readonly inputs: Readonly<Record<string, FrameItem>>;
  readonly output: FrameItem;
  /** Numbers it takes, read as `u.NAME`. */
  readonly parameters?: readonly string[];
  /** WGSL formula of the inputs. */
  readonly forward: string;
  /** Operations of that formula for an item; each gradient takes about twice as many. */
  readonly operations: number;
  /** Formula of each input's gradient from that of the output (`d`) and the inputs. */
  readonly gradients: Readonly<Record<string, string>>;
}

/**
 * WGSL of frames: `f` is a matrix of four columns, the three axes and the origin, so that `f * vec4f(p, 1)` applies it
 * and `v * f` turns a vector back.
 */
export const FRAME_WGSL: string = `
alias Frame = mat4x3f;
struct Update { turn: vec3f, shift: vec3f }

fn applied(f: Frame, p: vec3f) -> vec3f { return f * vec4f(p, 1.0); }
fn turned(f: Frame, v: vec3f) -> vec3f { return f * vec4f(v, 0.0); }
fn turnedBack(f: Frame, v: vec3f) -> vec3f { return (v * f).xyz; }
fn seenFrom(f: Frame, p: vec3f) -> vec3f { return turnedBack(f, p - f[3]); }
fn outer(d: vec3f, v: vec3f, origin: vec3f) -> Frame { return Frame(d * v.x, d * v.y, d * v.z, origin); }

fn composed(a: Frame, b: Frame) -> Frame {
  return Frame(turned(a, b[0]), turned(a, b[1]), turned(a, b[2]), applied(a, b[3]));
}
fn composedFirst(b: Frame, d: Frame) -> Frame {
  let turns = outer(d[3], b[3], d[3]);
  return turns + outer(d[0], b[0], vec3f()) + outer(d[1], b[1], vec3f()) + outer(d[2], b[2], vec3f());
}
fn composedSecond(a: Frame, d: Frame) -> Frame {
  return Frame(turnedBack(a, d[0]), turnedBack(a, d[1]), turnedBack(a, d[2]), turnedBack(a, d[3]));
}
fn inverted(f: Frame) -> Frame {
  let rows = transpose(f);
  return Frame(rows[0].xyz, rows[1].xyz, rows[2].xyz, -turnedBack(f, f[3]));
}
fn invertedBack(f: Frame, d: Frame) -> Frame {
  let rows = transpose(d);
  return Frame(rows[0].xyz, rows[1].xyz, rows[2].xyz, -turned(f, d[3])) - outer(f[3], d[3], vec3f());
}

fn unitGradient(unit: vec3f, length: f32, d: vec3f) -> vec3f { return (d - unit * dot(unit, d)) / length; }

// Jumper et al. (2021), Suppl. Alg. 21; the x axis points to x3 or, with sign -1, away from it.
struct Axes { e1: vec3f, e2: vec3f, n1: f32, n2: f32, along: f32 }
fn axesOf(x1: vec3f, x2: vec3f, x3: vec3f, sign: f32, eps: f32) -> Axes {
  let v1 = sign * (x3 - x2);
  let n1 = sqrt(dot(v1, v1) + eps);
  let e1 = v1 / n1;
  let v2 = x1 - x2;
  let along = dot(e1, v2);
  let u2 = v2 - e1 * along;
  let n2 = sqrt(dot(u2, u2) + eps);
  return Axes(e1, u2 / n2, n1, n2, along);
}
fn fromPoints(x1: vec3f, x2: vec3f, x3: vec3f, sign: f32, eps: f32) -> Frame {
  let a = axesOf(x1, x2, x3, sign, eps);
  return Frame(a.e1, a.e2, cross(a.e1, a.e2), x2);
}
// Gradients of v2 and of v1.
struct ArmGradients { second: vec3f, first: vec3f }
fn armGradients(x1: vec3f, x2: vec3f, x3: vec3f, sign: f32, eps: f32, d: Frame) -> ArmGradients {
  let a = axesOf(x1, x2, x3, sign, eps);
  let du = unitGradient(a.e2, a.n2, d[1] + cross(d[2], a.e1));
  let back = dot(a.e1, du);
  let d1 = d[0] + cross(a.e2, d[2]) - a.along * du - (x1 - x2) * back;
  return ArmGradients(du - a.e1 * back, sign * unitGradient(a.e1, a.n1, d1));
}
fn originGradient(arms: ArmGradients, d: vec3f) -> vec3f { return d - arms.second - arms.first; }

// Quaternions are (w, x, y, z).
fn product(a: vec4f, b: vec4f) -> vec4f {
  return vec4f(a.x * b.x - dot(a.yzw, b.yzw), a.x * b.yzw + b.x * a.yzw + cross(a.yzw, b.yzw));
}
fn conjugate(q: vec4f) -> vec4f { return vec4f(q.x, -q.yzw); }
fn normalized(q: vec4f) -> vec4f { return q / sqrt(dot(q, q)); }
fn normalizedBack(q: vec4f, d: vec4f) -> vec4f {
  let length = sqrt(dot(q, q));
  let unit = q / length;
  return (d - unit * dot(unit, d)) / length;
}
fn rotation(q: vec4f, origin: vec3f) -> Frame {
  let s = q * q;
  let xy = q.y * q.z; let xz = q.y * q.w; let yz = q.z * q.w;
  let wx = q.x * q.y; let wy = q.x * q.z; let wz = q.x * q.w;
  return Frame(
    vec3f(s.x + s.y - s.z - s.w, 2.0 * (xy + wz), 2.0 * (xz - wy)),
    vec3f(2.0 * (xy - wz), s.x - s.y + s.z - s.w, 2.0 * (yz + wx)),
    vec3f(2.0 * (xz + wy), 2.0 * (yz - wx), s.x - s.y - s.z + s.w),
    origin,
  );
}
fn rotationBack(q: vec4f, d: Frame) -> vec4f {
  let skew = vec3f(d[1].z - d[2].y, d[2].x - d[0].z, d[0].y - d[1].x);
  let xy = d[0].y + d[1].x; let xz = d[0].z + d[2].x; let yz = d[1].z + d[2].y;
  return 2.0 * vec4f(
    q.x * (d[0].x + d[1].y + d[2].z) + dot(q.yzw, skew),
    q.y * (d[0].x - d[1].y - d[2].z) + q.x * skew.x + q.z * xy + q.w * xz,
    q.z * (d[1].y - d[0].x - d[2].z) + q.x * skew.y + q.y * xy + q.w * yz,
    q.w * (d[2].z - d[0].x - d[1].y) + q.x * skew.z + q.y * xz + q.z * yz,
  );
}
fn stepped(q: vec4f, update: Update) -> vec4f { return product(q, vec4f(1.0, update.turn)); }
`;

function table<K extends string>(sources: Record<K, FrameOpSource>): Readonly<Record<K, FrameOpSource>> {
  return sources;
}

const ARMS = "armGradients(x1, x2, x3, u.sign, u.eps, d)";

/** Every op on frames, by name. */
export const FRAME_OPS = table({
  composeFrames: {
    inputs: { a: "frame", b: "frame" },
    output: "frame",
    forward: "composed(a, b)",
    operations: 63,
    gradients: { a: "composedFirst(b, d)", b: "composedSecond(a, d)" },
  },
  applyFrames: {
    inputs: { frames: "frame", points: "point" },
    output: "point",
    forward: "applied(frames, points)",
    operations: 18,
    gradients: { frames: "outer(d, points, d)", points: "turnedBack(frames, d)" },
  },
  invertApplyFrames: {
    inputs: { frames: "frame", points: "point" },
    output: "point",
    forward: "seenFrom(frames, points)",
    operations: 18,
    gradients: { frames: "outer(points - frames[3], d, -turned(frames, d))", points: "turned(frames, d)" },
  },
  invertFrames: {
    inputs: { frames: "frame" },
    output: "frame",
    forward: "inverted(frames)",
    operations: 18,
    gradients: { frames: "invertedBack(frames, d)" },
  },
  framesFromThreePoints: {
    inputs: { x1: "point", x2: "point", x3: "point" },
    output: "frame",
    parameters: ["sign", "eps"],
    forward: "fromPoints(x1, x2, x3, u.sign, u.eps)",
    operations: 45,
    gradients: { x1: `${ARMS}.second`, x2: `originGradient(${ARMS}, d[3])`, x3: `${ARMS}.first` },
  },
  framesFromQuaternions: {
    inputs: { quaternions: "quaternion", translations: "point" },
    output: "frame",
    forward: "rotation(quaternions, translations)",
    operations: 30,
    gradients: { quaternions: "rotationBack(quaternions, d)", translations: "d[3]" },
  },
  normalizeQuaternions: {
    inputs: { quaternions: "quaternion" },
    output: "quaternion",
    forward: "normalized(quaternions)",
    operations: 12,
    gradients: { quaternions: "normalizedBack(quaternions, d)" },
  },
  multiplyQuaternions: {
    inputs: { a: "quaternion", b: "quaternion" },
    output: "quaternion",
    forward: "product(a, b)",
    operations: 28,
    gradients: { a: "product(d, conjugate(b))", b: "product(conjugate(a), d)" },
  },
  updateQuaternions: {
    inputs: { quaternions: "quaternion", updates: "update" },
    output: "quaternion",
    forward: "normalized(stepped(quaternions, updates))",
    operations: 40,
    gradients: {
      quaternions: "product(normalizedBack(stepped(quaternions, updates), d), conjugate(vec4f(1.0, updates.turn)))",
      updates: "Update(product(conjugate(quaternions), normalizedBack(stepped(quaternions, updates), d)).yzw, vec3f())",
    },
  },
  updateTranslations: {
    inputs: { translations: "point", quaternions: "quaternion", updates: "update" },
    output: "point",
    forward: "translations + turned(rotation(quaternions, vec3f()), updates.shift)",
    operations: 45,
    gradients: {
      translations: "d",
      quaternions: "rotationBack(quaternions, outer(d, updates.shift, vec3f()))",
      updates: "Update(vec3f(), turnedBack(rotation(quaternions, vec3f()), d))",
    },
  },
});

/** What the text of a frame kernel depends on. */
export interface FrameKernelStructure {
  readonly name: string;
  readonly args: readonly (readonly [name: string, item: FrameItem])[];
  readonly output: FrameItem;
  readonly parameters: readonly string[];
  readonly expression: string;
  /** Axes that are walked. */
  readonly rank: number;
}

/** A formula applied to every item: an invocation each. */
export function frameKernel(
  { name, args, output, parameters, expression, rank }: FrameKernelStructure,
): KernelSource {
  const bindings: Record<string, BindingType> = {};
  for (const [arg, item] of args) bindings[`${arg}_items`] = `read ${FRAME_ITEMS[item].element}`;
  const { element, width, store } = FRAME_ITEMS[output];
  bindings.result = `write ${element}`;
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  const names = [
    ...axes.map((axis) => `s${axis}`),
    ...args.flatMap(([arg]) => axes.map((axis) => `${arg}${axis}`)),
  ];
  return {
    name,
    bindings,
    uniforms: {
      n: "u32",
      ...Object.fromEntries(names.map((name) => [name, "u32" as const])),
      ...Object.fromEntries(parameters.map((name) => [name, "f32" as const])),
    },
    declarations: FRAME_WGSL,
    body: `
if (index < u.n) {
${coordinatesWgsl(rank)}
${
      args.map(([arg, item]) => {
        const { load, width } = FRAME_ITEMS[item];
        return `let ${arg}At = (${placeWgsl(arg, rank)}) * ${width}u;\nlet ${arg} = ${
          load(`${arg}_items`, `${arg}At`)
        };`;
      }).join("\n")
    }
let at = index * ${width}u;
${store("result", "at", expression)}
}`,
  };
}
