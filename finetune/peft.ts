/**
 * Adapters in the file convention of PEFT: `adapter_config.json` and `adapter_model.safetensors`.
 *
 * Source: Mangrulkar et al. (2022), "PEFT: state-of-the-art parameter-efficient fine-tuning methods", version 0.13.
 */
import type { Device, Tensor } from "../core/mod.ts";
import type { Adapter } from "../ops/mod.ts";
import {
  encodeSafetensors,
  float32Array,
  type NamedArray,
  parseSafetensors,
  toFloat32,
} from "../model/weights/safetensors.ts";
import { type LoraConfig, loraConfig, loraScale } from "./lora.ts";

/** The two files of a set of adapters. */
export interface PeftFiles {
  /** Text of `adapter_config.json`. */
  readonly config: string;
  /** Bytes of `adapter_model.safetensors`. */
  readonly model: Uint8Array<ArrayBuffer>;
}

/** What the files say. */
export interface PeftAdapters {
  /** Choices; the targets are the names of all maps that have an adapter. */
  readonly config: LoraConfig;
  /** Name or path of the weights that the adapters were trained on, if it is told. */
  readonly base: string | null;
  /** Matrices by the names of their maps. */
  readonly arrays: ReadonlyMap<
    string,
    { readonly down: NamedArray; readonly up: NamedArray; readonly magnitude?: NamedArray }
  >;
  /** Arrays of other modules that were trained along, by their names. */
  readonly others: ReadonlyMap<string, NamedArray>;
}

const PREFIX = "base_model.model.";

/**
 * Writes adapters as PEFT does.
 *
 * @param adapters By the names of their maps in the state dict.
 * @param config What they were made with.
 * @param base Name or path of the weights that they were trained on. @default not told
 * @param others Parameters of modules trained along, such as a head, by their names. @default none
 */
export async function encodePeft(
  adapters: ReadonlyMap<string, Adapter>,
  config: LoraConfig,
  { base = null, others = new Map() }: {
    readonly base?: string | null;
    readonly others?: ReadonlyMap<string, NamedArray>;
  } = {},
): Promise<PeftFiles> {
  const tensors = new Map<string, NamedArray>();
  const read = async (tensor: Tensor) => float32Array(tensor.shape, await tensor.read() as Float32Array);
  for (const [name, { down, up, magnitude }] of adapters) {
    tensors.set(`${PREFIX}${name}.lora_A.weight`, await read(down));
    tensors.set(`${PREFIX}${name}.lora_B.weight`, await read(up));
    if (magnitude) tensors.set(`${PREFIX}${name}.lora_magnitude_vector`, await read(magnitude));
  }
  for (const [name, array] of others) tensors.set(`${PREFIX}${name}`, array);
  const modules = [...new Set([...others.keys()].map((name) => name.split(".")[0]))];
  const json = {
    peft_type: "LORA",
    task_type: null,
    base_model_name_or_path: base,
    inference_mode: true,
    r: config.rank,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    use_rslora: config.rankStabilized,
    use_dora: config.magnitudes,
    target_modules: [...adapters.keys()],
    modules_to_save: modules.length ? modules : null,
    bias: "none",
    fan_in_fan_out: false,
    init_lora_weights: true,
    rank_pattern: {},
    alpha_pattern: {},
  };
  return {
    config: `${JSON.stringify(json, null, 2)}\n`,
    model: encodeSafetensors(tensors, { format: "pt" }),
  };
}

/**
 * Reads what PEFT, or {@linkcode encodePeft}, wrote.
 *
 * @param source Name of the folder, for messages.
 * @throws {SyntaxError} If a file is damaged, is of another method, or lacks a matrix; the message names file and field.
 */
