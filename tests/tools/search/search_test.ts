import assert from "node:assert/strict";
import { join } from "node:path";
import { runSearches } from "../../../tools/cli/_search.ts";
import { Command } from "commander";
import { register } from "../../../tools/cli/msa.ts";
import { pairingJobs, type SearchJob, toolJobs } from "../../../tools/search/jobs.ts";
import { prepareTarget } from "../../../tools/prep/prepare_target.ts";
import { archive, serve, tarGz, ticket } from "./_msa_server.ts";
import { makeTemplates } from "../../../tools/data/features/templates.ts";
import { parseHhr } from "../../../tools/data/hhr.ts";
import { readAlignment } from "../../../tools/data/read_alignment.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";
import { collectTargets } from "../../../tools/prep/collect_targets.ts";
import { InputError } from "../../../tools/errors.ts";
import { UnreachableError } from "../../../tools/search/msa_server.ts";
import { runProgram } from "../../../tools/search/program.ts";
import { searchMsa } from "../../../tools/search/search_msa.ts";
import { searchTemplates } from "../../../tools/search/search_templates.ts";
import { denofold, runDeno } from "../cli/_run.ts";
import { FINGERS } from "../fold/_fingers.ts";
import { buildHhDatabase, CYTOCHROMES, fingerSequences, hhSuite, withDecoys, writeFasta } from "./_databases.ts";
import { needing, programs } from "../../_needs.ts";

/** Runs a test in a folder of its own. */
async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const ENTRIES = withDecoys({ ...CYTOCHROMES, ...fingerSequences() }, 4);
const QUERY = { name: "yeast", sequence: CYTOCHROMES["1yeb_A"] };

/** Names of rows without the numbers of residues. */
function plain(names: readonly string[]): string[] {
  return names.map((name) => name.replace(/\/\d+-\d+$/, ""));
}

for (const tool of ["jackhmmer", "mmseqs", "hhblits"] as const) {
  Deno.test(needing(tool === "hhblits" ? hhSuite(tool) : programs(tool), {
    name: `searchMsa() by ${tool} finds the cytochromes and no decoy`,
    async fn() {
      await inFolder(async (folder) => {
        const database = tool === "hhblits"
          ? await buildHhDatabase(folder, withDecoys(CYTOCHROMES, 4))
          : await writeFasta(join(folder, "db.fasta"), ENTRIES);
        const { alignment, record } = await searchMsa(QUERY, { tool, databases: [database], cpu: 1 });
        assert.equal(alignment.rows[0], QUERY.sequence);
        const names = plain(alignment.names);
        assert.equal(names[0], "yeast");
        // HHblits leaves out rows that are nearly equal to another, HMMER and MMseqs2 keep the query's own entry.
        const expected = Object.keys(CYTOCHROMES).filter((name) => tool !== "hhblits" || name !== "1yeb_A");
        assert.deepEqual([...new Set(names.slice(1))].sort(), expected.sort());
        const horse = alignment.rows[names.indexOf("1m60_A")];
        assert.ok(horse.includes("CAQCHTVEKGGKHKTGPNLHGLFGRKTGQAPGFTYTDANKNK"), horse);
        assert.equal(horse.length, QUERY.sequence.length);
        assert.equal(record.programs[0].name, tool);
        assert.match(record.programs[0].version, /^\d/);
        assert.ok(!record.programs.some((program) => program.arguments.includes("denofold_search_")));
        assert.equal(record.found, names.length);
      });
    },
  }));
}

Deno.test(
  needing(programs("jackhmmer"), {
    name: "searchMsa() keeps the best rows, and a query without relatives alone",
    async fn() {
      await inFolder(async (folder) => {
        const database = await writeFasta(join(folder, "db.fasta"), ENTRIES);
        const options = { tool: "jackhmmer", databases: [database], cpu: 1 } as const;
        const { alignment } = await searchMsa(QUERY, { ...options, maxRows: 3 });
        assert.deepEqual(plain(alignment.names), ["yeast", "1yeb_A", "1cih_A"]);
        const alone = await searchMsa({ name: "odd", sequence: "WWWWHHHHCCCCMMMMWWWWHHHHUU" }, options);
        assert.deepEqual(alone.alignment.rows, ["WWWWHHHHCCCCMMMMWWWWHHHHUU"]);
      });
    },
  }),
);

