import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeSafetensors, type NamedArray, parseSafetensors } from "../../model/weights/safetensors.ts";
import { main } from "../../tools/oracle/main.ts";
import { type CaseReport, findCases, formatReport, runCase } from "../../tools/oracle/runner.ts";
import { gpuTest } from "../_gpu.ts";
import { golden } from "../_needs.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures/seeds", import.meta.url));
const SHARED = golden("seeds");

/** Runs the command in this process; what it prints comes back. */
async function oracle(...args: string[]): Promise<{ code: number; lines: string[]; errors: string[] }> {
  const lines: string[] = [], errors: string[] = [];
  const { log, error } = console;
  console.log = (line: string) => lines.push(line);
  console.error = (line: string) => errors.push(line);
  try {
    return { code: await main(args), lines, errors };
  } finally {
    Object.assign(console, { log, error });
  }
}

/** A folder with a changed copy of a fixture. */
async function changed(
  name: string,
  change: { tensors?: (tensors: Map<string, NamedArray>) => void; text?: (text: string) => string },
): Promise<{ folder: string; path: string }> {
  const folder = await Deno.makeTempDir();
  const path = join(folder, name);
  const { tensors } = parseSafetensors(await Deno.readFile(join(FIXTURES, `${name}.safetensors`)), name);
  const text = await Deno.readTextFile(join(FIXTURES, `${name}.json`));
  change.tensors?.(tensors);
  await Deno.writeFile(`${path}.safetensors`, encodeSafetensors(tensors));
  await Deno.writeTextFile(`${path}.json`, change.text?.(text) ?? text);
  return { folder, path };
}

/** Adds to one number of a tensor. */
function nudge(tensors: Map<string, NamedArray>, name: string, at: number, by: number): void {
  const { data } = tensors.get(name)!;
  assert(data instanceof Float32Array);
  data[at] += by;
}

const COVERED = [
  "luc_dihedral_nerf",
  "luc_kabsch",
  "luc_mds",
  "luc_mds_fix_mirror",
  "luc_metrics",
  "tof_msa_column_attention",
  "tof_structure_module",
];

Deno.test({
  name: "oracle passes the fixtures, prints a line a case, and skips what has no description",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { code, lines, errors } = await oracle(FIXTURES);
    assert.equal(code, 0, [...lines, ...errors].join("\n"));
    for (const name of COVERED) {
      const line = lines.find((line) => line.split(/\s+/)[1] === name);
      assert.match(line ?? "", /^passed +\S+ +[\d.e-]+ of the tolerance in (out|grad_in|grad_param)\//);
    }
    assert(lines.some((line) => /^skipped +luc_head_extras /.test(line)));
    assert.match(lines.at(-1)!, new RegExp(`^${COVERED.length} passed, 0 failed, \\d+ skipped$`));

    const json = await oracle(FIXTURES, "--json");
    assert.equal(json.code, 0);
    const reports: CaseReport[] = json.lines.map((line) => JSON.parse(line));
    assert.equal(reports.length, (await findCases(FIXTURES)).length);
    const [all, others] = [await findCases(join(FIXTURES, "..")), await findCases(join(FIXTURES, ".."), "seeds")];
    assert.deepEqual(others, all.filter((path) => !path.startsWith(FIXTURES)));
    assert(others.length > 0);
    for (const { case: name, file, status, worst, tensor } of reports) {
      assert.equal(status, COVERED.includes(name) ? "passed" : "skipped", name);
      assert(file.endsWith(`${name}.safetensors`));
      assert(status === "skipped" ? worst === null && tensor === null : worst !== null && worst <= 1 && tensor);
    }
  },
});

Deno.test({
  name: "oracle ends with exit code 1 if a case failed, and 0 if all were passed or skipped",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { folder } = await changed("luc_kabsch", { tensors: (t) => nudge(t, "out/X_aligned", 7, 0.01) });
    const broken = await oracle(folder, "--json");
    assert.equal(broken.code, 1);
    const report: CaseReport = JSON.parse(broken.lines.join(""));
    assert.equal(report.status, "failed");
    assert.equal(report.tensor, "out/X_aligned");
    assert(report.worst! > 10);
    const text = await oracle(folder);
    assert.equal(text.code, 1);
    assert.match(text.lines.at(-2)!, /^failed +luc_kabsch .*element 7 is /);
    assert.equal(text.lines.at(-1), "0 passed, 1 failed, 0 skipped");

    const unknown = await changed("luc_kabsch", { text: (text) => text.replace('"luc_kabsch"', '"luc_unheard_of"') });
    const skipped = await oracle(unknown.folder);
    assert.equal(skipped.code, 0);
    assert.match(skipped.lines.at(-2)!, /^skipped +luc_unheard_of +nothing covers it yet$/);
    for (const { folder: made } of [{ folder }, unknown]) await Deno.remove(made, { recursive: true });
  },
});

