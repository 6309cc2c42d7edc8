import type { MatrixUnits } from "./adapter.ts";
import type { Probe } from "./probe.ts";

/** A scalar that travels in a kernel's uniform block. */
export type UniformType = "u32" | "i32" | "f32";

/**
 * How a kernel sees one of its tensors: access, then element type. `read` and `write` bind an array of that name.
 * `load vec4f` declares a function `NAME_at(i: u32) -> vec4f` instead: the fast way to read much, since the device may
 * serve it from a texture (lavapipe loads a vec4 five times faster from a storage texture than from a buffer). `gather
 * vec4f` declares the same, served from the tensor itself: for little of much, of which a texture would be a copy.
 * `store vec4f` declares `NAME_put(i: u32, v: vec4f)`; `update vec4f` declares both, for what is changed where it stands.
 * What is loaded and stored in these ways may be a tensor of 16-bit floats: the kernel computes in f32 all the same.
 */
export type BindingType =
  | `${"read" | "write"} ${"f32" | "vec4f" | "u32" | "i32"}`
  | `${"load" | "gather" | "store" | "update"} vec4f`;

/** Whether a kernel writes what is bound. */
export function isWritten(type: BindingType): boolean {
  return type.startsWith("write") || type.startsWith("store") || type.startsWith("update");
}

/** Whether what is bound may be a tensor of 16-bit floats. */
export function mayBeHalf(type: BindingType): boolean {
  return !type.startsWith("read") && !type.startsWith("write");
}

/** Texels in a row of a texture that mirrors a tensor. */
export const TEXTURE_WIDTH = 1024;

/** What the text of a kernel depends on besides its source. */
export interface TextOptions {
  /** Serve `load` bindings from textures. */
  readonly textures: boolean;
  /** Write `enable subgroups;`. */
  readonly enableSubgroups: boolean;
  /** Names of the bindings that are tensors of 16-bit floats. @default none */
  readonly halves?: readonly string[];
}

/**
 * Turns after which lavapipe ends the loops of an invocation, all together, without a word (LP_MAX_TGSI_LOOP_ITERATIONS
 * in Mesa's lp_bld_limits.h). The test that ends a loop counts as one: a loop inside another takes its turns and one more
 * each time.
 */
export const MOST_TURNS = 65_535;

/** What a kernel is made of. Sizes never stand in the text: they travel in `uniforms`. */
export interface KernelSource {
  /** Name for profiles and errors; part of the text as a comment. */
  readonly name: string;
  /** Buffers by name, in binding order; the name is the WGSL variable, an array of the element type. */
  readonly bindings: Readonly<Record<string, BindingType>>;
  /** Scalars by name, read in WGSL as `u.NAME`. */
  readonly uniforms?: Readonly<Record<string, UniformType>>;
  /** Invocations of a workgroup, along x. @default 64 */
  readonly workgroupSize?: number;
  /** Whether the body uses subgroup built-ins. @default false */
  readonly subgroups?: boolean;
  /**
   * Matrix units that the body uses; in scope are then `subgroup`, its number in the workgroup, and `subgroupLane`.
   *
   * @default none
   */
  readonly units?: MatrixUnits;
  /**
   * Most turns that all loops of one invocation take together, from the uniforms, the tests that end them included; the
   * device refuses more than {@linkcode MOST_TURNS}.
   *
   * @default few, whatever the sizes
   */
  readonly turns?: (uniforms: Readonly<Record<string, number>>) => number;
  /**
   * Whether the first of its texts in a process is verified anew even where an earlier process found it right: what a
   * driver keeps on disk may have changed since. @default false
   */
  readonly spotCheck?: boolean;
  /** Functions, constants and workgroup variables that stand before `main`. */
  readonly declarations?: string;
  /**
   * Body of `main`. In scope: `group`, `groups`, `local`, `lane` (local index), `block` (flat workgroup index over x
   * and y) and `index` (flat invocation index over x and y).
   */
  readonly body: string;
}

/** A kernel: a source, checked; the device turns it into text for its adapter. */
export interface Kernel {
  /** What it was made of. */
  readonly source: KernelSource;
  /** Name for profiles and errors. */
  readonly name: string;
  /** The structure it was built for by {@linkcode kernelFamily}, as JSON; empty for others. */
  readonly structure: string;
  /** Small runs whose outcome is known, by which a device tells whether it is right; null where there are none. */
  readonly probes: (() => readonly Probe[]) | null;
  /** Buffers in binding order. */
  readonly bindings: readonly (readonly [string, BindingType])[];
  /** Scalars in the order of the uniform block. */
  readonly uniforms: readonly (readonly [string, UniformType])[];
}

/** Uniforms that a kernel can have: as many as fit between two offsets at which WebGPU binds uniform buffers. */
export const MOST_UNIFORMS = 64;

/**
 * Makes a kernel of its parts.
 *
 * @param probes Runs whose outcome is known. Without them a device uses the kernel unverified.
 * @throws {RangeError} If it has more than 64 uniforms.
 */
