/**
 * Runs the tests, `deno task test [FLAG…] [PATH…]`. All of them are shared out among as many processes as there are processors
 * (DENOFOLD_TEST_JOBS says another number), a few files at a time; each process has its environment to itself, which
 * `deno test --parallel` does not give. Shows what a process printed when it ends, all errors at the end, and a last line as
 * Deno's own. With flags or paths it is `deno test -A` with these.
 *
 * Types are checked by `deno task ok`: here each process would check the same modules again.
 *
 * @module
 */
import { join, relative } from "node:path";

const ROOT = join(import.meta.dirname!, "..");
/** Most files that a process gets at once: many enough to share its start. Towards the end they are fewer, so that all end together. */
const FILES = 12;

/** Files of tests below a folder. */
async function testFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) found.push(...await testFiles(path));
    else if (name.endsWith("_test.ts")) found.push(relative(ROOT, path));
  }
  return found.sort();
}

/** How the tests of a few files went. */
interface Outcome {
  passed: number;
  failed: number;
  /** What Deno says of those that failed. */
  errors: string;
}

async function runTests(files: readonly string[]): Promise<Outcome> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", ...files],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { success, stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout);
  const said = new TextDecoder().decode(stderr);
  const [, results, errors = "", passed = "0", failed = "0"] =
    /^([^]*?)(?:^ ERRORS \n([^]*?)\n FAILURES $[^]*)?^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed/m.exec(text) ??
      [];
  console.log(results ?? text + said);
  if (success) return { passed: Number(passed), failed: 0, errors: "" };
  return {
    passed: Number(passed),
    failed: Math.max(1, Number(failed)),
    errors: errors || `${files.join(" ")}:\n${said}`,
  };
}

async function runAll(): Promise<Outcome> {
  const files = await testFiles(join(ROOT, "tests"));
  const total: Outcome = { passed: 0, failed: 0, errors: "" };
  const jobs = Math.max(1, Number(Deno.env.get("DENOFOLD_TEST_JOBS") ?? navigator.hardwareConcurrency + 1));
  const work = async () => {
    while (files.length > 0) {
      const count = Math.min(FILES, Math.ceil(files.length / (4 * jobs)));
      const { passed, failed, errors } = await runTests(files.splice(0, count));
      total.passed += passed;
      total.failed += failed;
      total.errors += errors;
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return total;
}

if (Deno.args.length > 0) {
  const command = new Deno.Command(Deno.execPath(), { args: ["test", "-A", ...Deno.args], cwd: ROOT });
  Deno.exit((await command.spawn().status).code);
}
const start = performance.now();
const { passed, failed, errors } = await runAll();
if (errors !== "") console.log(` ERRORS \n${errors}`);
const seconds = ((performance.now() - start) / 1000).toFixed(0);
console.log(`${failed > 0 ? "FAILED" : "ok"} | ${passed} passed | ${failed} failed (${seconds} s)`);
if (failed > 0) Deno.exit(1);
