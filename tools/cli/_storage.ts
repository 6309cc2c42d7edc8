import { Option } from "commander";
import type { Device } from "../../core/mod.ts";
import { InputError } from "../errors.ts";

/** How modules keep what they need on the way to their result. */
export type StorageFlag = "f32" | "f16";

/** The flag by which a command that only infers chooses how intermediates are kept. */
export function storageOption(): Option {
  return new Option("--storage <type>", "how modules keep what they need on the way: f16 halves that memory")
    .choices(["f32", "f16"]).default("f32");
}

/**
 * Does what the flag says.
 *
 * @throws {InputError} If the adapter has no 16-bit floats.
 */
export function setStorage(device: Device, storage: StorageFlag): void {
  try {
    device.intermediates = storage;
  } catch (error) {
    if (error instanceof TypeError) throw new InputError(`--storage ${storage}: ${error.message}`);
    throw error;
  }
}