for (const tool of ["hmmsearch", "hhsearch"] as const) {
  Deno.test(
    needing(programs(tool), {
      name: `searchTemplates() by ${tool} ranks fingers above decoys, and features are made of them`,
      async fn() {
        await inFolder(async (folder) => {
          const entries = withDecoys(fingerSequences(), 4, tool === "hhsearch" ? 5 : 15);
          const database = tool === "hhsearch"
            ? await buildHhDatabase(folder, entries)
            : await writeFasta(join(folder, "db.fasta"), entries);
          const name = "1zaa1";
          const alignment = await readAlignment(`${FINGERS}zinc_fingers.a3m`);
          const query = alignment.aligned[alignment.names.indexOf(name)].replaceAll("-", "");
          const input = await writeFasta(join(folder, "query.fasta"), { [name]: query });
          const { hits, text, record } = await searchTemplates(name, await readAlignment(input), {
            ...{ tool, databases: [database], cpu: 1 },
          });
          assert.deepEqual(parseHhr(text, hits.source), hits);
          assert.equal(hits.queryLength, query.length);
          const names = hits.hits.map((hit) => hit.name.split(/\s/)[0]);
          const firstDecoy = names.findIndex((name) => name.startsWith("decoy"));
          const fingers = firstDecoy < 0 ? names : names.slice(0, firstDecoy);
          assert.ok(fingers.length >= 10, `${tool} ranks only ${fingers} above the decoys`);
          assert.equal(fingers[0], "1zaa1_A");
          for (const hit of hits.hits) {
            const entry = entries[hit.name.split(/\s/)[0]];
            assert.equal(hit.hitLength, entry.length);
            hit.hitIndices.forEach((at, c) => assert.equal(hit.hitSequence[c], at < 0 ? "-" : entry[at]));
            hit.queryIndices.forEach((at, c) => assert.equal(hit.query[c], at < 0 ? "-" : query[at]));
            const both = hit.query.split("").filter((letter, c) => letter !== "-" && hit.hitSequence[c] !== "-").length;
            assert.equal(hit.alignedColumns, both);
          }
          assert.equal(record.found, hits.hits.length);

          const find = (id: string) => readStructure(`${FINGERS}${id}.cif`).catch(() => undefined);
          const { templates } = await makeTemplates(query, hits.hits, find);
          const domains = templates.template_domain_names;
          assert.equal(domains.length, 4);
          for (const [t, domain] of domains.entries()) {
            const id = `${domain.slice(0, 4)}_A`;
            assert.ok(id in entries && !domain.startsWith("1zaa"), `${domain} is no template here`);
            const letters = templates.template_sequence[t];
            assert.equal(letters.length, query.length);
            // The pattern of the family, C-x2,4-C-x12-H-x3-H, lies on that of the query.
            for (const at of [4, 9, 22, 26]) assert.equal(letters[at], query[at], `${domain}: ${letters}`);
            const hit = hits.hits.find(({ name }) => name.startsWith(id));
            const aligned = query.split("").map((_, at) => {
              const column = hit?.queryIndices.indexOf(at) ?? -1;
              return column < 0 ? "-" : hit?.hitSequence[column];
            });
            assert.equal(letters, aligned.join(""));
          }
          // By HMMER all hits have the same sum, 0, so that the order is the file's.
          if (tool === "hmmsearch") {
            const usable = fingers.filter((name) => /^[0-9][A-Za-z0-9]{3}_A$/.test(name)).map((name) =>
              name.slice(0, 4)
            );
            assert.deepEqual(domains.map((domain) => domain.slice(0, 4)), usable.slice(0, 4));
          }
        });
      },
    }),
  );
}

Deno.test(
  needing(programs("jackhmmer", "hmmsearch"), {
    name: "a program that fails is quoted, a database that is not there named",
    async fn() {
      await inFolder(async (folder) => {
        const wrong = join(folder, "wrong.fasta");
        await Deno.writeTextFile(wrong, "this is no FASTA\n");
        const options = { tool: "jackhmmer", cpu: 1 } as const;
        await assert.rejects(searchMsa(QUERY, { ...options, databases: [wrong] }), (error: Error) => {
          return error instanceof InputError &&
            /^jackhmmer ended with code 1: .*(wrong\.fasta|format)/i.test(error.message);
        });
        await assert.rejects(
          searchMsa(QUERY, { ...options, databases: [join(folder, "none")] }),
          /^InputError: There is no database .*none: expected FASTA, that is a file .*none$/,
        );
        const program = { name: "jackhmmer", path: Deno.execPath() } as const;
        await assert.rejects(
          runProgram(program, ["eval", "console.error('bad luck'); Deno.exit(3)"]),
          /^InputError: jackhmmer ended with code 3: bad luck$/,
        );
        const controller = new AbortController();
        setTimeout(() => controller.abort(), 50);
        const sleeping = runProgram(program, ["eval", "await new Promise((r) => setTimeout(r, 60000))"], controller);
        await assert.rejects(sleeping, /^InputError: jackhmmer was interrupted$/);
      });
    },
  }),
);

