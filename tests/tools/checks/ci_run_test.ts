import assert from "node:assert/strict";
import { join } from "node:path";
import { needing, POSIX } from "../../_needs.ts";
import { ROOT } from "../cli/_run.ts";

/** What the tasks of `.ci/run` do, as shell commands; one that is not named passes once. */
interface Tasks {
  /** The whole suite. */
  test?: string;
  /** The gate. */
  ok?: string;
  /** Debian 13. */
  debian13?: string;
  /** SwiftShader. */
  swiftshader?: string;
  /** SwiftShader through Dawn. */
  dawn?: string;
}

/** Runs `.ci/run` with a stand-in for `npx -y deno@… task NAME`; nothing is installed. */
async function run(tasks: Tasks): Promise<{ code: number; lines: string[] }> {
  const folder = await Deno.makeTempDir();
  try {
    const once = "echo '1 passed, 0 failed'";
    const command = (name: keyof Tasks) => tasks[name] ?? once;
    const npx = `case "$*" in *checks/readme.ts*) echo '0 passed, 0 failed'; exit 0 ;; esac
    case "$3.$4.\${5-}.\${DENOFOLD_WEBGPU-}.\${DENOFOLD_DEVICE-}" in
      install.*) ;;
      task.test.*) ${command("test")} ;;
      task.ok.*) ${command("ok")} ;;
      task.readme.*) echo '0 passed, 0 failed' ;;
      task.test:environment.kernels..swiftshader) ${command("swiftshader")} ;;
      task.test:environment.training.dawn.swiftshader) ${command("dawn")} ;;
      task.test:debian13.deno..) ${command("debian13")} ;;
      task.test:debian13.deno.dawn.) ${once} ;;
      *) echo "unknown: $*"; exit 9 ;;
    esac`;
    for (const [name, body] of [["npx", npx], ["apt-get", "exit 100"]]) {
      await Deno.writeTextFile(join(folder, name), `#!/bin/sh\n${body}\n`);
      await Deno.chmod(join(folder, name), 0o755);
    }
    const { code, stdout } = await new Deno.Command(join(ROOT, ".ci/run"), {
      env: { PATH: `${folder}:${Deno.env.get("PATH")}`, DENOFOLD_WEBGPU: "", DENOFOLD_DEVICE: "" },
      stdin: "null",
      stderr: "null",
    }).output();
    return { code, lines: new TextDecoder().decode(stdout).trimEnd().split("\n") };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

// The other steps pass once each.
const CASES: [what: string, tasks: Tasks, code: number, last: string][] = [
  ["all well", { test: "echo 'ok | 310 passed | 0 failed (2m)'" }, 0, "315 passed, 0 failed"],
  ["steps", { test: "echo 'ok | 31 passed (4 steps) | 0 failed (2s)'" }, 0, "36 passed, 0 failed"],
  [
    "failures",
    { test: "echo 'FAILED | 3 passed | 2 failed (1s)'; exit 1", ok: "echo '5 passed, 2 failed'; exit 1" },
    1,
    "12 passed, 4 failed",
  ],
  [
    "failures in an environment",
    { debian13: "echo '5 passed, 2 failed'; exit 1", dawn: "echo '0 passed, 1 failed'; exit 1" },
    1,
    "9 passed, 3 failed",
  ],
  [
    "colours",
    { test: "printf '\\033[0m\\033[32mok\\033[0m | 5 passed | 0 failed \\033[38;5;245m(7ms)\\033[0m\\n'" },
    0,
    "10 passed, 0 failed",
  ],
  [
    "a test's own words",
    { test: "echo 'x 9 passed ... ok'; echo 'ok | 1 passed | 0 failed (1ms)'; echo bye" },
    0,
    "6 passed, 0 failed",
  ],
  ["a crash without a summary", { test: "kill -SEGV $$" }, 1, "5 passed, 1 failed"],
  ["a crash after the summary", { test: "echo 'ok | 4 passed | 0 failed (1s)'; exit 3" }, 1, "9 passed, 1 failed"],
  ["a gate that does not start", { ok: "exit 1" }, 1, "5 passed, 1 failed"],
  [
    "tests that are ignored in silence",
    {
      test: "printf 'skipped [golden] one\\tthere is none\\none ... ignored (0ms)\\ntwo: 2 ... ignored (0ms)\\n'; " +
        "echo 'ok | 3 passed | 0 failed | 2 ignored (1s)'",
    },
    1,
    "8 passed, 1 failed",
  ],
];
for (const [what, tasks, code, last] of CASES) {
  Deno.test(needing(POSIX, {
    name: `.ci/run counts right: ${what}`,
    async fn() {
      const { lines, ...outcome } = await run(tasks);
      assert.deepEqual({ code: outcome.code, last: lines.at(-1) }, { code, last }, lines.join("\n"));
    },
  }));
}

Deno.test(needing(POSIX, {
  name: ".ci/run lists what each step skipped, and an environment that cannot be had is no failure",
  async fn() {
    const skipped = (kind: string, name: string, reason: string) => `skipped [${kind}] ${name}\\t${reason}\\n`;
    const golden = [
      skipped("golden", "alpha", "nothing covers it yet"),
      skipped("golden", "beta: 2", "nothing covers it yet"),
      skipped("golden", "gamma", "no description"),
    ];
    const { code, lines } = await run({
      swiftshader: `printf '${golden.join("")}3 passed, 0 failed\\n'`,
      debian13: `printf '${skipped("debian13", "this environment", "debootstrap is not there")}0 passed, 0 failed\\n'`,
    });
    assert.equal(code, 0);
    const text = lines.join("\n");
    assert.match(text, /^swiftshader: 3 passed, 0 failed, 3 skipped \(\d+ s\)$/m);
    assert.match(text, /^ {2}2 for golden: nothing covers it yet: alpha; beta: 2$/m);
    assert.match(text, /^ {2}1 for golden: no description: gamma$/m);
    assert.match(text, /^debian13: 0 passed, 0 failed, 1 skipped \(\d+ s\)\n {2}1 for debian13: debootstrap is /m);
    assert.equal(lines.at(-1), "7 passed, 0 failed");
    assert.match(text, /^\[swiftshader\] skipped \[golden\] alpha\t/m);
  },
}));
