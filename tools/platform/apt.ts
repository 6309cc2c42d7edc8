/** True where this process may install Debian packages: it runs as root on a machine with `apt-get`. */
export function canUseApt(): boolean {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  try {
    return Deno.statSync("/usr/bin/apt-get").isFile && Deno.statSync("/etc/debian_version").isFile;
  } catch {
    return false;
  }
}

/**
 * Installs a Debian package with `apt-get update` and `apt-get install --no-install-recommends`.
 *
 * @returns `undefined` if it went well, else the line in which apt-get says why not.
 */
export async function aptInstall(packageName: string): Promise<string | undefined> {
  const options = [
    "-q",
    "-o",
    "DPkg::Lock::Timeout=300",
    "-o",
    "Acquire::Retries=2",
    "-o",
    "Acquire::http::Timeout=30",
  ];
  const update = await aptGet([...options, "update"]);
  const install = await aptGet([...options, "install", "-y", "--no-install-recommends", packageName]);
  if (install === undefined) return undefined; // A failed update does not matter if the package came in all the same.
  return update === undefined ? install : `${update}; ${install}`;
}

async function aptGet(args: string[]): Promise<string | undefined> {
  const { code, stdout, stderr } = await new Deno.Command("/usr/bin/apt-get", {
    args,
    env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (code === 0) return undefined;
  const text = new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return lines.find((line) => line.startsWith("E:")) ?? lines[0] ?? `apt-get ended with code ${code}`;
}
