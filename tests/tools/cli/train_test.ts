import assert from "node:assert/strict";
import { join } from "node:path";
import { parseSafetensors } from "../../../model/weights/safetensors.ts";
import { FINGERS, FINGERS_MSA, inFolder, TOY_FLAGS } from "../train/_toy.ts";
import { denofold, ROOT } from "./_run.ts";
import { mounts, needing, POSIX } from "../../_needs.ts";

/** Steps and losses of a run's loss_history.csv, as text. */
async function losses(folder: string): Promise<string[]> {
  const lines = (await Deno.readTextFile(join(folder, "loss_history.csv"))).trimEnd().split("\n").slice(1);
  return lines.map((line) => line.split(",").slice(0, 4).join());
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** Starts the command and gives its process, for signals. */
function start(...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "tools/cli/main.ts", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
}

/** Reads lines until one matches. */
async function waitFor(stream: ReadableStream<Uint8Array>, pattern: RegExp): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream.values({ preventCancel: true })) {
    text += decoder.decode(chunk, { stream: true });
    if (pattern.test(text)) return text;
  }
  throw new Error(`The program ended without ${pattern}: ${text}`);
}

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  return text;
}

Deno.test("a run that was killed and resumed gives the losses of one that was not", () =>
  inFolder(async (folder) => {
    const flags = [...TOY_FLAGS, "--num-steps", "24", "--checkpoint-every", "4", "--learning-rate", "0.01"];
    const whole = denofold("train", ...flags, "--quiet", "--out", join(folder, "whole"));
    const child = start("train", ...flags, "--out", join(folder, "killed"));
    await waitFor(child.stdout, /Step +[6-9]\/24 /);
    child.kill("SIGKILL");
    await child.stdout.cancel();
    await child.stderr.cancel();
    assert.equal((await child.status).signal, "SIGKILL");
    const before = await losses(join(folder, "killed"));
    assert.ok(before.length >= 4 && before.length < 24, `${before.length} steps were saved`);
    const resumed = await denofold("train", "--resume", join(folder, "killed"));
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.match(resumed.stdout, new RegExp(`Going on from step ${before.length} of `));
    assert.equal((await whole).code, 0);
    const expected = await losses(join(folder, "whole"));
    assert.equal(expected.length, 24);
    assert.deepEqual(before, expected.slice(0, before.length));
    assert.deepEqual(await losses(join(folder, "killed")), expected);
  }));

Deno.test(needing(POSIX, {
  name: "Ctrl-C finishes the step, saves, says how to go on, and exits with 130",
  fn: () =>
    inFolder(async (folder) => {
      const out = join(folder, "run");
      const child = start(
        "train",
        "--synthetic",
        ...TOY_FLAGS.slice(-10),
        "--seq-len",
        "6",
        "--num-steps",
        "5000",
        "--out",
        out,
      );
      const first = await waitFor(child.stdout, /Step +3\/5000 /);
      child.kill("SIGINT");
      const rest = await textOf(child.stdout);
      const stderr = await textOf(child.stderr);
      assert.equal((await child.status).code, 130, stderr);
      assert.match(rest, /Performance Summary:\n/);
      assert.match(rest, new RegExp(`Stopped\\. Go on with: denofold train --resume ${out}\n$`));
      const files = ["checkpoint.safetensors", "loss_history.csv", "performance_summary.json", "recipe.json"];
      assert.deepEqual(names(out), files);
      const steps = (await losses(out)).length;
      const printed = `${first}${rest}`.match(/^Step /gm)!.length;
      assert.equal(steps, printed);
      const resumed = await denofold("train", "--resume", out, "--num-steps", `${steps + 2}`, "--json");
      assert.equal(resumed.code, 0, resumed.stderr);
      assert.equal(JSON.parse(resumed.stdout).steps, steps + 2);
    }),
}));

