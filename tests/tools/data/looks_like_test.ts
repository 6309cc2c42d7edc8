import assert from "node:assert/strict";
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
    { "a.a3m": ">q\nMKV\n", "x.dat": "# STOCKHOLM 1.0\n", "s.safetensors": '\x10\0\0\0\0\0\0\0{"a":1}' },
    async (at) => {
      await assert.rejects(
        readStructure(`${at}/a.a3m`),
        /it looks like sequences or an alignment \(FASTA, A3M\): were two arguments swapped\?/,
      );
      await assert.rejects(
        readAlignment(`${FINGERS}1znf.cif`),
        /1znf\.cif is a structure \(mmCIF\), expected an alignment/,
      );
      await assert.rejects(readAlignment(`${at}/s.safetensors`), /is a safetensors file, expected an alignment/);
      await assert.rejects(
        readTrainedModel(`${at}/a.a3m`),
        /a\.a3m is sequences or an alignment .*expected a checkpoint/,
      );
      await assert.rejects(readAttentionModel(`${at}/x.dat`), /is an alignment \(Stockholm\), expected parameters/);
    },
  ));
