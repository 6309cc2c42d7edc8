/**
 * What has to be right in every environment, with the driver and WebGPU that the variables DENOFOLD_DEVICE and
 * DENOFOLD_WEBGPU ask for: `deno task test:environment [PART...]`.
 *
 * The parts: tests of core and ops (`kernels`), and of model (`networks`); a short `training` by the command line. Not
 * without being asked for: all `golden` data beside the repository, most of which networks' tests go through too, or
 * `golden-reduced`, the same without networks of full size, which take minutes each in software.
 * Ends with `N passed, N failed`; says by lines `skipped [KIND] NAME<tab>REASON` (tests/_needs.ts) what it lacks.
 *
 * @module
 */
import { join } from "node:path";
import { InputError } from "../../tools/errors.ts";
import type { CaseReport } from "../../tools/oracle/runner.ts";
import { adapterName, ensureAdapter } from "../../tools/platform/driver.ts";
import { golden, type Need } from "../_needs.ts";
import { TOY_FLAGS } from "../tools/train/_toy.ts";

const ROOT = join(import.meta.dirname!, "..", "..");

/** How a part of the suite went. */
interface Outcome {
  passed: number;
  failed: number;
}

/** Runs Deno where it finds the driver, shows what it prints and returns that too. */
async function deno(args: string[], show: (line: string) => string | undefined = (line) => line) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "tools/platform/with_driver.ts", "deno", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines: string[] = [];
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    lines.push(...parts);
    for (const line of parts.flatMap((line) => show(line) ?? [])) console.log(line);
  }
  return { code: (await child.status).code, lines };
}

async function tests(folders: readonly string[], flags: readonly string[] = []): Promise<Outcome> {
  const paths = folders.map((folder) => `tests/${folder}`);
  const { code, lines } = await deno(["test", "-A", "--no-check", ...flags, ...paths]);
  const [, passed, failed] = lines.map((line) => /^(?:ok|FAILED) \| (\d+) passed.* \| (\d+) failed/.exec(line))
    .findLast((match) => match) ?? [];
  if (passed === undefined) return { passed: 0, failed: 1 };
  return { passed: Number(passed), failed: code === 0 ? Number(failed) : Math.max(1, Number(failed)) };
}

/** Folder of golden data of networks of full size. */
const FULL_SIZE = "full_model";

async function goldenData(...flags: string[]): Promise<Outcome> {
  const { path, missing } = golden("");
  if (missing) {
    skip({ kind: "golden", missing }, "golden data");
    return { passed: 0, failed: 0 };
  }
  const reports: CaseReport[] = [];
  const { code } = await deno(["run", "-A", "tools/oracle/main.ts", path, "--json", ...flags], (line) => {
    const report: CaseReport = JSON.parse(line);
    reports.push(report);
    if (report.status === "skipped") {
      skip({ kind: "golden", missing: report.message }, report.case);
      return undefined;
    }
    return `${report.status} ${report.case}${report.status === "failed" ? `: ${report.message}` : ""}`;
  });
  const count = (status: CaseReport["status"]) => reports.filter((report) => report.status === status).length;
  const failed = count("failed");
  return { passed: count("passed"), failed: code === 0 && reports.length > 0 ? failed : Math.max(1, failed) };
}

/** Three zinc fingers, a model of a few thousand parameters: the last losses must lie below the first ones. */
async function training(): Promise<Outcome> {
  const folder = await Deno.makeTempDir();
  try {
    const flags = [
      ...TOY_FLAGS,
      "--num-steps",
      "40",
      "--learning-rate",
      "0.01",
      "--quiet",
      "--out",
      join(folder, "out"),
    ];
    const { code } = await deno(["run", "-A", "tools/cli/main.ts", "train", ...flags]);
    if (code !== 0) return { passed: 0, failed: 1 };
    const rows = (await Deno.readTextFile(join(folder, "out", "loss_history.csv"))).trimEnd().split("\n").slice(1);
    const losses = rows.map((row) => Number(row.split(",")[1]));
    const mean = (some: number[]) => some.reduce((sum, x) => sum + x, 0) / some.length;
    const [first, last] = [mean(losses.slice(0, 5)), mean(losses.slice(-5))];
    const good = losses.length === 40 && last < 0.9 * first; // false for NaN
    console.log(`training: the loss goes from ${first.toFixed(3)} to ${last.toFixed(3)}: ${good ? "ok" : "FAILED"}`);
    return { passed: good ? 1 : 0, failed: good ? 0 : 1 };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function skip({ kind, missing }: Need, name: string): void {
  console.log(`skipped [${kind}] ${name}\t${missing}`);
}

/** Sees to the adapter; false where it would have to be fetched and cannot be, which is no failure. */
async function adapterIsThere(): Promise<boolean> {
  try {
    const found = await ensureAdapter({ install: true });
    for (const note of found.notes) console.log(note);
    const webgpu = "webgpu" in found ? String(found.webgpu) : "Deno's own WebGPU";
    console.log(`Adapter: ${adapterName(found.adapter)}, through ${webgpu}`);
    if (Deno.env.get("DENOFOLD_WEBGPU") !== "dawn" || /dawn/i.test(webgpu)) return true;
    if ("webgpu" in found) throw new InputError(`Dawn is asked for, ${webgpu} came`);
    skip({ kind: "system", missing: "this version cannot run through Dawn" }, "this environment");
    return false;
  } catch (error) {
    if (!(error instanceof InputError) || !/Cannot fetch /.test(error.message)) throw error;
    if (/SHA-256/.test(error.message)) throw error; // it came, and is not what is expected
    skip({ kind: "registry", missing: error.message }, "this environment");
    return false;
  }
}

const PARTS: Readonly<Record<string, (all: readonly string[]) => Promise<Outcome>>> = {
  kernels: () => tests(["core", "ops"]),
  // Golden cases that the other part runs are not run twice.
  networks: (all) =>
    tests(["model"], all.some((part) => part.startsWith("golden")) ? ["--ignore=tests/model/**/golden_test.ts"] : []),
  training,
  golden: () => goldenData(),
  "golden-reduced": () => goldenData("--without", FULL_SIZE),
};
/** Those that run where none is named. */
const USUAL = ["kernels", "networks", "training"];

async function main(parts: readonly string[]): Promise<Outcome> {
  const unknown = parts.find((part) => !(part in PARTS));
  if (unknown) throw new InputError(`There is no part ${unknown}; there are ${Object.keys(PARTS).join(", ")}`);
  const total = { passed: 0, failed: 0 };
  if (!await adapterIsThere()) return total;
  const all = parts.length > 0 ? parts : USUAL;
  for (const part of all) {
    const { passed, failed } = await PARTS[part](all);
    total.passed += passed;
    total.failed += failed;
  }
  return total;
}

if (import.meta.main) {
  let total: Outcome;
  try {
    total = await main(Deno.args);
  } catch (error) {
    console.log(error instanceof InputError ? error.message : error);
    total = { passed: 0, failed: 1 };
  }
  console.log(`${total.passed} passed, ${total.failed} failed`);
  Deno.exit(total.failed > 0 ? 1 : 0);
}