Deno.test("a held-out structure is predicted, measured and reported", () =>
  inFolder(async (folder) => {
    const out = join(folder, "run");
    const profile = join(folder, "profile");
    const flags = [...TOY_FLAGS, "--num-steps", "3", "--hold-out", "1ZNF", "--ema", "0.9", "--profile-dir", profile];
    const { code, stdout, stderr } = await denofold("train", ...flags, "--out", out, "--json");
    assert.equal(code, 0, stderr);
    assert.deepEqual(names(out), [
      ...[
        "1znf.cif",
        "1znf.pdb",
        "1znf_coordinates.npy",
        "1znf_distances.npy",
        "1znf_distances.png",
        "1znf_residues.csv",
        "checkpoint.safetensors",
      ],
      ...["loss_history.csv", "metrics.json", "model.safetensors", "recipe.json", "report.html"],
    ]);
    assert.deepEqual(names(profile), ["performance_summary.json"]);
    const result = JSON.parse(stdout);
    assert.equal(result.finished, true);
    const labels = result.targets[0].methods.map(({ label }: { label: string }) => label);
    assert.deepEqual(labels, ["Prediction", "Mean map of the family", "Copy of 1paa"]);
    const { targets: [metrics] } = JSON.parse(await Deno.readTextFile(join(out, "metrics.json")));
    assert.equal(metrics.id, "1znf");
    assert.deepEqual(metrics.methods[0].values, result.targets[0].methods[0].values);
    const html = await Deno.readTextFile(join(out, "report.html"));
    for (const text of ["1znf", "What such a small model", "Peak GPU memory", "no predictor of structures"]) {
      assert.ok(html.includes(text), `the report lacks "${text}"`);
    }
    const history = await Deno.readTextFile(join(out, "loss_history.csv"));
    assert.match(history.split("\n")[1], /,\d+\.\d+$/, "the held-out loss is missing");
    const { metadata } = parseSafetensors(await Deno.readFile(join(out, "model.safetensors")), "model");
    assert.equal(JSON.parse(metadata.facts).model, "tiny-openfold");
  }));

Deno.test("--leave-one-out predicts every structure, and goes on where it was", () =>
  inFolder(async (folder) => {
    const out = join(folder, "all");
    const first = await denofold("train", ...TOY_FLAGS, "--num-steps", "2", "--leave-one-out", "--out", out);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /\n1paa, 2 of 3\n/);
    assert.match(first.stdout, /\nmean±sd .*±/);
    assert.match(first.stdout, /\(a = Prediction, b = Mean map of the family, c = Copy of the nearest relative\)/);
    assert.deepEqual(names(out), [
      ...["1paa", "1sp1", "1znf", "leave_one_out.csv", "leave_one_out.json", "metrics.json", "report.html"],
    ]);
    assert.ok(names(join(out, "1sp1")).includes("1sp1.cif"));
    const table = (await Deno.readTextFile(join(out, "leave_one_out.csv"))).trimEnd().split("\n");
    assert.equal(table.length, 1 + 9 + 3 + 3);
    await Deno.remove(join(out, "1sp1"), { recursive: true });
    const again = await denofold("train", "--resume", out, "--json");
    assert.equal(again.code, 0, again.stderr);
    const result = JSON.parse(again.stdout);
    assert.deepEqual(result.leaveOneOut.rows.map(({ id }: { id: string }) => id), ["1znf", "1paa", "1sp1"]);
    assert.deepEqual((await Deno.readTextFile(join(out, "leave_one_out.csv"))).trimEnd().split("\n"), table);
  }));

