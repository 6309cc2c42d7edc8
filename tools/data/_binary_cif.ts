/**
 * Reads BinaryCIF, through Mol*'s reader.
 *
 * Source: Sehnal et al. (2020), "BinaryCIF and CIFTools".
 */
import type { CifField } from "molstar/lib/mol-io/reader/cif.js";
import { InputError } from "../errors.ts";
import type { CifBlock, CifColumn } from "./_cif_reader.ts";
import { isWholeMessagePack } from "./_message_pack.ts";

/**
 * Reads the data blocks of a BinaryCIF.
 *
 * @param source Name of the file, for messages.
 * @throws {InputError} If it is damaged. Columns are decoded when they are first looked at, and throw any error then.
 */
export async function parseBinaryCif(data: Uint8Array, source: string): Promise<CifBlock[]> {
  const damaged = new InputError(`Cannot read ${source} as BinaryCIF: it is damaged or cut short`);
  if (!isWholeMessagePack(data)) throw damaged;
  const { CIF } = await import("molstar/lib/mol-io/reader/cif.js");
  const read = await CIF.parseBinary(data).run().catch(() => undefined); // Mol* trips over what it does not expect
  if (read === undefined || read.isError) throw damaged;
  return read.result.blocks.map(({ header, categories }) => ({
    header,
    table(category) {
      const found = categories[category];
      return found && {
        rowCount: found.rowCount,
        column(item) {
          const field = found.getField(item);
          return field && columnOf(field);
        },
      };
    },
  }));
}

function columnOf(field: CifField): CifColumn {
  const has = (row: number): boolean => row < field.rowCount && field.valueKind(row) === 0;
  return {
    rowCount: field.rowCount,
    has,
    text: (row) => has(row) ? field.str(row) : "",
    number: (row) => has(row) ? field.float(row) : NaN,
    isSame: (one, other) => field.areValuesEqual(one, other),
    line: () => undefined,
  };
}
