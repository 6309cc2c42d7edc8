/**
 * Writes BinaryCIF, through Mol*'s encoder.
 *
 * Source: Sehnal et al. (2020), "BinaryCIF and CIFTools".
 */

/** Items of mmCIF that are written as whole numbers. Names of chains are not among them, though they can be digits. */
const INTEGERS = /^(?:atom_site\.(?:id|label_seq_id|auth_seq_id|pdbx_PDB_model_num)|entity_poly_seq\.num)$/;

/** Items that are written as numbers with a fraction. */
const FLOATS = /^(?:atom_site\.(?:Cartn_[xyz]|occupancy|B_iso_or_equiv)|ma_qa_metric_local\.metric_value)$/;

/** The bytes of a BinaryCIF that says the same as an mmCIF text; coordinates as its decimals say them. */
export async function toBinaryCif(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const { CIF } = await import("molstar/lib/mol-io/reader/cif.js");
  const { CifWriter } = await import("molstar/lib/mol-io/writer/cif.js");
  const parsed = await CIF.parseText(text).run();
  if (parsed.isError) throw new TypeError(`Cannot write BinaryCIF: the text is no mmCIF (${parsed.message})`);
  const encoder = CifWriter.createEncoder({ binary: true, encoderName: "denofold" });
  for (const { header, categories, categoryNames } of parsed.result.blocks) {
    encoder.startDataBlock(header);
    for (const name of categoryNames) {
      const category = categories[name];
      const fields = CifWriter.fields<number, undefined>();
      for (const item of category.fieldNames) {
        const field = category.getField(item);
        if (field === undefined) continue;
        const path = `${name}.${item}`, options = { valueKind: (row: number) => field.valueKind(row) };
        if (INTEGERS.test(path)) fields.int(item, (row) => field.int(row), options);
        else if (FLOATS.test(path)) {
          fields.float(item, (row) => field.float(row), { ...options, typedArray: Float64Array });
        } else fields.str(item, (row) => field.str(row), options);
      }
      const source = [{ rowCount: category.rowCount }];
      encoder.writeCategory({ name, instance: () => ({ fields: fields.getFields(), source }) });
    }
  }
  encoder.encode();
  return new Uint8Array(encoder.getData() as Uint8Array<ArrayBuffer>);
}
