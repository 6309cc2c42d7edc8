import assert from "node:assert/strict";
import { checkFile } from "../../../tools/checks/layers.ts";

const RULES: [what: string, file: string, line: string, offends: boolean][] = [
  ["a layer imports a lower one", "ops/a.ts", `import { x } from "../core/b.ts";`, false],
  ["a layer imports a higher one", "core/a.ts", `import { x } from "../ops/b.ts";`, true],
  ["a type counts too", "ops/a.ts", `import type { X } from "../model/b.ts";`, true],
  ["an export counts too", "model/x/a.ts", `export * from "../../finetune/b.ts";`, true],
  ["a late import counts too", "finetune/a.ts", `const x = await import("../tools/b.ts");`, true],
  ["an import for its effects counts too", "core/a.ts", `import "../tools/b.ts";`, true],
  ["a layer imports itself", "tools/data/a.ts", `import { x } from "../files.ts";`, false],
  ["tools import tests", "tools/a.ts", `import { x } from "../tests/_gpu.ts";`, true],
  ["tests import everything", "tests/core/a_test.ts", `import { x } from "../../tools/b.ts";`, false],
  ["the root module leaves tools out", "mod.ts", `export * from "./tools/mod.ts";`, true],
  ["the root module has the rest", "mod.ts", `export * from "./finetune/mod.ts";`, false],
  ["tools read deno.json", "tools/a/b.ts", `import c from "../../deno.json" with { type: "json" };`, false],
  ["core reads deno.json", "core/a.ts", `import c from "../deno.json" with { type: "json" };`, true],
  ["tools import a mapped package", "tools/a.ts", `import { Command } from "commander";`, false],
  ["tools import a part of one", "tools/a.ts", `import { x } from "molstar/lib/x.js";`, false],
  ["tools import another package", "tools/a.ts", `import { x } from "npm:left-pad";`, true],
  ["tools import from JSR", "tools/a.ts", `import { x } from "jsr:@std/path";`, true],
  ["core imports a package", "core/a.ts", `import { Command } from "commander";`, true],
  ["core imports a builtin of Node", "core/a.ts", `import assert from "node:assert/strict";`, true],
  ["model calls Deno", "model/a.ts", `const x = Deno.env.get("X");`, true],
  ["tools call Deno", "tools/a.ts", `const x = Deno.env.get("X");`, false],
  ["model calls Deno in a template", "model/a.ts", "const x = `${Deno.pid}`;", true],
  ["an import in a template", "core/a.ts", 'const x = `import "../tools/b.ts";`;', false],
  ["an import in a string", "core/a.ts", `const x = ["a from", "../tools/b.ts"];`, false],
  ["core asks whether it is in Deno", "core/a.ts", `const inDeno = "Deno" in globalThis;`, false],
  ["an example in a comment", "core/a.ts", ` * import assert from "node:assert/strict"; Deno.exit() */`, false],
  ["a string is no comment", "core/a.ts", `const url = "https://x"; import "../ops/b.ts";`, true],
  ["Array.from is no import", "tools/a.ts", `const x = Array.from("ABC");`, false],
];
for (const [what, file, line, offends] of RULES) {
  Deno.test(`layer check: ${what}${offends ? " (not allowed)" : ""}`, () => {
    const text = `/**\n * Text.\n${line.startsWith(" *") ? line : ` */\n\n${line}`}\n`;
    const found = checkFile(file, text, ["commander", "molstar"]);
    assert.deepEqual(found.map((offence) => [offence.file, offence.line]), offends ? [[file, 5]] : []);
  });
}
