import assert from "node:assert/strict";
import { formatMmcif } from "../../../tools/data/write_mmcif.ts";
import { encodeTokens } from "../../../tools/data/alignment.ts";
import { distanceTarget, loadFamily, msaTokens, pairFamily } from "../../../tools/data/family.ts";
import { parseAlignment, readAlignment } from "../../../tools/data/read_alignment.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";
import { ATOM_SLOTS } from "../../../model/protein/residues.ts";
import { alphaCarbons, pseudoBeta, selectChain, type Structure } from "../../../tools/data/structure.ts";
import { makeTestChain } from "./_structures.ts";

const EXAMPLES = new URL("../../../examples/zinc_fingers/", import.meta.url).pathname;
const MSA = `${EXAMPLES}zinc_fingers.a3m`;

/** Residues whose C-beta the experiments did not show. */
const WITHOUT_BETA: Readonly<Record<string, number[]>> = { "2drp1": [117], "2drp2": [137, 165] };

/** A structure of one chain A. */
const make = (id: string, sequence: string) => {
  const structure: Structure = { id, source: `${id}.cif`, chains: [makeTestChain("A", sequence)] };
  return { structure, chain: structure.chains[0] };
};

Deno.test("the example family is 15 zinc fingers whose files and rows agree in name and sequence", async () => {
  const files = [...Deno.readDirSync(EXAMPLES)].map((entry) => entry.name).filter((name) => name.endsWith(".cif"))
    .sort();
  assert.equal(files.length, 15);
  const family = await loadFamily({ structures: files.map((name) => EXAMPLES + name), msa: MSA });
  assert.deepEqual(family.members.map((member) => `${member.id}.cif`), files);
  assert.deepEqual([...family.alignment.names].sort(), family.members.map((member) => member.id));
  let bytes = 0;
  for (const entry of Deno.readDirSync(EXAMPLES)) bytes += Deno.statSync(EXAMPLES + entry.name).size;
  assert.ok(bytes < 400_000, `${bytes} bytes`);
  for (const { id, row, chain } of family.members) {
    assert.match(chain.sequence, /^[ACDEFGHIKLMNPQRSTVWY]{25,34}$/, id);
    assert.match(chain.sequence, /C.{2,5}C.{12}H.{3,5}H/, `${id} has the pattern of C2H2 zinc fingers`);
    assert.ok(alphaCarbons(chain).mask.every((there) => there === 1), id);
    const lacking = [...chain.residueNumbers].filter((_, i) => pseudoBeta(chain).mask[i] === 0);
    assert.deepEqual(lacking, WITHOUT_BETA[id] ?? [], id);
    const { names, rows, tokens } = msaTokens(family.alignment, row, 15);
    assert.equal(rows[0], chain.sequence);
    assert.deepEqual(new Set(names), new Set(family.alignment.names));
    assert.equal(tokens.length, 15 * chain.sequence.length);
    assert.deepEqual(tokens.subarray(0, chain.sequence.length), encodeTokens([chain.sequence]));
    for (const text of rows) assert.equal(text.length, chain.sequence.length);
    const { distances, mask } = distanceTarget(chain);
    assert.equal(mask.reduce((sum, there) => sum + there, 0), (chain.sequence.length - lacking.length) ** 2);
    assert.ok(distances.every((distance) => distance >= 0 && distance <= 20));
  }
});

Deno.test("the example files are what the writer makes of them", async () => {
  for (const id of ["1znf", "2drp1"]) {
    const text = await Deno.readTextFile(`${EXAMPLES}${id}.cif`);
    const structure = await readStructure(`${EXAMPLES}${id}.cif`);
    assert.equal(structure.id, id);
    const written = formatMmcif(structure);
    assert.ok(text.includes(written.slice(written.indexOf("_chem_comp.id"))), id);
    assert.match(text, /mustang-testdata/);
  }
});

Deno.test("msaTokens() takes the target's row first and then others, in order or at random by seed", async () => {
  const alignment = await readAlignment(MSA);
  const { names } = alignment;
  assert.deepEqual(msaTokens(alignment, 3, 4).names, [names[3], names[0], names[1], names[2]]);
  assert.deepEqual(msaTokens(alignment, 3, 1).names, [names[3]]);
  assert.equal(msaTokens(alignment, 3, 100).names.length, 15);
  const chosen = msaTokens(alignment, 3, 6, 7);
  assert.deepEqual(msaTokens(alignment, 3, 6, 7), chosen);
  assert.notDeepEqual(msaTokens(alignment, 3, 6, 8).names, chosen.names);
  assert.equal(new Set(chosen.names).size, 6);
  assert.equal(chosen.names[0], names[3]);
});

Deno.test("distanceTarget() clamps, masks missing atoms and takes C-alpha for glycine", () => {
  const chain = makeTestChain("A", "GAAAAAAS");
  chain.atomMask[2 * ATOM_SLOTS + 3] = 0;
  const n = 8;
  const { distances, mask } = distanceTarget(chain, 10);
  const { positions } = pseudoBeta(chain);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const there = i !== 2 && j !== 2;
      const expected = Math.hypot(...[0, 1, 2].map((axis) => positions[3 * i + axis] - positions[3 * j + axis]));
      assert.equal(mask[i * n + j], there ? 1 : 0);
      assert.equal(distances[i * n + j], there ? Math.fround(Math.min(expected, 10)) : 0);
    }
  }
  assert.equal(distances[7], 10);
});

Deno.test("pairFamily() pairs by name, whatever the case, and by name and chain", () => {
  const alignment = parseAlignment(">1ABC_A\nMK-V\n>2def\nMKAV\n", "x.a3m");
  const family = pairFamily([make("2DEF", "MKAV"), make("1abc", "MKV")], alignment);
  assert.deepEqual(family.members.map(({ id, row }) => [id, row]), [["2def", 1], ["1ABC_A", 0]]);
});

Deno.test("pairFamily() and loadFamily() name what does not fit", async () => {
  const alignment = parseAlignment(">1abc\nMK-V\n>2def\nMKAV\n", "x.a3m");
  const cases: [ReturnType<typeof make>[], RegExp][] = [
    [[], /no structures, expected at least one/],
    [[make("3ghi", "MKV")], /x\.a3m has no row "3ghi" for the structure 3ghi\.cif: it has 1abc, 2def/],
    [[make("1abc", "MKV"), make("1ABC", "MKV")], /1abc\.cif and 1ABC\.cif are both named "1abc"/],
    [
      [make("1abc", "MRV")],
      /Row "1abc" of x\.a3m is not the sequence of chain A of 1abc\.cif: residue 2 is K in the alignment, expected R/,
    ],
    [[make("1abc", "MKVV")], /the alignment has 3 residues, expected 4/],
  ];
  for (const [chosen, message] of cases) {
    assert.throws(() => pairFamily(chosen, alignment), { name: "InputError", message });
  }
  await assert.rejects(loadFamily({ structures: [`${EXAMPLES}1znf.cif:Q`], msa: MSA }), /no protein chain Q: it has A/);
  const family = await loadFamily({ structures: [`${EXAMPLES}1znf.cif:A`], msa: MSA });
  assert.equal(selectChain(family.members[0].structure).id, "A");
});