Deno.test("oracle refuses wrong usage with exit code 2, and a folder without cases with 1", async () => {
  assert.equal((await oracle()).code, 2);
  assert.equal((await oracle("a", "b")).code, 2);
  const flag = await oracle(FIXTURES, "--jsno");
  assert.equal(flag.code, 2);
  assert.match(flag.errors[0], /^denofold: unknown flag --jsno/);
  const missing = await oracle(join(FIXTURES, "nowhere"));
  assert.equal(missing.code, 1);
  assert.match(missing.errors[0], /^denofold: Cannot walk .*nowhere: there is no such folder$/);
  const empty = await Deno.makeTempDir();
  assert.equal((await oracle(empty)).code, 1);
  await Deno.remove(empty);
});

type Change = Parameters<typeof changed>[1];

/** What is done to a case, and what must be said of it. */
const BROKEN: [string, string, Change, RegExp][] = [
  [
    "a changed output of a model",
    "tof_structure_module",
    { tensors: (t) => nudge(t, "out/distances", 3, 0.02) },
    /^out\/distances: element 3 is/,
  ],
  [
    "a changed gradient of a parameter",
    "tof_msa_column_attention",
    { tensors: (t) => nudge(t, "grad_param/k_proj.weight", 5, 0.02) },
    /^grad_param\/k_proj.weight: element 5 is/,
  ],
  [
    "a changed gradient of an input",
    "tof_msa_column_attention",
    { tensors: (t) => nudge(t, "grad_in/msa", 11, 0.02) },
    /^grad_in\/msa: element 11 is/,
  ],
  [
    "an output that is not ours",
    "luc_kabsch",
    { tensors: (t) => t.set("out/more", t.get("out/Y_centred")!) },
    /^out\/more: there is no such tensor/,
  ],
  [
    "NaN among the golden numbers",
    "luc_metrics",
    { tensors: (t) => nudge(t, "out/rmsd", 1, NaN) },
    /^out\/rmsd: element 1 is .*NaN/,
  ],
  [
    "NaN among ours",
    "tof_structure_module",
    { tensors: (t) => nudge(t, "in/pair", 0, NaN) },
    /element \d+ is NaN/,
  ],
  [
    "another angle",
    "luc_dihedral_nerf",
    { tensors: (t) => nudge(t, "out/dihedral_abcd", 2, 0.01) },
    /^out\/dihedral_abcd/,
  ],
  ["a whole turn and a bit", "luc_dihedral_nerf", {
    tensors: (t) => nudge(t, "out/dihedral_abcd", 2, 2 * Math.PI + 0.01),
  }, /^out\/dihedral_abcd/],
  ["another count", "luc_mds_fix_mirror", {
    tensors: (t) => (t.get("out/negative_phi_counts")!.data as Int32Array)[1]++,
  }, /^out\/negative_phi_counts/],
  [
    "a run that lies elsewhere",
    "luc_mds_fix_mirror",
    { tensors: (t) => nudge(t, "out/all_mirror_coords", 50, 0.3) },
    /^out\/all_mirror_coords/,
  ],
  [
    "another first step",
    "luc_mds",
    { tensors: (t) => nudge(t, "out/unweighted_it1_coords", 8, 0.01) },
    /^out\/unweighted_it1_coords/,
  ],
  [
    "another long run",
    "luc_mds",
    { tensors: (t) => nudge(t, "out/unweighted_it2000_coords", 8, 0.3) },
    /^out\/unweighted_it2000_coords/,
  ],
  [
    "another weighted run",
    "luc_mds",
    { tensors: (t) => nudge(t, "out/weighted_it10_distances", 8, 0.3) },
    /^out\/weighted_it10_distances/,
  ],
  [
    "another history",
    "luc_mds",
    { tensors: (t) => nudge(t, "out/unweighted_it60_history", 19, 0.3) },
    /^out\/unweighted_it60_history: element 19/,
  ],
  [
    "another figure in the description",
    "luc_mds",
    { text: (text) => text.replace(/("unweighted_it2000":[^}]*"dist_rmse": )[\d.e-]+/, "$10.5") },
    /^values\/unweighted_it2000_dist_rmse/,
  ],
  [
    "a parameter that is missing",
    "tof_structure_module",
    { tensors: (t) => void t.delete("param/distance_pred.weight") },
    /no tensor param\/distance_pred.weight/,
  ],
  [
    "a parameter that the model lacks",
    "tof_structure_module",
    { tensors: (t) => t.set("param/distance_pred.bias", { dtype: "F32", shape: [1], data: Float32Array.of(1) }) },
    /a parameter distance_pred.bias that the model lacks/,
  ],
  [
    "a config that does not fit the parameters",
    "tof_structure_module",
    { text: (text) => text.replace('"pair_dim": 24', '"pair_dim": 32') },
    /param\/distance_pred.weight is \[1,24\], the model with this config has \[1,32\]/,
  ],
  [
    "a config without a size",
    "tof_structure_module",
    { text: (text) => text.replace('"pair_dim"', '"pear_dim"') },
    /config.pair_dim is undefined, expected a number/,
  ],
  [
    "a tolerance that says nothing",
    "luc_kabsch",
    { text: (text) => text.replace("rtol 1e-4, atol 1e-4", "about right") },
    /the tolerance "about right" states no bound/,
  ],
  [
    "a description without its end",
    "luc_kabsch",
    { text: (text) => text.slice(0, 80) },
    /Cannot read .*luc_kabsch.json as JSON/,
  ],
  [
    "a description without a name",
    "luc_kabsch",
    { text: (text) => text.replace('"case"', '"name"') },
    /luc_kabsch.json has no "case"/,
  ],
  ["a description that is a list", "luc_kabsch", { text: () => "[1, 2]" }, /expected a JSON object/],
];
for (const [what, name, change, message] of BROKEN) {
  gpuTest(`oracle fails a case with ${what}`, async (device) => {
    const { folder, path } = await changed(name, change);
    const report = await runCase(device, path);
    assert.equal(report.status, "failed");
    assert.match(report.message ?? "", message);
    assert(!formatReport(report, 0).includes("\n"));
    await Deno.remove(folder, { recursive: true });
  });
}

