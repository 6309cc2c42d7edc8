import assert from "node:assert/strict";
import { readmeSteps } from "../../../tools/checks/readme.ts";

Deno.test("readmeSteps() takes every command and script, with its line, and says what is not run", () => {
  const text = [
    "# Title",
    "```sh",
    "deno task demo   # a remark",
    "",
    "# only a remark",
    "denofold predict q.a3m --weights weights/a.pt",
    "```",
    "```ts",
    "const x = 1;",
    "console.log(x);",
    "```",
    "```json",
    "{}",
    "```",
  ].join("\n");
  assert.deepEqual(readmeSteps(text), [
    { line: 3, kind: "sh", text: "deno task demo   # a remark" },
    {
      ...{ line: 6, kind: "sh", text: "denofold predict q.a3m --weights weights/a.pt" },
      reason: "needs published weights, which are downloaded",
    },
    { line: 9, kind: "ts", text: "const x = 1;\nconsole.log(x);" },
  ]);
});

Deno.test("the README's commands are known to the command line", async () => {
  const root = new URL("../../../", import.meta.url);
  const main = await Deno.readTextFile(new URL("tools/cli/main.ts", root));
  const commands = [...main.matchAll(/^ {2}"([a-z-]+)": \{$/gm)].map(([, name]) => name);
  const steps = readmeSteps(await Deno.readTextFile(new URL("README.md", root)));
  const called = steps.flatMap(({ text }) => /^denofold ([a-z-]+)/.exec(text)?.slice(1) ?? []);
  assert.ok(called.length > 3);
  assert.deepEqual(called.filter((name) => !commands.includes(name)), []);
});