Deno.test(
  needing(programs("jackhmmer", "hmmsearch", "hmmbuild"), {
    name: "denofold msa and templates write what prep reads, and do nothing twice",
    async fn() {
      await inFolder(async (folder) => {
        const database = await writeFasta(join(folder, "small.fasta"), ENTRIES);
        const fasta = await writeFasta(join(folder, "in.fasta"), {
          yeast: `${QUERY.sequence}:${CYTOCHROMES["1lfm_A"]}`,
        });
        const out = join(folder, "out");
        const msa = ["msa", fasta, "--tool", "jackhmmer", "--db", database, "--out", out, "--cpu", "1"];
        const made = await denofold(...msa, "--json");
        assert.equal(made.code, 0, made.stderr);
        const path = join(out, "yeast_A", "small_hits.a3m");
        assert.deepEqual(JSON.parse(made.stdout), [
          { target: "yeast_A", file: path, status: "made", found: 5 },
          { target: "yeast_B", file: join(out, "yeast_B", "small_hits.a3m"), status: "made", found: 5 },
        ]);
        assert.match(made.stderr, /^alignments 1\/2 · yeast_A: 5\nalignments 2\/2 · yeast_B: 5\n$/);
        assert.equal((await readAlignment(path)).rows[0], QUERY.sequence);
        const record = JSON.parse(await Deno.readTextFile(join(out, "yeast_A", "small_hits.a3m.json")));
        assert.match(
          record.programs[0].arguments,
          /^-o \/dev\/null -A hits\.sto --noali --F1 0\.0005 .* query\.fasta \//,
        );
        const many = Object.fromEntries(Array.from("abcde", (name) => [name, QUERY.sequence]));
        const nowhere = ["--tool", "jackhmmer", "--db", "nowhere", "--out", join(folder, "many")];
        const failed = await denofold("msa", await writeFasta(join(folder, "many.fasta"), many), ...nowhere);
        assert.deepEqual([failed.code, failed.stderr.match(/^denofold: .*$/gm)?.map((line) => line.slice(0, 62))], [1, [
          "denofold: a, b, c and 2 more: There is no database nowhere: ex",
        ]]);
        const again = await denofold(...msa);
        assert.deepEqual([again.code, again.stdout.split("\n")[0]], [0, `${path}  unchanged`]);

        await writeFasta(database, { ...ENTRIES, another: QUERY.sequence });
        const changed = JSON.parse((await denofold(...msa, "--json")).stdout);
        assert.deepEqual(changed.map(({ status }: { status: string }) => status), ["made", "made"]);
        await writeFasta(database, ENTRIES);
        assert.equal(JSON.parse((await denofold(...msa, "--json")).stdout)[0].found, 5);

        const templates = ["templates", path, "--tool", "hmmsearch", "--db", database, "--out", out, "--cpu", "1"];
        const found = await denofold(...templates);
        assert.equal(found.code, 0, found.stderr);
        const hits = parseHhr(await Deno.readTextFile(join(out, "yeast_A", "small_hits.hhr")), "hhr").hits;
        assert.deepEqual(hits.slice(0, 4).map(({ name }) => name).sort(), Object.keys(CYTOCHROMES).sort());
        assert.deepEqual((await Array.fromAsync(Deno.readDir(join(out, "yeast_A")))).map(({ name }) => name).sort(), [
          ...["small_hits.a3m", "small_hits.a3m.json", "small_hits.hhr", "small_hits.hhr.json"],
        ]);
      });
    },
  }),
);