Deno.test("structures with tricks in their names are trained on and held out inside the run's folder", () =>
  inFolder(async (folder) => {
    const renamed = { "1znf": "../../evil", "1paa": "AB", "1sp1": "ab" };
    const paths: string[] = [];
    let msa = await Deno.readTextFile(FINGERS_MSA);
    for (const [old, name] of Object.entries(renamed)) {
      const text = await Deno.readTextFile(join(FINGERS, `${old}.cif`));
      paths.push(join(folder, `in_${old}.cif`));
      await Deno.writeTextFile(paths.at(-1)!, text.replace(/^(_entry\.id\s+).*$/m, `$1${name}`));
      msa = msa.replace(`>${old}`, `>${name}`);
    }
    await Deno.writeTextFile(join(folder, "in.a3m"), msa);
    const flags = [...TOY_FLAGS.slice(TOY_FLAGS.indexOf("--msa-dim")), "--num-steps", "1"];
    const data = ["--structures", ...paths, "--msa", join(folder, "in.a3m"), ...flags];
    const before = names(folder);
    const out = join(folder, "deep", "out");
    const each = await denofold("train", ...data, "--leave-one-out", "--out", out);
    assert.equal(each.code, 0, each.stderr);
    const held = await denofold("train", ...data, "--hold-out", "AB", "--hold-out", "../../evil", "--out", `${out}2`);
    assert.equal(held.code, 0, held.stderr);
    assert.deepEqual(names(folder), [...before, "deep"].sort());
    assert.deepEqual(names(join(folder, "deep")), ["out", "out2"]);
    const folders = names(out).filter((name) => !name.includes(".csv") && !/\.(json|html)$/.test(name));
    assert.equal(new Set(folders.map((name) => name.toLowerCase())).size, 3);
    assert.ok(names(`${out}2`).includes("AB.cif") && names(`${out}2`).some((name) => /^_.*evil\.cif$/.test(name)));
  }));

Deno.test("--model nnx trains the notebook's block, under the profiler too", () =>
  inFolder(async (folder) => {
    const out = join(folder, "run");
    const sizes = ["--msa-dim", "6", "--pair-dim", "5", "--num-seqs", "3", "--seq-len", "4"];
    const flags = ["--num-steps", "5", "--profile", "--warmup-steps", "2", "--profile-steps", "2", "--json"];
    const { code, stdout, stderr } = await denofold("train", "--model", "nnx", ...sizes, ...flags, "--out", out);
    assert.equal(code, 0, stderr);
    const result = JSON.parse(stdout);
    assert.deepEqual([result.finished, result.steps, result.targets], [true, 5, []]);
    assert.deepEqual(names(out), [
      ...["checkpoint.safetensors", "loss_history.csv", "performance_summary.json", "profile.html", "profile.json"],
      ...["profile.trace.json", "recipe.json", "report.html"],
    ]);
    const profile = JSON.parse(await Deno.readTextFile(join(out, "profile.json")));
    assert.equal(profile.settings.network, "nnx-evoformer");
    const resumed = await denofold("train", "--resume", out, "--num-steps", "6");
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.match(resumed.stdout, /\nStep +5\/6 /);
  }));

