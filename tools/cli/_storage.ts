import { Option } from "commander";
import type { Device } from "../../core/mod.ts";

/** How modules keep what they need on the way to their result. */
export type StorageFlag = "f32" | "f16";

/** The same, or what stacks of blocks keep between their modules too. */
export type FullStorageFlag = StorageFlag | "f16-all";

/** The flag by which a command that only infers chooses how intermediates are kept. */
export function storageOption(): Option {
  return new Option("--storage <type>", "how modules keep what they need on the way: f16 halves that memory")
    .choices(["f32", "f16"]).default("f32");
}

/** The same where it may be said of m and z too. */
export function fullStorageOption(): Option {
  return new Option(
    "--storage <type>",
    "how modules keep what they need on the way: f16 halves that memory, f16-all that of m and z too",
  ).choices(["f32", "f16", "f16-all"]).default("f32");
}

/** Lets a device keep things so. */
export function storeAs(device: Device, storage: FullStorageFlag): void {
  if (storage !== "f32") device.intermediates = "f16";
  if (storage === "f16-all") device.representations = "f16";
}
