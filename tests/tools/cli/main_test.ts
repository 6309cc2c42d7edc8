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

Deno.test("sizes of networks have one name everywhere, and the documentation's beside it", async () => {
  const folder = await Deno.makeTempDir();
  const sizes = ([seqs, len, blocks]: readonly string[]) =>
    denofold(
      ...["train", "--synthetic", seqs, "0", "--out", `${folder}/x`],
      ...[len, "5", blocks, "1"],
    );
  for (const names of [["--n-seq", "--n-res", "--blocks"], ["--num-seqs", "--seq-len", "--num-blocks"]] as const) {
    const { code, stderr } = await sizes(names);
    assert.equal(code, 2, stderr);
    assert.match(
      stderr,
      /option '--num-seqs, --n-seq <n>' argument '0' is invalid\. Expected a whole number above zero/,
    );
  }
  for (const command of ["train", "attention"]) assert.match((await denofold(command, "--help")).stdout, /--n-seq <n>/);
  const { stdout } = await denofold("--help");
  assert.match(stdout, /^Data:\n {2}prep [\s\S]*^Networks:\n {2}train [\s\S]*^Machine:\n {2}plan /m);
  await Deno.remove(folder, { recursive: true });
});