Deno.test("--validate-setup prints one of the two sentences", async () => {
  const small = ["--msa-dim", "8", "--pair-dim", "8", "--num-blocks", "1", "--seq-len", "4", "--num-seqs", "2"];
  const right = await denofold("train", "--validate-setup", ...small);
  assert.equal(right.code, 0, right.stderr);
  assert.match(right.stdout, /Step +2\/3 .*\nValidation successful! Environment ready\.\n$/);
  const wrong = await denofold("train", "--validate-setup", "--device", "no such adapter");
  assert.equal(wrong.code, 1);
  assert.match(wrong.stdout, /^Validation failed: No adapter's name contains "no such adapter"/);
});

Deno.test("bad input ends with one line and nothing written", () =>
  inFolder(async (folder) => {
    const path = (name: string) => join(folder, name);
    await Deno.writeTextFile(path("empty.cif"), "");
    await Deno.writeTextFile(path("no.cif"), "This is no CIF.");
    const cif = await Deno.readFile(`${FINGERS}/1znf.cif`);
    const packed = new Uint8Array(
      await new Response(new Blob([cif]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer(),
    );
    await Deno.writeFile(path("cut.cif.gz"), packed.subarray(0, packed.length >> 1));
    const a3m = await Deno.readTextFile(FINGERS_MSA);
    await Deno.writeTextFile(path("ragged.a3m"), a3m.replace("--------YKCGL", "-------YKCGL"));
    await Deno.writeTextFile(path("letter.a3m"), a3m.replace("--------YKCGL", "--------YK?GL"));
    await Deno.writeTextFile(path("other.a3m"), a3m.replace("--------YKCGL", "--------YKCGA"));
    await Deno.mkdir(path("nothing"));
    await Deno.mkdir(path("damaged"));
    await Deno.writeTextFile(path("damaged/checkpoint.safetensors"), "no checkpoint at all");
    const finger = `${FINGERS}/1znf.cif`;
    const cases: [args: string[], message: RegExp][] = [
      [["--structures", path("none.cif"), "--msa", FINGERS_MSA], /none\.cif: there is no such file/],
      [["--structures", path("empty.cif"), "--msa", FINGERS_MSA], /empty\.cif is empty, expected an mmCIF or PDB file/],
      [["--structures", path("no.cif"), "--msa", FINGERS_MSA], /no\.cif/],
      [["--structures", path("cut.cif.gz"), "--msa", FINGERS_MSA], /cut\.cif\.gz.*truncated/],
      [
        ["--structures", path("nothing"), "--msa", FINGERS_MSA],
        /The folder .*nothing has no structure: expected files/,
      ],
      [
        ["--structures", `${finger}:Q`, "--msa", FINGERS_MSA],
        /1znf\.cif has no protein chain Q: it has A \(25 residues\)/,
      ],
      [["--structures", finger, "--msa", path("none.a3m")], /none\.a3m: there is no such file/],
      [["--structures", finger, "--msa", path("ragged.a3m")], /ragged\.a3m/],
      [["--structures", finger, "--msa", path("letter.a3m")], /letter\.a3m/],
      [["--structures", finger, "--msa", path("other.a3m")], /other\.a3m.*residue 5 is A in the alignment, expected L/],
      [
        ["--structures", finger, "--msa", FINGERS_MSA, "--hold-out", "9xyz"],
        /no structure "9xyz" to hold out: there are 1znf/,
      ],
      [["--structures", finger, "--msa", FINGERS_MSA, "--hold-out", "1znf"], /none is left to train on/],
      [
        ["--structures", finger, "--msa", FINGERS_MSA, "--seq-len", "24"],
        /1znf\.cif has 25 residues, more than --seq-len 24/,
      ],
      [["--resume", path("none")], /Cannot resume from .*none: there is no such folder/],
      [["--resume", path("damaged")], /damaged\/checkpoint\.safetensors/],
    ];
    const out = path("out");
    const outcomes = await Promise.all(cases.map(([args]) => denofold("train", ...args, "--out", out)));
    for (const [i, { code, stdout, stderr }] of outcomes.entries()) {
      const [args, message] = cases[i];
      assert.equal(code, 1, `${args}: ${stderr}`);
      assert.match(stderr, /^denofold: [^\n]+\n$/, `${args}`);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /unexpected error/);
      assert.equal(stdout, "");
    }
    assert.ok(!names(folder).includes("out"));
  }));

Deno.test("noise that no adapter holds is refused before it is drawn", () =>
  inFolder(async (folder) => {
    const { code, stderr } = await denofold("train", "--synthetic", "--seq-len", "200000", "--out", `${folder}/run`);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /denofold: A tensor of shape \[4,200000,200000,128\] takes .* \(denofold plan tells what fits\)\n$/,
    );
    const nnx = await denofold("train", "--model", "nnx", "--seq-len", "200000", "--out", `${folder}/run`);
    assert.equal(nnx.code, 1);
    assert.match(nnx.stderr, /denofold: A tensor of shape \[2,200000,200000,30\] takes .* what fits\)\n$/);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
    const step = await denofold("profile", "nnx-train-step", "--n-res", "200000", "--out", `${folder}/run`);
    assert.equal(step.code, 1);
    assert.match(step.stderr, /denofold: A tensor of shape \[2,200000,200000,30\] takes .* what fits\)\n$/);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  }));

