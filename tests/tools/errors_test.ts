import assert from "node:assert/strict";
import { asInputError, InputError } from "../../tools/errors.ts";

Deno.test("InputError shows control characters as text and cuts the middle of a very long message", () => {
  const { message } = new InputError("a\x1b[31m\u202eb\nc\ré");
  assert.equal(message, "a\\u001b[31m\\u202eb\nc\\u000dé");
  const long = new InputError(`a.cif: ${"x".repeat(1e6)}, expected less`).message;
  assert.ok(long.length < 2000, `${long.length} characters`);
  assert.match(long, /^a\.cif: x+ … x+, expected less$/);
});

Deno.test("asInputError() turns a reader's SyntaxError into an InputError, and nothing else", () => {
  assert.equal(asInputError(() => 3), 3);
  assert.throws(() => asInputError(() => JSON.parse("{")), InputError);
  const other = new RangeError("x");
  assert.throws(() => {
    asInputError(() => {
      throw other;
    });
  }, other);
});
