import { type Command, Option } from "commander";
import { Device } from "../../core/mod.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { examine, type Findings } from "../platform/findings.ts";
import { retune } from "../platform/open_device.ts";
import { TIME_BLOCK, timeBlockText, timeVectorWidths } from "../platform/time_widths.ts";
import type { VectorWidth } from "../platform/vector_width.ts";
import { deviceOption, EXIT } from "./_shared.ts";
import { tuningText } from "./_tuning_text.ts";

/** Adds `denofold doctor`. */
export function register(program: Command): void {
  program.command("doctor")
    .description("show the adapter, versions and programs, and what to do where something is missing")
    .addOption(deviceOption())
    .option("--fix", "install or fetch a software driver where there is none, as the other commands do")
    .option(
      "--tune",
      "time the kernels' tiles on the adapter, and the vector widths of Mesa's software driver; print the times and " +
        "keep the fastest for the next runs",
    )
    .addOption(new Option(TIME_BLOCK, "print the processor time of an Evoformer block, ms").hideHelp())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExit code 0 if an adapter was found and computes right, else 1.\n\nExample:\n  denofold doctor --tune",
    )
    .action(doctor);
}

interface DoctorOptions {
  device: string;
  fix?: boolean;
  tune?: boolean;
  timeBlock?: boolean;
  json?: boolean;
}

async function doctor({ device, fix, tune, timeBlock, json }: DoctorOptions): Promise<void> {
  const open = () => ensureAdapter({ device, install: fix ?? false });
  if (timeBlock) return console.log(await onDevice((await open()).adapter, timeBlockText));
  if (tune) await timeVectorWidths({ device, log: console.error });
  const findings = await examine(open);
  const tuned = tune && findings.ok ? await onDevice((await open()).adapter, retune) : undefined;
  if (json) console.log(JSON.stringify({ ...findings, ...tuned }, undefined, 2));
  else console.log(tuned ? `${table(findings)}\n\n${tuningText(tuned.tuning, tuned.measured)}` : table(findings));
  if (!findings.ok) Deno.exitCode = EXIT.failure;
}

async function onDevice<T>(adapter: GPUAdapter, use: (device: Device) => Promise<T>): Promise<T> {
  const device = await Device.open(adapter);
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
      ["timestamps", yesNo(adapter.timestamps)],
      ["kernels", adapter.kernelFamily],
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
  lines.push("", findings.ok ? "Ready." : "Not ready:");
  for (const { problem, advice } of findings.problems) lines.push(`- ${problem}${advice ? `\n  ${advice}` : ""}`);
  return lines.join("\n");
}

function subgroups([least, most]: [number, number]): string {
  if (most === 0) return "none";
  return least === most ? `${least} lanes` : `${least} to ${most} lanes`;
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
