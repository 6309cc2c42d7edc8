/**
 * Checks a size of a network's configuration.
 *
 * @param owner Whose it is, for the message: `The model's`.
 * @throws {RangeError} If it is not a positive integer.
 */
export function checkSize(owner: string, name: string, value: number): void {
  if (Number.isInteger(value) && value > 0) return;
  throw new RangeError(`${owner} ${name} must be a positive integer, got ${value}`);
}