Deno.test("runSearches() asks a server that cannot be reached for nothing more", async () => {
  await inFolder(async (folder) => {
    let runs = 0;
    const job = (target: string, error?: Error): SearchJob => ({
      target,
      file: "x.a3m",
      question: { target },
      run: () => (runs++, error ? Promise.reject(error) : Promise.resolve({ text: "x", found: 1, facts: {} })),
    });
    const [log, complain] = [console.log, console.error];
    const said: string[] = [];
    console.log = () => {};
    console.error = (line: string) => said.push(line);
    try {
      const jobs = [job("a", new InputError("odd")), job("b"), job("c", new UnreachableError("gone")), job("d")];
      await runSearches(jobs, { out: folder, json: false, label: "x", noun: "rows" });
    } finally {
      [console.log, console.error] = [log, complain];
      Deno.exitCode = 0;
    }
    assert.deepEqual([runs, said], [3, ["denofold: a: odd", "denofold: c, d: gone"]]);
  });
});

Deno.test("results of targets lie in folders of their own, inside the given one, whatever the targets are called", async () => {
  await inFolder(async (folder) => {
    const out = join(folder, "deep", "out");
    const job = (target: string): SearchJob => ({
      target,
      file: "db_hits.a3m",
      question: { tool: "x", target },
      run: () => Promise.resolve({ text: target, found: 1, facts: {} }),
    });
    const { log } = console;
    console.log = () => {};
    try {
      const options = { out, json: false, label: "x", noun: "rows" };
      await runSearches(["ab", "c"].map(job), options);
      await runSearches(["AB", "../../evil", "1A0L_A/1-223"].map(job), options);
    } finally {
      console.log = log;
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["deep"]);
    assert.deepEqual([...Deno.readDirSync(join(folder, "deep"))].map(({ name }) => name), ["out"]);
    const folders = [...Deno.readDirSync(out)].map(({ name }) => name);
    assert.equal(new Set(folders.map((name) => name.toLowerCase())).size, 5);
    const found: Record<string, string> = {};
    for (const name of folders) found[await Deno.readTextFile(join(out, name, "db_hits.a3m"))] = name;
    assert.deepEqual([found.ab, found.c, found["1A0L_A/1-223"]], ["ab", "c", "1A0L_A_1-223"]);
    assert.match(found.AB, /^AB-[0-9a-f]{8}$/);
    // And data preparation finds them again.
    const table = join(folder, "t.csv");
    await Deno.writeTextFile(table, `id,sequence\n${Object.keys(found).map((id) => `${id},AC`).join("\n")}\n`);
    const { targets, notes } = await collectTargets([table, out]);
    assert.deepEqual(notes, []);
    for (const { id, alignments = [] } of targets) {
      assert.deepEqual(alignments.map(({ path }) => path), [join(out, found[id], "db_hits.a3m")]);
    }
  });
});

Deno.test("denofold msa and templates say in one line what is missing", async () => {
  await inFolder(async (folder) => {
    const fasta = await writeFasta(join(folder, "in.fasta"), { yeast: QUERY.sequence });
    const odd = await writeFasta(join(folder, "odd.fasta"), { "": QUERY.sequence });
    const wrong: [args: string[], code: number, message: RegExp][] = [
      [
        ["msa", fasta],
        2,
        /^denofold: Choose what to search with: --tool jackhmmer, hhblits or mmseqs, or --msa-server URL\n$/,
      ],
      [["msa", fasta, "--tool", "mmseqs"], 2, /^denofold: --tool mmseqs needs a database: --db PATH\n$/],
      [
        ["msa", odd, "--tool", "mmseqs", "--db", "x"],
        1,
        /^denofold: .*odd\.fasta line 1: the sequence has no name, expected one after ">"\n$/,
      ],
      [["msa", fasta, "--msa-server", "ftp://x"], 2, /^denofold: --msa-server "ftp:\/\/x" is not an address/],
      [["templates", fasta], 2, /^denofold: required option '--tool <name>' not specified\n$/],
    ];
    for (const [args, code, message] of wrong) {
      const outcome = await denofold(...args);
      assert.deepEqual([outcome.code, outcome.stdout], [code, ""]);
      assert.match(outcome.stderr, message);
    }
    const search = ["msa", fasta, "--tool", "jackhmmer", "--db", fasta];
    const { code, stderr } = await runDeno(["run", "-A", "tools/cli/main.ts", ...search], {
      env: { PATH: "/nowhere" },
    });
    assert.equal(code, 1);
    assert.match(stderr, /^denofold: The program jackhmmer is not installed .* "apt install hmmer"\n$/);
  });
});

