import { InputError } from "../errors.ts";

/** Which adapter is wished for: the fastest GPU or else software, one kind, or one whose name has a part. */
export type Wish =
  | { readonly kind: "auto" | "gpu" | "low-power" | "software" }
  | { readonly kind: "name"; readonly part: string };

/** What the `--device` flag says: whose WebGPU is wished for, and which of its adapters. */
export interface DeviceWish {
  readonly dawn: boolean;
  readonly wish: Wish;
}

/**
 * Reads the `--device` flag: an adapter, or `dawn`, or `dawn:` and an adapter. Without that, the environment variable
 * `DENOFOLD_WEBGPU` says whether it is one of Dawn's.
 *
 * @throws {InputError} If the variable is neither "deno" nor "dawn".
 */
export function readDeviceWish(device: string): DeviceWish {
  const word = device.trim().toLowerCase();
  const named = word === "dawn" || word.startsWith("dawn:");
  const variable = Deno.env.get("DENOFOLD_WEBGPU") || "deno";
  if (variable !== "deno" && variable !== "dawn") {
    throw new InputError(`The environment variable DENOFOLD_WEBGPU is "${variable}", expected "deno" or "dawn"`);
  }
  return { dawn: named || variable === "dawn", wish: readWish(named ? word.slice("dawn:".length).trim() : word) };
}

function readWish(word: string): Wish {
  if (word === "auto" || word === "gpu" || word === "low-power" || word === "software") return { kind: word };
  if (word === "") return { kind: "auto" };
  if (word === "cpu") return { kind: "software" };
  return { kind: "name", part: word };
}

/** One WebGPU of those that there are in Deno. */
export interface WebGpu {
  /** What it is called, with its version. */
  readonly name: string;
  /** The adapter that fits a wish, and the entry to WebGPU that it came from. */
  request(wish: Wish): Promise<{ readonly gpu: GPU; readonly adapter: GPUAdapter } | undefined>;
}
