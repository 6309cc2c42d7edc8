/** The command line started once more: what a driver reads or compiles when it is loaded needs a process of its own. */

/** The command of such a process; its output is piped, and plain. */
export function ownCommand(args: readonly string[], options: Deno.CommandOptions = {}): Deno.Command {
  const own = Deno.build.standalone ? [] : ["run", "-A", "--unstable-webgpu", Deno.mainModule];
  return new Deno.Command(Deno.execPath(), {
    ...{ args: [...own, ...args], stdin: "null", stdout: "piped", stderr: "piped" },
    ...options,
    env: { NO_COLOR: "1", ...options.env },
  });
}

/** The lines of a text that comes in pieces; what follows the last line feed is one, unless it is empty. */
export async function* linesOf(bytes: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string, undefined> {
  let rest = "";
  for await (const text of bytes.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest) yield rest;
  return undefined;
}
