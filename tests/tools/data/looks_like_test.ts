import assert from "node:assert/strict";
import { checkData } from "../../../tools/check_data/check_data.ts";
import { readTableRows } from "../../../tools/data/table.ts";
import { looksLike } from "../../../tools/data/looks_like.ts";
import { readAlignment } from "../../../tools/data/read_alignment.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";
import { readTrainedModel } from "../../../tools/fold/predict.ts";
import { readAttentionModel } from "../../../tools/networks/read_network.ts";
import { FINGERS } from "../fold/_fingers.ts";
import { withFiles } from "../prep/_inputs.ts";

Deno.test("looksLike() knows files by how they begin", () => {
  const kind = (text: string) => looksLike(new TextEncoder().encode(text))?.kind;
  assert.deepEqual(
    ["# words\ndata_1ABC\n", "ATOM      1  N", ">q\nMKV", "# STOCKHOLM 1.0\n", "pdb_id,label\n", "hello", ""].map(kind),
    ["structure", "structure", "alignment", "alignment", "table", undefined, undefined],
  );
});

Deno.test("swapped arguments are recognized", () =>
  withFiles(
    {
      ...{ "odd.pdb": ">q\nMKV\n", "odd.a3m": "id,sequence\na,MKV\n", "data.csv": "data_id,x\n1,2\n" },
      "odd.csv": "ATOM      1  N   MET A   1       0.000   0.000   0.000  1.00 20.00           N\n",
      "a.a3m": ">q\nMKV\n",
      "x.dat": "# STOCKHOLM 1.0\n",
      "s.safetensors": '\x10\0\0\0\0\0\0\0{"a":1}',
    },
    async (at) => {
      await assert.rejects(
        readStructure(`${at}/a.a3m`),
        /it looks like sequences or an alignment \(FASTA, A3M\): were two arguments swapped\?/,
      );
      await assert.rejects(
        readAlignment(`${FINGERS}1znf.cif`),
        /1znf\.cif is a structure \(mmCIF\), expected an alignment/,
      );
      await assert.rejects(readStructure(`${at}/odd.pdb`), /odd\.pdb is sequences or an alignment .*swapped\?/);
      await assert.rejects(readAlignment(`${at}/odd.a3m`), /odd\.a3m is a table, expected an alignment/);
      const rows = (path: string) => Array.fromAsync(readTableRows(path));
      await assert.rejects(rows(`${at}/odd.csv`), /odd\.csv is a structure \(PDB\), expected a table: were two arg/);
      await assert.rejects(rows(`${at}/a.a3m`), /a\.a3m is sequences or an alignment \(FASTA, A3M\), expected a table/);
      assert.equal((await rows(`${at}/data.csv`)).length, 1);
      await assert.rejects(
        checkData({ csv: `${at}/a.a3m`, structures: [`${at}/a.a3m`] }),
        /a\.a3m is no table by its name, .*; it looks like sequences or an alignment \(FASTA, A3M\): were two/,
      );
      await assert.rejects(readAlignment(`${at}/s.safetensors`), /is a safetensors file, expected an alignment/);
      await assert.rejects(
        readTrainedModel(`${at}/a.a3m`),
        /a\.a3m is sequences or an alignment .*expected a checkpoint/,
      );
      await assert.rejects(readAttentionModel(`${at}/x.dat`), /is an alignment \(Stockholm\), expected parameters/);
    },
  ));
