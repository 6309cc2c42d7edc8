/// <reference lib="dom" />
import type { PackedMap, PackedPositions } from "../report_data.ts";

/** Bytes of base64. */
export function unpackBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Rows of a square map. */
export function unpackMap({ bytes, offset, step }: PackedMap, n: number): number[][] {
  const values = unpackBase64(bytes);
  return Array.from(
    { length: n },
    (_, i) => Array.from(values.subarray(i * n, (i + 1) * n), (byte) => Math.round(100 * (offset + step * byte)) / 100),
  );
}

/** Positions in Å, `[N][3]`. */
export function unpackPositions(packed: PackedPositions): [number, number, number][] {
  const bytes = unpackBase64(packed);
  const whole = new Int16Array(bytes.buffer);
  return Array.from(
    { length: whole.length / 3 },
    (_, i) => [whole[3 * i] / 100, whole[3 * i + 1] / 100, whole[3 * i + 2] / 100],
  );
}
