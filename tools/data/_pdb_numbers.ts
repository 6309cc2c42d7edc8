/**
 * Residue numbers of PDB files, whose four columns many large files outgrow.
 *
 * Source: Grosse-Kunstleve, "Hybrid-36"; VMD goes on in hexadecimal, GROMACS and AMBER begin again at 0.
 */

/** Numbers that four columns hold. */
const MOST = 9999;

/** Reads the numbers of one chain, in the file's order. */
export class PdbNumbers {
  #text = "";
  #value = 0;
  /** What is in the columns where they hold a plain number. */
  #plain: number | undefined;
  #isHexadecimal = false;
  #offset = 0;

  /** Residues so far whose number is not the one in the columns. */
  renumbered = 0;

  /**
   * The number that columns 23 to 26 say: decimal; beyond 9999 in hybrid-36, in hexadecimal, with a fifth digit in the
   * column of the insertion code, or counted on from 0.
   *
   * @returns The number; `undefined` if it is none.
   */
  read(text: string): number | undefined {
    if (text === this.#text) return this.#value;
    const value = this.#next(text);
    if (value === undefined) return undefined;
    this.#text = text;
    if (value !== Number(text)) this.renumbered++;
    return this.#value = value;
  }

  #next(text: string): number | undefined {
    const hexadecimal = /^[0-9A-Fa-f]{4,5}$/.test(text) ? Number.parseInt(text, 16) : NaN;
    if (this.#isHexadecimal && hexadecimal > MOST) return hexadecimal;
    this.#isHexadecimal = false;
    if (this.#value === MOST && hexadecimal === MOST + 1) {
      this.#isHexadecimal = true;
      return hexadecimal;
    }
    if (/^\*+$/.test(text)) return Math.max(this.#value, MOST) + 1; // who writes this has lost the number
    const before = this.#plain;
    this.#plain = undefined;
    if (/^[+-]?\d+$/.test(text)) {
      const plain = this.#plain = Number(text);
      if (plain === 0 && before === MOST) this.#offset += MOST + 1;
      else if (before !== undefined && plain < before) this.#offset = 0;
      return plain + this.#offset;
    }
    if (/^[A-Z][0-9A-Z]{3}$/.test(text)) return Number.parseInt(text, 36) - 10 * 36 ** 3 + MOST + 1;
    if (/^[a-z][0-9a-z]{3}$/.test(text)) return Number.parseInt(text, 36) + 16 * 36 ** 3 + MOST + 1;
    return undefined;
  }
}
