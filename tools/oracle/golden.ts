import { type NamedArray, parseSafetensors, toFloat32 } from "../../model/weights/safetensors.ts";
import { EXACT, parseTolerance, type Tolerance } from "./tolerance.ts";

type Json = Readonly<Record<string, unknown>>;

/** Kinds of tensors that an implementation must give back. */
const RESULT = /^(out|grad_in|grad_param)\//;

/**
 * A golden case: inputs, parameters, outputs, cotangents and gradients of another program, with what its description
 * says of them. Names are `in/ param/ out/ cot/ grad_in/ grad_param/` and `valid/`.
 */
export class Golden {
  /** Path of its files, without their endings. */
  readonly file: string;
  /** Name of the case. */
  readonly name: string;
  /** Which program and part of it the numbers are from; empty if the description does not say. */
  readonly source: string;
  /** Sizes and choices. */
  readonly config: Json;
  /** Other numbers of the description. */
  readonly values: Json;
  /** Sum, norm and first numbers of gradients that are too large to be kept, by parameter. */
  readonly gradientSummaries: Json;
  readonly #description: Json;
  readonly #tensors: ReadonlyMap<string, NamedArray>;
  #largestGradient: number | undefined;

  /**
   * @param text The description, JSON.
   * @param bytes The tensors, safetensors.
   * @param file Name of the tensors' file without its ending, for messages.
   * @throws {SyntaxError} If either cannot be read.
   */
  constructor(text: string, bytes: Uint8Array, file: string) {
    const description = parseDescription(text, `${file}.json`);
    this.file = file;
    this.#description = description;
    this.name = nameOf(description);
    if (!this.name) throw new SyntaxError(`${file}.json has no "case", the name of the golden case`);
    this.source = typeof description.source === "string" ? description.source : "";
    this.config = recordOf(description.config);
    this.values = recordOf(description.values);
    this.gradientSummaries = recordOf(description.grad_param_summaries);
    this.#tensors = parseSafetensors(bytes, `${file}.safetensors`).tensors;
  }

  /** All that the description says. */
  get description(): Json {
    return this.#description;
  }

  /** Names of all tensors that begin with a prefix, without it. */
  names(prefix: string): string[] {
    return [...this.#tensors.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  }

  /** Names of the tensors that an implementation must give back. */
  get results(): string[] {
    return [...this.#tensors.keys()].filter((name) => RESULT.test(name));
  }

  /** Whether there is such a tensor. */
  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /**
   * Numbers of a tensor; integers too.
   * @throws {TypeError} If there is none.
   */
  data(name: string): Float32Array {
    return toFloat32(this.#find(name));
  }

  /** {@linkcode Golden.data} in float64. */
  data64(name: string): Float64Array {
    return Float64Array.from(this.data(name));
  }

  /**
   * Shape of a tensor.
   * @throws {TypeError} If there is none.
   */
  shape(name: string): readonly number[] {
    return this.#find(name).shape;
  }

  /**
   * A number of the configuration.
   * @throws {TypeError} If it is missing.
   */
  number(key: string): number {
    const value = this.config[key];
    if (typeof value !== "number") {
      throw new TypeError(`config.${key} is ${JSON.stringify(value)}, expected a number`);
    }
    return value;
  }

  /** Whether the description says that a gradient is zero, so that it may be absent. */
  isZeroGradient(name: string): boolean {
    const plain = name.replace(/^grad_(param|in)\//, "");
    const listed = [
      ...listOf(this.#description.identically_zero_grads),
      ...listOf(this.#description.tensors_with_zero_gradient),
      ...listOf(this.#description.analytically_zero_gradient),
      ...listOf(this.config.unused_params_no_grad),
    ];
    return listed.some((entry) => entry === name || entry.replace(/^(grad_param|grad_in|param|in)\//, "") === plain);
  }

  /** The words in which the description states the tolerance of a kind of tensors, if it does. */
  toleranceText(key: string): string | undefined {
    const { tolerances, tolerance = tolerances } = this.#description;
    if (typeof tolerance === "string") return tolerance;
    const text = recordOf(tolerance)[key];
    return typeof text === "string" ? text : undefined;
  }

  /**
   * Tolerance of a tensor: its own numbers if the description has them, else the words for its name or its kind.
   *
   * @throws {SyntaxError} If the description states none that can be understood.
   */
  tolerance(name: string): Tolerance {
    const { rtol, atol } = recordOf(recordOf(this.#description.tensors)[name]);
    if (typeof rtol === "number" && typeof atol === "number") return { rtol, atol, atolOfMax: 0 };
    const [kind, ...rest] = name.split("/");
    const keys = [rest.join("/"), ...(kind === "out" ? ["out"] : ["grad", "out"])];
    for (const key of keys) {
      const text = this.toleranceText(key);
      if (text !== undefined) return parseTolerance(text, this.#learningRate);
    }
    if (this.#tensors.get(name)?.dtype.startsWith("F") === false) return EXACT;
    throw new SyntaxError(`the description states no tolerance for ${name}`);
  }

  /** A tolerance in words, {@linkcode parseTolerance} with this case's learning rate. */
  parseTolerance(text: string): Tolerance {
    return parseTolerance(text, this.#learningRate);
  }

  /** Largest number of all gradients. */
  get largestGradient(): number {
    return this.#largestGradient ??= this.results.filter((name) => name.startsWith("grad_"))
      .reduce((most, name) => this.data(name).reduce((m, x) => Math.max(m, Math.abs(x)), most), 0);
  }

  /** 0 where a number of an output has no meaning: `valid/` broadcast to the output, if there is one. */
  valid(name: string): Float32Array | undefined {
    const key = name.replace(/^out\//, "valid/");
    if (key === name || !this.has(key)) return undefined;
    const data = this.data(key), from = this.shape(key), to = this.shape(name);
    const size = to.reduce((product, n) => product * n, 1);
    return Float32Array.from({ length: size }, (_, flat) => {
      let at = 0, stride = 1;
      for (let axis = to.length - 1, own = from.length - 1; axis >= 0; axis--, own--) {
        const index = flat % to[axis];
        flat = Math.floor(flat / to[axis]);
        if (own < 0) continue;
        if (from[own] !== 1) at += index * stride;
        stride *= from[own];
      }
      return data[at];
    });
  }

  get #learningRate(): number | undefined {
    const rate = recordOf(this.config.optimizer).lr ?? this.config.lr;
    return typeof rate === "number" ? rate : undefined;
  }

  #find(name: string): NamedArray {
    const array = this.#tensors.get(name);
    if (!array) throw new TypeError(`the golden case has no tensor ${name}`);
    return array;
  }
}

/** Name of a case; an inventory of parameters is named after its preset. */
function nameOf({ case: name, preset, openfold }: Json): string {
  if (typeof name === "string") return name;
  return typeof preset === "string" && openfold !== undefined ? `inventory_${preset}` : "";
}

/** A value as an object, an empty one if it is none. */
export function recordOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Json : {};
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}

function parseDescription(text: string, file: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`Cannot read ${file} as JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SyntaxError(`Cannot read ${file}: expected a JSON object`);
  }
  return value as Json;
}
