import { type Command, Option } from "commander";
import type { Device, Precision } from "../../core/mod.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { examine, type Findings } from "../platform/findings.ts";
import { CHECK_ROWS, checkKernels, checkRows, type KernelCheck } from "../platform/kernel_check.ts";
import { choiceText } from "../platform/kernel_text.ts";
import { openVerified, retune } from "../platform/open_device.ts";
import { TIME_BLOCK, timeBlockText, timeVectorWidths } from "../platform/time_widths.ts";
import type { VectorWidth } from "../platform/vector_width.ts";
import { checkText, tuningText } from "./_kernel_text.ts";
import { deviceOption, EXIT, precisionOption, startProgress } from "./_shared.ts";

/** Adds `denofold doctor`. */
export function register(program: Command): void {
  program.command("doctor")
    .description("show the adapter, versions and programs, and what to do where something is missing")
    .addOption(deviceOption())
    .addOption(precisionOption())
    .option("--fix", "install or fetch a software driver where there is none, as the other commands do")
    .option(
      "--check",
      "run the kernels of every op on the adapter and compare them with float64 (seconds; less than a minute the first time)",
    )
    .option(
      "--tune",
      "time the ways to compute that are right on the adapter, and the vector widths of Mesa's software driver; print " +
        "the times and keep the fastest for the next runs",
    )
    .addOption(new Option(CHECK_ROWS, "check rows of kernels that standard input names by number").hideHelp())
    .addOption(new Option(TIME_BLOCK, "print the processor time of an Evoformer block, ms").hideHelp())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nThe table of --check says for every op, version of its kernels and way to load: ok with the largest error, WRONG, or " +
        "not offered.\nPaste it into a report about an adapter. Kernels that are wrong are not used by any command.\n\n" +
        "Exit code 0 if an adapter was found and computes right, else 1.\n\nExamples:\n  denofold doctor --tune\n" +
        "  denofold doctor --check --json",
    )
    .action(doctor);
}

interface DoctorOptions {
  device: string;
  precision: Precision;
  fix?: boolean;
  check?: boolean;
  checkRows?: boolean;
  tune?: boolean;
  timeBlock?: boolean;
  json?: boolean;
}

async function doctor(options: DoctorOptions): Promise<void> {
  const { device, precision, fix, check, checkRows: serving, tune, timeBlock, json } = options;
  const open = () => ensureAdapter({ device, install: fix ?? false });
  if (serving) return await checkRows((await open()).adapter, precision);
  if (timeBlock) return console.log(await onDevice((await open()).adapter, precision, timeBlockText));
  if (tune) await timeVectorWidths({ device, log: console.error });
  const findings = await examine(open, precision);
  const checked = check && findings.adapter ? await checkAdapter((await open()).adapter, options) : undefined;
  const tuned = tune && findings.ok ? await onDevice((await open()).adapter, precision, retune) : undefined;
  if (json) console.log(JSON.stringify({ ...findings, ...(checked && { check: checked }), ...tuned }, undefined, 2));
  else {
    const parts = [table(findings)];
    if (checked) parts.push(checkText(checked));
    if (tuned) parts.push(tuningText(tuned.tuning, tuned.measured));
    console.log(parts.join("\n\n"));
  }
  if (!findings.ok || checked?.ok === false) Deno.exitCode = EXIT.failure;
}

async function checkAdapter(
  adapter: GPUAdapter,
  { device, precision, json }: DoctorOptions,
): Promise<KernelCheck> {
  if (json) return await checkKernels(adapter, { device, precision });
  const progress = startProgress({ label: "Kernels checked", total: 100 });
  try {
    const onRow = (done: number, total: number, op: string) => progress.update(Math.floor(100 * done / total), op);
    return await checkKernels(adapter, { device, precision, onRow });
  } finally {
    progress.stop();
  }
}

async function onDevice<T>(
  adapter: GPUAdapter,
  precision: Precision,
  use: (device: Device) => Promise<T>,
): Promise<T> {
  const device = await openVerified(adapter, { precision });
  try {
    return await use(device);
  } finally {
    device.close();
  }
}

