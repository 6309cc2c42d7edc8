/**
 * Gives a script in Deno the environment of the command line: the fastest vector width and a kernel cache of its own for
 * Mesa's software driver, Vulkan on Linux. Import it for what it does, in the file that starts the program; nothing needs
 * to be called. It acts before the body of any module that imports it runs, and so before `navigator.gpu` is first used.
 *
 * Needs the permissions `--allow-env --allow-read --allow-write`. What the user has set stays; on macOS and Windows it
 * does nothing.
 *
 * @example
 * ```ts
 * import "@denofold/denofold/setup";
 * import { Device } from "@denofold/denofold";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * assert.equal(await device.tensor([2, 3], [2]).read().then((x) => x[1]), 3);
 * ```
 *
 * @module
 */
import { prepareEnvironment } from "./platform/environment.ts";

prepareEnvironment();