Deno.test("a damaged checkpoint is refused", () =>
  inFolder(async (folder) => {
    const out = join(folder, "run");
    const made = await denofold("train", ...TOY_FLAGS, "--num-steps", "1", "--out", out);
    assert.equal(made.code, 0, made.stderr);
    const file = join(out, "checkpoint.safetensors");
    const bytes = await Deno.readFile(file);
    for (const at of [bytes.length >> 1, bytes.length - 3]) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] ^= 4;
      await Deno.writeFile(file, damaged);
      const { code, stderr } = await denofold("train", "--resume", out);
      assert.equal(code, 1);
      assert.match(stderr, /^denofold: Cannot read .*checkpoint\.safetensors.*damaged\n$/);
    }
  }));

Deno.test("unknown flags and wrong values end with code 2", async () => {
  const outcomes = await Promise.all([
    denofold("train", "--n-seqs", "8"),
    denofold("train", "--demo", "--schedule", "steps"),
    denofold("train", "--demo", "--num-steps", "0"),
    denofold("train"),
    denofold("train", "--model", "nnx", "--hold-out", "1znf"),
  ]);
  const messages = [
    /^denofold: unknown option '--n-seqs' \(Did you mean --n-seq\?\)\n$/,
    /^denofold: option '--schedule <kind>' argument 'steps' is invalid\. Allowed choices are constant, linear, cosine\.\n$/,
    /^denofold: option '--num-steps <n>' argument '0' is invalid\. Expected a whole number above zero\.\n$/,
    /^denofold: Nothing to train on: /,
    /^denofold: --hold-out does not apply to --model nnx: the notebook trains one block on noise with Adam\n$/,
  ];
  for (const [i, { code, stdout, stderr }] of outcomes.entries()) {
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, messages[i]);
  }
});

/** Bytes that the small disk holds. */
const DISK = 8 << 20;

Deno.test(needing(await mounts(), {
  name: "a full disk ends the run with one line; the last checkpoint stays",
  fn: () =>
    inFolder(async (folder) => {
      const disk = join(folder, "disk");
      await Deno.mkdir(disk);
      const mount = new Deno.Command("mount", { args: ["-t", "tmpfs", "-o", `size=${DISK}`, "tmpfs", disk] });
      assert.ok((await mount.output()).success);
      try {
        const out = join(disk, "run");
        const flags = [...TOY_FLAGS, "--checkpoint-every", "2", "--out", out];
        const made = await denofold("train", ...flags, "--num-steps", "2");
        assert.equal(made.code, 0, made.stderr);
        const before = await Deno.readFile(join(out, "checkpoint.safetensors"));
        const sizes = names(out).map((name) => Deno.statSync(join(out, name)).size);
        const used = sizes.reduce((sum, size) => sum + size, 0);
        await Deno.writeFile(join(disk, "ballast"), new Uint8Array(DISK - used - (64 << 10)));
        const { code, stderr } = await denofold("train", "--resume", out, "--num-steps", "6");
        assert.equal(code, 1, stderr);
        const line = stderr.trimEnd().split("\n").at(-1)!;
        assert.match(
          line,
          /^denofold: Cannot write .*: the disk is full\. .*The checkpoint of step 2 in .* is whole; go on /,
        );
        assert.deepEqual(await Deno.readFile(join(out, "checkpoint.safetensors")), before);
        assert.ok(!names(out).some((name) => name.includes(".tmp")), names(out).join());
      } finally {
        await new Deno.Command("umount", { args: [disk] }).output();
      }
    }),
}));
