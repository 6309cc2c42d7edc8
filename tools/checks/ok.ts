/**
 * The gate, `deno task ok`: everything but the tests that a change has to pass. Runs all steps, shows the output of those
 * that fail, ends with `N passed, N failed`.
 *
 * @module
 */
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };

const ROOT = join(import.meta.dirname ?? ".", "..", "..");
const ENTRY_POINTS = Object.values(config.exports);
const SETUP = ["run", "-A", "tools/platform/with_driver.ts", "deno"];
const SOURCES = ["mod.ts", "core", "ops", "model", "finetune", "tools"];

const STEPS: [name: string, args: string[]][] = [
  ["deno fmt --check", ["fmt", "--check"]],
  ["deno lint", ["lint"]],
  ["deno check", ["check"]],
  ["deno doc --lint", ["doc", "--lint", ...ENTRY_POINTS]],
  ["layers", ["run", "-A", "tools/checks/layers.ts"]],
  ["kernels, by Tint", ["test", "-A", "--no-check", "tests/kernels/tint_check.ts"]],
  ["parts of the package", ["run", "-A", "tools/package.ts"]],
  ["deno publish --dry-run", ["publish", "--dry-run", "--allow-dirty"]],
  ["deno test --doc", [...SETUP, "test", "-A", "--doc", ...SOURCES]],
];

let failed = 0;
for (const [name, args] of STEPS) {
  const start = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: Deno.stdout.isTerminal() ? {} : { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  // What a step lacks here is told, also where it passes.
  for (const [line] of new TextDecoder().decode(stdout).matchAll(/^skipped \[.*$/gm)) console.log(line);
  if (code === 0) continue;
  failed++;
  await Deno.stdout.write(stdout);
  await Deno.stderr.write(stderr);
}
console.log(`${STEPS.length - failed} passed, ${failed} failed`);
if (failed > 0) Deno.exit(1);
