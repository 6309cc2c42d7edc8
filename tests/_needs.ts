/**
 * What tests need and a machine may lack. A test that cannot run for want of it is ignored, with one line of its own that
 * `.ci/run` counts and lists:
 *
 *     skipped [KIND] NAME<tab>REASON
 *
 * Where the environment variable DENOFOLD_REQUIRE names the kind (`golden,chromium`), such a test fails instead: that is
 * how a run says what its machine has.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { InputError } from "../tools/errors.ts";
import { loadDawn } from "../tools/platform/dawn.ts";

/** Kinds of what is needed. */
export type NeedKind =
  | "golden" // golden data beside the repository
  | "chromium"
  | "programs" // external programs, and packages of data
  | "openmm" // a Python with OpenMM and PDBFixer
  | "registry" // npm's, by its own client
  | "mounts" // the right to mount, in a namespace of its own
  | "adapter" // a trait of the adapter
  | "system"; // an operating system or processor

/** Something that a test needs. */
export interface Need {
  readonly kind: NeedKind;
  /** Why it is not there; undefined where it is. */
  readonly missing?: string;
}

/** A need that is met if `there` is true. */
export function need(kind: NeedKind, there: boolean, missing: string): Need {
  return { kind, missing: there ? undefined : missing };
}

/** Folder of the golden data, whether it is there or not. */
const GOLDEN = fileURLToPath(new URL("../../shared/oracle", import.meta.url));

/** A folder or file of the golden data. */
export function golden(path: string): Need & { readonly path: string } {
  const whole = `${GOLDEN}/${path}`;
  return { path: whole, ...need("golden", existsSync(whole), `there is no ../shared/oracle/${path}`) };
}

/** External programs, by the names that they are called with. */
export function programs(...names: string[]): Need {
  const folders = (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":");
  const ending = Deno.build.os === "windows" ? ".exe" : "";
  const missing = names.filter((name) => !folders.some((folder) => existsSync(`${folder}/${name}${ending}`)));
  return need("programs", missing.length === 0, `${missing.join(", ")} is not installed`);
}

/** The right to mount, which root has outside of most containers. */
export async function mounts(): Promise<Need> {
  const args = ["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]; // in a namespace of its own, which ends with it
  return need("mounts", await succeeds("unshare", args), "mounting is not allowed here");
}

/** The registry of npm, asked by its own client. */
export async function registry(): Promise<Need> {
  return need("registry", await succeeds("npm", ["ping"]), "npm is missing or its registry cannot be reached");
}

/** Dawn, which is fetched where it is not here and may be fetched. */
export async function dawn(): Promise<Need> {
  try {
    await loadDawn({ install: !Deno.env.get("DENOFOLD_NO_INSTALL"), log: console.log });
    return { kind: "registry" };
  } catch (error) {
    if (error instanceof InputError) return { kind: "registry", missing: error.message };
    throw error;
  }
}

async function succeeds(program: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A machine on which shell scripts and signals are what they are on Linux and macOS. */
export const POSIX: Need = need("system", Deno.build.os !== "windows", "this is Windows");

/**
 * The same test, which is ignored and says so where a need is not met.
 *
 * ```ts
 * Deno.test(needing(golden("seeds"), { name: "…", fn() {} }));
 * ```
 */
export function needing(needs: Need | readonly Need[], test: Deno.TestDefinition): Deno.TestDefinition {
  const unmet = [needs].flat().find(({ missing }) => missing !== undefined);
  if (!unmet) return test;
  const { kind, missing } = unmet;
  if (required().includes(kind)) {
    const text = `DENOFOLD_REQUIRE names ${kind}, which this test lacks: ${missing}`;
    return { ...test, fn: () => Promise.reject(new Error(text)) };
  }
  console.log(`skipped [${kind}] ${test.name}\t${missing}`);
  return { ...test, ignore: true };
}

function required(): string[] {
  return (Deno.env.get("DENOFOLD_REQUIRE") ?? "").split(",").map((kind) => kind.trim());
}
