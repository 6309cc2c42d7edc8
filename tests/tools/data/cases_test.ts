/** Files of others that were read wrongly once, where they are beside the repository. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseHhr } from "../../../tools/data/hhr.ts";
import { readAlignment } from "../../../tools/data/read_alignment.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";
import { remarkText, warningsOf } from "../../../tools/data/remarks.ts";
import { readTargetTable } from "../../../tools/data/table.ts";
import { collectTargets } from "../../../tools/prep/collect_targets.ts";
import { need, needing } from "../../_needs.ts";
import { account, groups, outline } from "./_records.ts";

const CASES = fileURLToPath(new URL("../../../../shared/cases/", import.meta.url));
const cases = need("golden", existsSync(CASES), "there is no ../shared/cases");

function test(name: string, run: () => Promise<void>): void {
  Deno.test(needing(cases, { name: `case ${name}`, fn: run }));
}

const path = (...names: string[]): string => join(CASES, ...names);

/** Chains of a file, its groups, and the beginnings of its warnings; every atom is accounted for. */
async function structure(folder: string, file: string): Promise<[string[], string[], string[]]> {
  const read = await readStructure(path(folder, file));
  const lines = (await Deno.readTextFile(path(folder, file))).split("\n");
  assert.equal(account(read).atoms, lines.filter((line) => /^(?:ATOM|HETATM)\s/.test(line)).length, file);
  const warnings = warningsOf(read).map((text) => text.split(": ").slice(1).join(": "));
  return [outline(read), groups(read), warnings];
}

const STRUCTURES: [
  folder: string,
  file: string,
  chains: readonly string[],
  groups: readonly string[],
  warning?: RegExp,
][] = [
  ["01_pymol_label_asym_dot", "dimer.cif", ["A MKTAY 1 2 3 4 5", "B GSHWL 1 2 3 4 5"], []],
  ["02_pymol_insertion_codes", "cdr.cif", ["H TSYAGW 51 52 52A 52B 53 54"], []],
  ["02_pymol_insertion_codes", "cdr_same_residues.cif", ["H TSGGGW 51 52 52A 52B 53 54"], []],
  [
    ...["03_pdb_blank_chain_ter_restart", "md_frame.pdb"] as const,
    ...[["A MKTAYI 1 2 3 4 5 6", "B GSHWLK 1 2 3 4 5 6"], [], /second chain without a name/] as const,
  ],
  [
    ...["03_pdb_blank_chain_ter_restart", "homodimer.pdb"] as const,
    ...[["A MKTAYI 1 2 3 4 5 6", "B MKTAYI 1 2 3 4 5 6"], [], /second chain without a name/] as const,
  ],
  [
    ...["03_pdb_blank_chain_ter_restart", "longer_second.pdb"] as const,
    ...[["A MKTAYI 1 2 3 4 5 6", "B MKSAYIAKQR 1 2 3 4 5 6 7 8 9 10"], [], /second chain without a name/] as const,
  ],
  [
    ...["03_pdb_blank_chain_ter_restart", "lower_occupancy_first.pdb"] as const,
    ...[["A MKTAYI 1 2 3 4 5 6", "B MKSAYIAKQR 1 2 3 4 5 6 7 8 9 10"], [], /second chain without a name/] as const,
  ],
  ["04_pdb_two_letter_chains", "big.pdb", ["AA MKTAYI 1 2 3 4 5 6", "BA GSHWLK 1 2 3 4 5 6"], []],
  ["17_cif_auth_columns_only", "auth_only.cif", ["A MKTAY 1 2 3 4 5"], []],
  ["19_entity_id_missing", "phenix_like.cif", ["A MKTAY 1 2 3 4 5", "B GSHWL 1 2 3 4 5"], []],
  ["19_entity_id_missing", "type_unknown.cif", ["A MKTAY 1 2 3 4 5", "B GSHWL 1 2 3 4 5"], []],
  ["25_charmm_names", "charmm.pdb", ["A MIHK 1 2 3 4"], []],
  ["31_seqres_two_letter", "ecod.pdb", ["AA MKTAYI 1- 2 3 4 5 6"], []],
  ["42_cif_ions_in_chain", "calcium.cif", ["A MKTAY 1 2 3 4 5"], ["GLU A 401", "CA A 201"]],
  ["47_seqres_protonation_names", "amber.pdb", ["A MKTHYI 1 2 3- 4 5 6"], []],
  ["47_seqres_protonation_names", "control.pdb", ["A MKTHYI 1 2 3- 4 5 6"], []],
];
for (const [folder, file, chains, others, warning] of STRUCTURES) {
  test(`${folder}: ${file}`, async () => {
    const [found, hetero, warnings] = await structure(folder, file);
    assert.deepEqual([found, hetero], [chains, others]);
    assert.equal(warnings.length, warning === undefined ? 0 : 1);
    if (warning !== undefined) assert.match(warnings[0], warning);
  });
}