export function decodePeft(
  { config: text, model }: { readonly config: string; readonly model: Uint8Array },
  source: string,
): PeftAdapters {
  const of = `${source}/adapter_config.json`;
  const json = parsed(text, of);
  if (json.peft_type !== "LORA") {
    throw new SyntaxError(`${of}: peft_type is ${JSON.stringify(json.peft_type)}, expected "LORA"`);
  }
  for (const [key, value] of [["bias", "none"], ["fan_in_fan_out", false]] as const) {
    if (json[key] !== undefined && json[key] !== value) {
      throw new SyntaxError(
        `${of}: ${key} is ${JSON.stringify(json[key])}, only ${JSON.stringify(value)} is understood`,
      );
    }
  }
  for (const key of ["rank_pattern", "alpha_pattern"]) {
    if (Object.keys((json[key] ?? {}) as object).length) {
      throw new SyntaxError(`${of}: ${key} is not empty; adapters of several ranks are not understood`);
    }
  }
  const number = (key: string, otherwise?: number): number => {
    const value = json[key] ?? otherwise;
    if (typeof value !== "number") {
      throw new SyntaxError(`${of}: ${key} is ${JSON.stringify(json[key])}, expected a number`);
    }
    return value;
  };
  const file = `${source}/adapter_model.safetensors`;
  const { arrays, others } = matricesOf(parseSafetensors(model, file).tensors, file);
  if (!arrays.size) throw new SyntaxError(`${file} has no adapter: no name in it ends in lora_A.weight`);
  const config = loraConfig({
    targets: [...arrays.keys()],
    rank: number("r"),
    alpha: number("lora_alpha"),
    dropout: number("lora_dropout", 0),
    rankStabilized: json.use_rslora === true,
    magnitudes: json.use_dora === true,
  });
  for (const [name, { down, up, magnitude }] of arrays) {
    const { rank } = config;
    if (down.shape[0] !== rank || up.shape[1] !== rank) {
      throw new SyntaxError(
        `${file}: the matrices of ${name} are [${down.shape}] and [${up.shape}], the rank in ${of} is ${rank}`,
      );
    }
    if (!!magnitude !== config.magnitudes) {
      throw new SyntaxError(
        `${file}: ${name} has ${magnitude ? "a" : "no"} magnitude, use_dora in ${of} is ${config.magnitudes}`,
      );
    }
  }
  const base = json.base_model_name_or_path;
  return { config, base: typeof base === "string" ? base : null, arrays, others };
}

/** The adapters of {@linkcode decodePeft} on the device, owned by the current scope; for `withAdapters`. */
export function loadPeft(device: Device, { config, arrays }: PeftAdapters): Map<string, Adapter> {
  const tensor = (array: NamedArray, shape = array.shape) => device.tensor(toFloat32(array), shape);
  return new Map([...arrays].map(([name, { down, up, magnitude }]) => [name, {
    down: tensor(down),
    up: tensor(up),
    scale: loraScale(config),
    ...(magnitude && { magnitude: tensor(magnitude, [up.shape[0]]) }),
  }]));
}

function parsed(text: string, of: string): Readonly<Record<string, unknown>> {
  try {
    const json = JSON.parse(text);
    if (json !== null && typeof json === "object" && !Array.isArray(json)) return json;
  } catch (error) {
    throw new SyntaxError(`${of} is no JSON: ${error instanceof Error ? error.message : error}`);
  }
  throw new SyntaxError(`${of} is no JSON object`);
}

function matricesOf(tensors: ReadonlyMap<string, NamedArray>, file: string): Pick<PeftAdapters, "arrays" | "others"> {
  const found = new Map<string, { down?: NamedArray; up?: NamedArray; magnitude?: NamedArray }>();
  const others = new Map<string, NamedArray>();
  for (const [full, array] of tensors) {
    const name = full.startsWith(PREFIX) ? full.slice(PREFIX.length) : full;
    const match = name.match(/^(.+)\.lora_(A|B|magnitude_vector)(?:\.weight)?$/);
    if (!match) {
      others.set(name, array);
      continue;
    }
    const part =
      ({ A: "down", B: "up", magnitude_vector: "magnitude" } as const)[match[2] as "A" | "B" | "magnitude_vector"];
    found.set(match[1], { ...found.get(match[1]), [part]: array });
  }
  const arrays: Map<string, { down: NamedArray; up: NamedArray; magnitude?: NamedArray }> = new Map();
  for (const [name, { down, up, magnitude }] of found) {
    if (!down || !up) {
      throw new SyntaxError(
        `${file} has ${down ? "lora_A" : "no lora_A"} but ${up ? "lora_B" : "no lora_B"} of ${name}`,
      );
    }
    if (down.shape.length !== 2 || up.shape.length !== 2) {
      throw new SyntaxError(
        `${file}: the matrices of ${name} are [${down.shape}] and [${up.shape}], expected [r, cIn] and [cOut, r]`,
      );
    }
    arrays.set(name, { down, up, magnitude });
  }
  return { arrays, others };
}