gpuTest("oracle fails a case whose tensors are cut short, empty or a folder", async (device) => {
  const { folder, path } = await changed("luc_kabsch", {});
  const file = `${path}.safetensors`;
  const whole = await Deno.readFile(file);
  for (const length of [0, 5, 40, whole.length - 3]) {
    await Deno.writeFile(file, whole.subarray(0, length));
    const report = await runCase(device, path);
    assert.equal(report.status, "failed");
    assert.equal(report.case, "luc_kabsch");
    assert.match(report.message!, /Cannot read .*luc_kabsch\.safetensors as safetensors/);
  }
  await Deno.remove(file);
  await Deno.mkdir(file);
  assert.equal((await runCase(device, path)).status, "failed");
  await Deno.remove(folder, { recursive: true });
});

gpuTest("oracle takes a case by source and the beginning of its name", async (device) => {
  const rename = (name: string) => changed("luc_kabsch", { text: (text) => text.replace('"luc_kabsch"', `"${name}"`) });
  const statuses: [string, string][] = [["luc_kabsch_b", "passed"], ["luc_kabsch_17_x", "passed"], [
    "luc_kabschx",
    "skipped",
  ]];
  for (const [name, status] of statuses) {
    const { folder, path } = await rename(name);
    const report = await runCase(device, path);
    assert.deepEqual([report.case, report.status], [name, status], report.message);
    await Deno.remove(folder, { recursive: true });
  }
  const { folder, path } = await changed("luc_kabsch", { text: (text) => text.replace("lucidrains", "someone") });
  assert.equal((await runCase(device, path)).status, "skipped");
  await Deno.remove(folder, { recursive: true });
});

gpuTest("oracle heeds valid/ masks and a tensor's own tolerance", async (device) => {
  const valid = new Float32Array(17).fill(1);
  valid[4] = 0;
  const mask = (tensors: Map<string, NamedArray>, at: number) => {
    tensors.set("valid/X_aligned", { dtype: "F32", shape: [17], data: valid });
    nudge(tensors, "out/X_aligned", at, 5);
  };
  const own = (atol: number) => (text: string) =>
    text.replace('"shapes"', `"tensors": { "out/Y_centred": { "atol": ${atol}, "rtol": 0 } }, "shapes"`);
  const cases: [Change, string][] = [
    [{ tensors: (t) => mask(t, 17 + 4) }, "passed"],
    [{ tensors: (t) => mask(t, 17 + 5) }, "failed"],
    [{ tensors: (t) => nudge(t, "out/Y_centred", 1, 0.5), text: own(1) }, "passed"],
    [{ tensors: (t) => nudge(t, "out/Y_centred", 1, 0.5), text: own(0.1) }, "failed"],
  ];
  for (const [change, status] of cases) {
    const { folder, path } = await changed("luc_kabsch", change);
    const report = await runCase(device, path);
    assert.equal(report.status, status, report.message);
    await Deno.remove(folder, { recursive: true });
  }
});

gpuTest("oracle passes all shared golden cases that it covers", async (device) => {
  const reports: CaseReport[] = [];
  for (const path of await findCases(SHARED.path)) reports.push(await runCase(device, path));
  const failed = reports.filter(({ status }) => status === "failed");
  assert.deepEqual(failed.map((report) => formatReport(report, 0)), []);
  assert(reports.filter(({ status }) => status === "passed").length >= 24);
}, SHARED);
