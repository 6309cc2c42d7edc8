import { Option } from "commander";

/** How modules keep what they need on the way to their result. */
export type StorageFlag = "f32" | "f16";

/** The flag by which a command that only infers chooses how intermediates are kept. */
export function storageOption(): Option {
  return new Option("--storage <type>", "how modules keep what they need on the way: f16 halves that memory")
    .choices(["f32", "f16"]).default("f32");
}
