import assert from "node:assert/strict";
import { join } from "node:path";
import { ROOT } from "../cli/_run.ts";

/** Runs `.ci/run` with a stand-in for `npx -y deno@… task NAME`, which prints and ends as told; nothing is installed. */
async function run(tasks: { test: string; ok: string }): Promise<{ code: number; last: string }> {
  const folder = await Deno.makeTempDir();
  try {
    const script = (body: string) => `#!/bin/sh\n${body}\n`;
    const npx = `case "$4" in\ntest) ${tasks.test} ;;\nok) ${tasks.ok} ;;\nesac`;
    for (const [name, body] of [["npx", npx], ["apt-get", "exit 100"]]) {
      await Deno.writeTextFile(join(folder, name), script(body));
      await Deno.chmod(join(folder, name), 0o755);
    }
    const { code, stdout } = await new Deno.Command(join(ROOT, ".ci/run"), {
      env: { PATH: `${folder}:${Deno.env.get("PATH")}` },
      stdin: "null",
      stderr: "null",
    }).output();
    return { code, last: new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1) ?? "" };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const GATE = "echo '7 passed, 0 failed'";
const CASES: [what: string, test: string, ok: string, code: number, last: string][] = [
  ["all well", "echo 'ok | 310 passed | 0 failed (2m)'", GATE, 0, "317 passed, 0 failed"],
  [
    "steps and ignored tests",
    "echo 'ok | 31 passed (4 steps) | 0 failed | 12 ignored (2s)'",
    GATE,
    0,
    "38 passed, 0 failed",
  ],
  [
    "failures",
    "echo 'FAILED | 3 passed | 2 failed (1s)'; exit 1",
    "echo '5 passed, 2 failed'; exit 1",
    1,
    "8 passed, 4 failed",
  ],
  [
    "colours",
    "printf '\\033[0m\\033[32mok\\033[0m | 5 passed | 0 failed \\033[38;5;245m(7ms)\\033[0m\\n'",
    GATE,
    0,
    "12 passed, 0 failed",
  ],
  [
    "a test's own words",
    "echo 'x 9 passed ... ok'; echo 'ok | 1 passed | 0 failed (1ms)'; echo bye",
    GATE,
    0,
    "8 passed, 0 failed",
  ],
  ["a crash without a summary", "kill -SEGV $$", GATE, 1, "7 passed, 1 failed"],
  ["a crash after the summary", "echo 'ok | 4 passed | 0 failed (1s)'; exit 3", GATE, 1, "11 passed, 1 failed"],
  ["a gate that does not start", "echo 'ok | 4 passed | 0 failed (1s)'", "exit 1", 1, "4 passed, 1 failed"],
];
for (const [what, test, ok, code, last] of CASES) {
  Deno.test({
    name: `.ci/run counts right: ${what}`,
    ignore: Deno.build.os === "windows",
    fn: async () => assert.deepEqual(await run({ test, ok }), { code, last }),
  });
}