function table(findings: Findings): string {
  const { adapter, selfTest, versions, machine } = findings;
  const rows: [name: string, value: string][] = [];
  if (adapter) {
    rows.push(
      ["adapter", `${adapter.name}${adapter.software ? " (software, on the processor)" : ""}`],
      ["vendor", adapter.vendor],
      ["driver", adapter.driver],
      ["WebGPU", adapter.webgpu],
      ["subgroups", subgroups(adapter.subgroupSizes)],
      ...findings.vectorWidth ? [["vectors", vectors(findings.vectorWidth)] satisfies [string, string]] : [],
      ["half floats", yesNo(adapter.shaderF16)],
      ["matrix units", unitsText(adapter.matrixUnits)],
      ["timestamps", yesNo(adapter.timestamps)],
      ["kernels", choiceText(adapter.kernels)],
      [
        "buffers",
        `${mebibytes(adapter.limits.maxBufferSize)}, ${
          mebibytes(adapter.limits.maxStorageBufferBindingSize)
        } visible at once`,
      ],
      [
        "workgroups",
        `${adapter.limits.maxComputeInvocationsPerWorkgroup} threads, ${
          adapter.limits.maxComputeWorkgroupStorageSize / 1024
        } KiB shared, ${adapter.limits.maxComputeWorkgroupsPerDimension} per axis`,
      ],
    );
  }
  rows.push(["self test", selfTest ? `${selfTest.ok ? "passed" : "FAILED"}: ${selfTest.text}` : "not run"]);
  for (const other of findings.vulkanDevices) {
    rows.push([
      "Vulkan device",
      `${other.name} (${other.type}, Vulkan ${other.apiVersion}, ${other.driver})`,
    ]);
  }
  rows.push(
    ["denofold", versions.denofold],
    ["Deno", `${versions.deno} (V8 ${versions.v8}, TypeScript ${versions.typescript})`],
    ["system", `${machine.system} ${machine.release}, ${machine.arch}`],
    ["processor", `${machine.processor}, ${machine.threads} threads, ${mebibytes(machine.memoryBytes)} memory`],
  );
  for (const { path, use, exists } of findings.folders) {
    rows.push(["folder", `${path} (${use}${exists ? "" : "; not there yet"})`]);
  }
  for (const { name, path, use } of findings.programs) rows.push([name, path ?? `not found (${use})`]);
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  const lines = rows.map(([name, value]) => name.padEnd(width) + value);
  for (const note of findings.notes) lines.push("", note);
  const wrong = adapter?.kernels.wrong ?? [];
  if (wrong.length) lines.push("", "Wrong on this adapter, and not used:");
  for (const { kernel, loads, reason } of wrong) lines.push(`- ${kernel}, loads from ${loads}: ${reason}`);
  lines.push("", findings.ok ? "Ready." : "Not ready:");
  for (const { problem, advice } of findings.problems) lines.push(`- ${problem}${advice ? `\n  ${advice}` : ""}`);
  return lines.join("\n");
}

function subgroups([least, most]: [number, number]): string {
  if (most === 0) return "none";
  return least === most ? `${least} lanes` : `${least} to ${most} lanes`;
}

/** Matrix units in a few words. */
export function unitsText(units: NonNullable<Findings["adapter"]>["matrixUnits"]): string {
  if (!units) return "none offered";
  const { operands, m, n, k, lanes, used } = units;
  const shape = `${m} × ${n} × ${k}, ${operands} with sums in f32, ${lanes} lanes`;
  return `${shape}; ${
    used
      ? "products use them where they are right and fastest"
      : "not used: --precision f16-products lets products use them"
  }`;
}

function vectors({ bits, source, mesa, times }: VectorWidth): string {
  if (bits === undefined) return "as wide as the driver chooses";
  const measured = Object.entries(times ?? {}).map(([width, ms]) => `${width} bits ${ms} ms`).join(", ");
  const reason = {
    environment: "set by LP_NATIVE_VECTOR_WIDTH",
    measured: "measured",
    rule: `the rule for Mesa ${mesa ?? "of an unknown version"}; denofold doctor --tune measures`,
    driver: "",
  }[source];
  return `${bits} bits (${
    [reason, measured && `a block takes, of processor time: ${measured}`].filter((text) => text).join("; ")
  })`;
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20).toLocaleString("en")} MiB`;
}
