/**
 * CRC-32 of bytes, as in gzip and zip; pass an earlier result to go on from it.
 *
 * Source: RFC 1952, section 8.
 */
export function crc32(bytes: Uint8Array, previous = 0): number {
  let crc = ~previous;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    crc = TABLE[768 + (crc & 255)] ^ TABLE[512 + ((crc >>> 8) & 255)] ^ TABLE[256 + ((crc >>> 16) & 255)] ^
      TABLE[crc >>> 24];
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[at]) & 255];
  return ~crc >>> 0;
}

/** Four tables of 256: the remainder of a byte followed by 0, 1, 2, 3 zero bytes. */
const TABLE = /* @__PURE__ */ makeTable();

function makeTable(): Int32Array {
  const table = new Int32Array(1024);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    table[byte] = crc;
  }
  for (let i = 256; i < 1024; i++) table[i] = (table[i - 256] >>> 8) ^ table[table[i - 256] & 255];
  return table;
}