export function kernel(source: KernelSource, probes?: () => readonly Probe[]): Kernel {
  return made(source, "", probes ?? null);
}

function made(source: KernelSource, structure: string, probes: Kernel["probes"]): Kernel {
  const uniforms = Object.entries(source.uniforms ?? {});
  if (uniforms.length > MOST_UNIFORMS) {
    throw new RangeError(`Kernel ${source.name} has ${uniforms.length} uniforms; there is room for ${MOST_UNIFORMS}`);
  }
  return { source, name: source.name, structure, probes, bindings: Object.entries(source.bindings), uniforms };
}

/** The WGSL text of a kernel: its identity on a device. */
export function kernelText({ source, bindings, uniforms }: Kernel, options: TextOptions): string {
  const workgroupSize = source.workgroupSize ?? 64;
  const lines = [`// ${source.name}`];
  if (source.subgroups && options.enableSubgroups) lines.unshift("enable subgroups;");
  const units = source.units && !source.units.emulated ? source.units : undefined;
  if (units) {
    lines.unshift(
      "enable subgroups, chromium_experimental_subgroup_matrix;",
      ...(units.operands === "f16" ? ["enable f16;"] : []),
      ...(units.pinned ? ["enable subgroup_size_control;"] : []),
    );
  }
  bindings.forEach(([name, type], binding) => {
    const [access, element] = type.split(" ");
    const at = `@group(0) @binding(${binding})`;
    const half = options.halves?.includes(name) ?? false;
    const unpacked = half ? "vec4f(unpack2x16float(v.x), unpack2x16float(v.y))" : "v";
    const fetch = `fn ${name}_at(i: u32) -> vec4f { let v = ${name}[i]; return ${unpacked}; }`;
    if (access === "store" || access === "update") {
      const packed = half ? "vec2u(pack2x16float(v.xy), pack2x16float(v.zw))" : "v";
      lines.push(
        `${at} var<storage, read_write> ${name}: array<${half ? "vec2u" : "vec4f"}>;`,
        `fn ${name}_put(i: u32, v: vec4f) { ${name}[i] = ${packed}; }`,
        ...access === "update" ? [fetch] : [],
      );
    } else if (access === "load" && options.textures) {
      lines.push(
        `${at} var ${name}_texture: texture_storage_2d<${half ? "rgba16float" : "rgba32float"}, read>;`,
        `fn ${name}_at(i: u32) -> vec4f { return textureLoad(${name}_texture, vec2u(i % ${TEXTURE_WIDTH}u, i / ${TEXTURE_WIDTH}u)); }`,
      );
    } else if (access === "load" || access === "gather") {
      lines.push(`${at} var<storage, read> ${name}: array<${half ? "vec2u" : "vec4f"}>;`, fetch);
    } else {
      lines.push(`${at} var<storage, ${access === "read" ? "read" : "read_write"}> ${name}: array<${element}>;`);
    }
  });
  if (uniforms.length) {
    lines.push(`struct Uniforms { ${uniforms.map(([name, type]) => `${name}: ${type}`).join(", ")} }`);
    lines.push(`@group(0) @binding(${bindings.length}) var<uniform> u: Uniforms;`);
  }
  if (source.declarations) lines.push(source.declarations.trim());
  lines.push(
    `@compute @workgroup_size(${workgroupSize})${units?.pinned ? ` @subgroup_size(${units.lanes})` : ""}`,
    "fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) local: vec3u" +
      `${units ? ", @builtin(subgroup_id) subgroup: u32, @builtin(subgroup_invocation_id) subgroupLane: u32" : ""}) {`,
    "let lane = local.x;",
    ...(source.units?.emulated
      ? [`let subgroup = lane / ${source.units.lanes}u; let subgroupLane = lane % ${source.units.lanes}u;`]
      : []),
    "let block = group.y * groups.x + group.x;",
    `let index = block * ${workgroupSize}u + lane;`,
    source.body.trim(),
    "}",
  );
  return lines.join("\n");
}

/**
 * Makes a function that builds the kernel of a structure once and hands out the same object ever after.
 * The structure must be plain data: all that the text depends on stands in it.
 *
 * @param probes Runs of the kernel of a structure whose outcome is known. Without them a device uses it unverified.
 */
export function kernelFamily<Structure>(
  build: (structure: Structure) => KernelSource,
  probes?: (structure: Structure) => readonly Probe[],
): (structure: Structure) => Kernel {
  const built = new Map<string, Kernel>();
  return (structure) => {
    const key = JSON.stringify(structure);
    let kernel = built.get(key);
    if (!kernel) built.set(key, kernel = made(build(structure), key, probes ? () => probes(structure) : null));
    return kernel;
  };
}

/** Repeats a piece of WGSL for i = 0 … n - 1. */
export function unroll(n: number, piece: (i: number) => string): string {
  return Array.from({ length: n }, (_, i) => piece(i)).join("\n");
}
