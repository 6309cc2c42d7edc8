import assert from "node:assert/strict";
import { DeviceLostError } from "../../../core/_failures.ts";
import { reportError } from "../../../tools/cli/_report.ts";
import { InputError, UsageError } from "../../../tools/errors.ts";

/** Runs with console.error replaced and returns what was printed and the exit code. */
function reported(error: unknown): { code: number; printed: string } {
  const original = console.error;
  const lines: string[] = [];
  console.error = (...parts) =>
    lines.push(parts.map((part) => part instanceof Error ? part.stack : String(part)).join(" "));
  try {
    return { code: reportError(error), printed: lines.join("\n") };
  } finally {
    console.error = original;
  }
}

Deno.test("reportError() prints what the user can mend in one line, without a stack", () => {
  const errors = [new InputError("a.cif: bad"), new SyntaxError("a.cif: bad"), new DeviceLostError("a.cif: bad")];
  for (const error of errors) assert.deepEqual(reported(error), { code: 1, printed: "denofold: a.cif: bad" });
  assert.deepEqual(reported(new UsageError("which?")), { code: 2, printed: "denofold: which?" });
});

Deno.test("reportError() says in one line that another error is a bug and how to see where", () => {
  const { code, printed } = reported(new TypeError("cannot add\n  x and y"));
  assert.equal(code, 1);
  assert.match(
    printed,
    /^denofold: unexpected error: cannot add x and y \(a bug in denofold; DENOFOLD_DEBUG=1 shows where\)$/,
  );
  assert.match(reported("just text").printed, /just text/);
});

Deno.test("reportError() prints the stack with DENOFOLD_DEBUG", () => {
  const before = Deno.env.get("DENOFOLD_DEBUG");
  Deno.env.set("DENOFOLD_DEBUG", "1");
  try {
    assert.match(reported(new InputError("a.cif: bad")).printed, /report_test\.ts:\d+/);
  } finally {
    if (before === undefined) Deno.env.delete("DENOFOLD_DEBUG");
    else Deno.env.set("DENOFOLD_DEBUG", before);
  }
});
