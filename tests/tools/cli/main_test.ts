import assert from "node:assert/strict";
import config from "../../../deno.json" with { type: "json" };
import { denofold } from "./_run.ts";

Deno.test("denofold --help lists the commands", async () => {
  const { code, stdout, stderr } = await denofold("--help");
  assert.equal(code, 0);
  assert.equal(stderr, "");
  for (const command of ["train", "predict-distances", "mds", "doctor"]) {
    assert.match(stdout, new RegExp(`^  ${command} +\\S`, "m"));
  }
});

Deno.test("denofold --version prints the version of deno.json", async () => {
  assert.deepEqual(await denofold("--version"), { code: 0, stdout: `${config.version}\n`, stderr: "" });
});

Deno.test("denofold help COMMAND and COMMAND --help are the same", async () => {
  const [one, other] = await Promise.all([denofold("help", "doctor"), denofold("doctor", "--help")]);
  assert.equal(one.code, 0);
  assert.match(one.stdout, /--json/);
  assert.deepEqual(one, other);
});

const WRONG: [args: string[], message: RegExp][] = [
  [["doctr"], /^denofold: unknown command 'doctr' \(Did you mean doctor\?\)\n$/],
  [["doctor", "--jsn"], /^denofold: unknown option '--jsn' \(Did you mean --json\?\)\n$/],
  [["doctor", "--device"], /^denofold: option '--device <name>' argument missing\n$/],
  [["doctor", "now"], /^denofold: too many arguments for 'doctor'[^\n]*\n$/],
  [["--wrong"], /^denofold: unknown option '--wrong'\n$/],
  [[], /^Usage: denofold/],
];
for (const [args, message] of WRONG) {
  Deno.test(`denofold ${args.join(" ")} ends with code 2 and one line`, async () => {
    const { code, stdout, stderr } = await denofold(...args);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, message);
  });
}
