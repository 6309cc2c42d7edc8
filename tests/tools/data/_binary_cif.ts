import assert from "node:assert/strict";
import { CIF } from "molstar/lib/mol-io/reader/cif.js";
import { CifWriter } from "molstar/lib/mol-io/writer/cif.js";

/** Writes text CIF as BinaryCIF, coordinates and such as numbers. */
export async function toBinaryCif(text: string): Promise<Uint8Array> {
  const parsed = await CIF.parse(text).run();
  assert.ok(!parsed.isError);
  const encoder = CifWriter.createEncoder({ binary: true });
  encoder.startDataBlock(parsed.result.blocks[0].header);
  for (const category of Object.values(parsed.result.blocks[0].categories)) {
    const fields = CifWriter.fields<number, undefined>();
    for (const name of category.fieldNames) {
      const field = category.getField(name);
      assert.ok(field !== undefined);
      const valueKind = (row: number) => field.valueKind(row);
      if (/^Cartn|occupancy|B_iso|high$/.test(name)) fields.float(name, (row) => field.float(row), { valueKind });
      else if (/seq|num$|^id$/.test(name) && category.name === "atom_site") {
        fields.int(name, (row) => field.int(row), { valueKind });
      } else fields.str(name, (row) => field.str(row), { valueKind });
    }
    const source = [{ rowCount: category.rowCount }];
    encoder.writeCategory({ name: category.name, instance: () => ({ fields: fields.getFields(), source }) });
  }
  encoder.encode();
  const data = encoder.getData();
  assert.ok(data instanceof Uint8Array);
  return data;
}