Deno.test("denofold msa --paired asks a server for each sequence and for paired rows once, which predict's complexes read", () =>
  inFolder(async (folder) => {
    const one = CYTOCHROMES["1yeb_A"].slice(0, 12), other = "GGSWEDPPLV";
    const single = (number: number, sequence: string) =>
      archive(
        tarGz([{ name: "uniref.a3m", text: `>${number}\n${sequence}\n>hit\n${sequence.replace("G", "A")}\n\0` }]),
      );
    const pairs = `>101\n${one}\n>p\n${one.replace("F", "Y")}\n\0>102\n${other}\n>q\n${other.replace("S", "T")}\n\0`;
    await using server = serve([
      ...[ticket("COMPLETE"), single(101, one), ticket("COMPLETE"), single(101, other)],
      ...[ticket("COMPLETE"), archive(tarGz([{ name: "pair.a3m", text: pairs }]))],
    ]);
    const fasta = join(folder, "cx.fasta"), out = join(folder, "out");
    await Deno.writeTextFile(fasta, `>cx\n${one}:${other}:${one}\n`);
    const program = new Command();
    register(program);
    const argv = ["msa", fasta, "--msa-server", server.url, "--paired", "--no-cache", "--out", out, "--json"];
    const log = console.log;
    let told = "";
    console.log = (text: string) => told += text;
    try {
      await program.parseAsync(argv, { from: "user" });
    } finally {
      console.log = log;
    }
    const made: { target: string; status: string }[] = JSON.parse(told);
    assert.deepEqual(made.map(({ target, status }) => `${target} ${status}`), [
      ...["cx_A made", "cx_B made", "cx_C made", "cx_A made", "cx_B made"],
    ]);
    const asked = server.seen.filter(({ method }) => method === "POST").map((
      { path, body },
    ) => [path, body.get("mode")]);
    assert.deepEqual(asked, [["/ticket/msa", "env"], ["/ticket/msa", "env"], ["/ticket/pair", "pairgreedy"]]);
    const { targets: [target], notes } = await collectTargets([fasta, out], { complexes: true });
    assert.deepEqual(notes, []);
    const { features, warnings } = await prepareTarget(target);
    assert.deepEqual([...features.msa_row_entity!], [0, 0, 1, 2]);
    assert.ok(!warnings.some((text) => /not paired/.test(text)), warnings.join());
  }));

Deno.test(
  needing(programs("jackhmmer"), {
    name: "denofold msa --pair-db searches UniProt for chains of complexes alone, equal sequences once",
    async fn() {
      await inFolder(async (folder) => {
        const named = Object.entries(CYTOCHROMES).map(([name, sequence], k) =>
          [`tr|A0A00${k}|A0A00${k}_${name.slice(0, 4).toUpperCase()}`, sequence] as const
        );
        const db = await writeFasta(join(folder, "db.fasta"), Object.fromEntries(named));
        const [a, b] = [CYTOCHROMES["1yeb_A"], CYTOCHROMES["1m60_A"]];
        const chains = (...sequences: string[]) =>
          sequences.map((sequence, k) => ({ name: `cx_${"ABC"[k]}`, sequence }));
        const flags = { maxRows: 100, cpu: 1, serverMode: "env", userAgent: "", cache: false, format: "a3m" } as const;
        const entries = [
          { name: "cx", chains: chains(a, b, a) },
          { name: "homo", chains: chains(b, b) },
          { name: "mono", chains: chains(b) },
        ];
        const pairing = { paired: "greedy" as const, pairDb: db };
        const jobs = await pairingJobs(entries, undefined, pairing, flags);
        assert.deepEqual(jobs.map(({ target, file }) => [target, file]), [
          ["cx_A", "uniprot_db_hits.a3m"],
          ["cx_B", "uniprot_db_hits.a3m"],
        ]);
        const { text } = await jobs[0].run(new AbortController().signal, () => {});
        assert.match(text, /^>cx_A\n/);
        assert.match(text, /\n>tr\|A0A00\d\|A0A00\d_1M60/);
        // Of equal sequences one is searched for: both jobs give what the first was told.
        const [first, second] = await toolJobs(entries.slice(1), "jackhmmer", { ...flags, db: [db] });
        const [one, other] = [
          await first.run(new AbortController().signal, () => {}),
          await second.run(new AbortController().signal, () => {}),
        ];
        assert.equal((one.facts as { seconds?: number }).seconds, (other.facts as { seconds?: number }).seconds);
        assert.match(other.text, /^>cx_B\n/);
        await assert.rejects(
          () => pairingJobs(entries, undefined, { paired: "greedy" }, flags),
          /needs UniProt in FASTA/,
        );
      });
    },
  }),
);
