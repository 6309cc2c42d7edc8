import type { PackedMaps } from "./attention_data.ts";

/**
 * Packs maps for the page: what is shown in colours needs no more than 16 bits.
 *
 * @param values `[…, query, key]`, none negative.
 * @param mapSize Numbers of a map.
 */
export function packMaps(values: Float32Array, mapSize: number): PackedMaps {
  const count = mapSize === 0 ? 0 : values.length / mapSize;
  const bytes = new Uint8Array(values.length * 2);
  const view = new DataView(bytes.buffer);
  const largest: number[] = [];
  for (let map = 0; map < count; map++) {
    let most = 0;
    for (let i = map * mapSize; i < (map + 1) * mapSize; i++) most = Math.max(most, values[i]);
    const factor = most > 0 ? 65535 / most : 0;
    for (let i = map * mapSize; i < (map + 1) * mapSize; i++) {
      view.setUint16(2 * i, Math.round(values[i] * factor), true);
    }
    largest.push(Number(most.toPrecision(7)));
  }
  return { largest, values: bytes.toBase64() };
}
