/** Which of four bytes differ from 0, counted: the top bit of each byte is set if so, and their sum comes to the top. */
function differingBytes(bits: number): number {
  const marks = (((bits & 0x7f7f7f7f) + 0x7f7f7f7f) | bits) & 0x80808080;
  return Math.imul(marks >>> 7, 0x01010101) >>> 24;
}

/**
 * Hamming distances between the rows of an alignment: the part of the columns in which two rows differ. A gap is a letter
 * like any other.
 *
 * @param rows Rows of equal length.
 * @returns The distances of rows i < j one after the other, `[N_seq (N_seq − 1) / 2]`: (0, 1), (0, 2), …, (1, 2), …
 * @throws {RangeError} If the rows are of unequal length, empty, or hold other than single-byte letters.
 */
export function hammingDistances(rows: readonly string[]): Float64Array<ArrayBuffer> {
  const columns = rows[0]?.length ?? 0;
  if (columns === 0) throw new RangeError("Cannot compare rows without columns");
  const words = Math.ceil(columns / 4);
  const bytes = new Uint8Array(rows.length * words * 4);
  rows.forEach((row, r) => {
    if (row.length !== columns) {
      throw new RangeError(
        `Cannot compare rows of unequal length: row 1 has ${columns} columns, row ${r + 1} ${row.length}`,
      );
    }
    for (let c = 0; c < columns; c++) {
      const code = row.charCodeAt(c);
      if (code > 255) throw new RangeError(`Cannot compare "${row[c]}", column ${c + 1} of row ${r + 1}: not a letter`);
      bytes[r * words * 4 + c] = code;
    }
  });
  const packed = new Int32Array(bytes.buffer);
  const distances = new Float64Array(rows.length * (rows.length - 1) / 2);
  let at = 0;
  for (let i = 0; i < rows.length; i++) {
    for (let j = i + 1; j < rows.length; j++) {
      let differing = 0;
      for (let w = 0; w < words; w++) differing += differingBytes(packed[i * words + w] ^ packed[j * words + w]);
      distances[at++] = differing / columns;
    }
  }
  return distances;
}