const ALIGNMENTS: [folder: string, file: string, rows: string[] | RegExp, deletions?: string][] = [
  ["07_a3m_nul_bytes", "one_query.a3m", ["MKTAYIAKQR", "MKTAYLAKQR", "MRTAYIAK-R"], "0000002000"],
  ["07_a3m_nul_bytes", "two_queries.a3m", /line 5: a second alignment begins after a NUL/],
  ["08_a3m_colabfold_complex", "pair.a3m", /ColabFold's for a complex, chains of 10,8 residues/],
  ["08_a3m_colabfold_complex", "homodimer.a3m", /ColabFold's for a complex, chains of 10 residues in 2 copies/],
  ["41_a3m_ss_rows", "addss_like.a3m", ["MKTAYIAKQR", "MRTAYLAKQR"]],
  ["41_a3m_ss_rows", "pdb70_like.a3m", ["MKTAYIAKQR", "MRTAYLAKQR"]],
  ["41_a3m_ss_rows", "ss_pred_only.a3m", ["MKTAYIAKQR", "MRTAYLAKQR"]],
  ["50_lower_case_alignment", "same_number_of_gaps.fasta", ["MKTAYIAKQR", "MKTA-IAKQR", "MK-AYIAKQR"]],
  ["50_lower_case_alignment", "different_gaps.fasta", ["MKTAYIAKQR", "MKTA-IAKQR", "MK-AYIAKQR"]],
  ["50_lower_case_alignment", "no_gaps.fasta", ["MKTAYIAKQR", "MRTAYIAKQR", "MKTAYLAKQK"]],
  ["50_lower_case_alignment", "lower_query.a3m", ["MKTAYIAKQR", "MRTAYIAKQR", "MKTAYLAKQK"], "0000002000"],
  ["50_lower_case_alignment", "control.fasta", ["MKTAYIAKQR", "MKTA-IAKQR", "MK-AYIAKQR"]],
];
for (const [folder, file, rows, deletions] of ALIGNMENTS) {
  test(`${folder}: ${file}`, async () => {
    if (rows instanceof RegExp) return await assert.rejects(readAlignment(path(folder, file)), rows);
    const read = await readAlignment(path(folder, file));
    assert.deepEqual(read.rows, rows);
    if (deletions !== undefined) assert.equal(read.deletions.at(-1)?.join(""), deletions);
  });
}

test("43_jackhmmer_stop_in_hit", async () => {
  const read = await readAlignment(path("43_jackhmmer_stop_in_hit", "jackhmmer.sto"));
  assert.deepEqual([read.rows.length, new Set(read.names).size], [12, 12]);
  assert.ok(
    read.names.includes("#hash/1-90") && read.names.includes("//odd/2-90") && !read.names.includes("star/1-91"),
  );
  assert.match(
    warningsOf(read)[0],
    /jackhmmer\.sto line 31: row "star\/1-91" has "\*" at column 41 .*: the row is left out$/,
  );
});

test("32_hhr_annotation_lines", async () => {
  for (const name of ["with_ss_lines", "query_named_consensus", "nan_similarity"]) {
    const file = path("32_hhr_annotation_lines", `${name}.hhr`);
    const { hits: [hit], ...rest } = parseHhr(await Deno.readTextFile(file), file);
    assert.deepEqual([hit.query.slice(0, 12), hit.hitSequence.slice(0, 12), hit.query.length], [
      "IRGTWKHQDHEA",
      "IRQTWKHQRTFA",
      112,
    ]);
    assert.equal(warningsOf(rest).length, name === "nan_similarity" ? 1 : 0);
  }
});

test("11_pdbbind_relations", async () => {
  const rows = await Array.fromAsync(readTargetTable(path("11_pdbbind_relations", "INDEX_general_PL_data.2099")));
  assert.deepEqual(rows.map(({ label, relation = "=", measured }) => `${relation} ${label} ${measured}`), [
    ...["> 5 Kd<10uM", "~ 8.52 IC50~3nM", "= 12.92 Ki=0.12pM", "<= 2 Kd>=10mM", "= 6 Ki=1uM"],
  ]);
  const [odd] = await Array.fromAsync(readTargetTable(path("11_pdbbind_relations", "INDEX_disagree.2099")));
  assert.match(odd.remarks?.map(remarkText)[0] ?? "", /line 1: -logKd\/Ki is 5\.00, but Kd=1nM is 9\.00/);
});

test("21_spreadsheet_tables", async () => {
  const problems = async (file: string) => {
    const { targets } = await collectTargets([path("21_spreadsheet_tables", file)]);
    return targets.map(({ id, problem = "" }) =>
      `${id}: ${/a spreadsheet made (?:a date|a number)|$/.exec(problem)?.[0]}`
    );
  };
  for (const file of ["excel_ids_point.csv", "excel_ids_no_sequence.csv"]) {
    assert.deepEqual((await problems(file)).sort(), [
      ...[
        "02-Mar: a spreadsheet made a date",
        "1.00E+10: a spreadsheet made a number",
        "1.00E+23: a spreadsheet made a number",
      ],
    ]);
  }
  assert.deepEqual(await problems("plain_ids.csv"), ["1e10: ", "1e23: ", "5e55: "]);
});
