/** Facts of the machine. */

/** The operating system in its own words. */
export function systemName(): string {
  return firstMatch("/etc/os-release", /^PRETTY_NAME="?([^"\n]*)"?$/m) ?? Deno.build.os;
}

/** The processor in its own words. */
export function processorName(): string {
  return firstMatch("/proc/cpuinfo", /^(?:model name|Model)\s*:\s*(.*)$/m) ?? Deno.build.arch;
}

function firstMatch(file: string, pattern: RegExp): string | undefined {
  try {
    return pattern.exec(Deno.readTextFileSync(file))?.[1];
  } catch {
    return undefined; // Not Linux.
  }
}
