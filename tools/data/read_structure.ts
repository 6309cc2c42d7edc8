/** Reads a structure file of any of the known formats. */
import { InputError } from "../errors.ts";
import { decodeText, readFileBytes, unpackMaybeGzip } from "../files.ts";
import { looksLike, swappedText } from "./looks_like.ts";
import { parseMmcif } from "./mmcif.ts";
import { parsePdb } from "./pdb.ts";
import type { ReadStructureOptions, Structure } from "./structure.ts";

const PDB_LINE = /^(?:HEADER|TITLE |REMARK|EXPDTA|SEQRES|MODEL |CRYST1|ATOM {2}|HETATM|COMPND)/m;

/**
 * Reads mmCIF, BinaryCIF or PDB, plain or packed with gzip; the content decides, and the ending where it does not.
 *
 * @throws {InputError} If the file is missing, empty, truncated or of another kind, has no protein chain or
 * not the model that was asked for.
 */
export async function readStructure(path: string, options: ReadStructureOptions = {}): Promise<Structure> {
  return await parseStructure(await readFileBytes(path), path, options);
}

/**
 * Reads the bytes of a structure file as {@linkcode readStructure} does.
 *
 * @param path Name of the file, for messages and its ending.
 * @throws {InputError} As {@linkcode readStructure} does.
 */
export async function parseStructure(
  data: Uint8Array,
  path: string,
  options: ReadStructureOptions = {},
): Promise<Structure> {
  const bytes = unpackMaybeGzip(data, path);
  if (bytes.length === 0) throw new InputError(`${path} is empty, expected an mmCIF or PDB file`);
  if (bytes[0] >= 0x80 && bytes[0] !== 0xef) return await parseMmcif(bytes, path, options);
  const text = decodeText(bytes, path);
  if (text.trim() === "") throw new InputError(`${path} is empty, expected an mmCIF or PDB file`);
  const name = path.toLowerCase();
  const other = looksLike(bytes);
  if (other !== undefined && other.kind !== "structure" && /\.(?:(?:mm)?cif|pdb|ent)(?:\.gz)?$/.test(name)) {
    throw new InputError(`${path} is ${other.words}, expected an mmCIF or PDB file: were two arguments swapped?`);
  }
  if (/^\s*(?:#.*\s+)*data_/i.test(text.slice(0, 100_000)) || /\.(?:mm)?cif(?:\.gz)?$/.test(name)) {
    return await parseMmcif(text, path, options);
  }
  if (PDB_LINE.test(text) || /\.(?:pdb|ent)(?:\.gz)?$/.test(name)) return parsePdb(text, path, options);
  throw new InputError(
    `Cannot read ${path}: it is neither mmCIF (no data_ block) nor PDB (no ATOM record); it begins with ` +
      JSON.stringify(text.trimStart().slice(0, 40)) + swappedText(bytes, "structure"),
  );
}
