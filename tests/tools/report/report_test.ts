import assert from "node:assert/strict";
import * as esbuild from "esbuild";
import { fileURLToPath } from "node:url";
import { buildPage } from "../../../tools/report/page_build.ts";
import { pageAssets, pageDefine } from "../../../tools/report/page_assets.ts";
import { distanceRows, renderReport, type ReportData } from "../../../tools/report/report.ts";
import { sampleReport } from "./sample_report.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url)).replace(/\/$/, "");

/** The data as the page reads them. */
function dataOf(html: string): ReportData {
  return JSON.parse(/<script type="application\/json" id="report-data">(.*?)<\/script>/s.exec(html)![1]);
}

Deno.test("renderReport() keeps its data unchanged whatever characters they hold", async () => {
  const data = sampleReport();
  data.title = `</script><script>alert(1)</script><!-- <b> & "quoted" ' \u2028 \u2029 $& $1`;
  data.summary = `"><img src=x onerror=alert(1)>`;
  data.run.push({ label: "<i>", value: "<!--<script>" });
  const html = await renderReport(data);
  assert.deepEqual(dataOf(html), data);
  assert.equal(html.match(/<script[ >]/g)!.length - scriptTagsInside((await pageAssets()).script), 2);
  const head = html.slice(0, html.indexOf("<body>"));
  assert.ok(head.includes(`content="&quot;&gt;&lt;img src=x onerror=alert(1)&gt;"`), head.slice(0, 900));
  assert.ok(head.includes("<title>&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;!-- &lt;b&gt; &amp;"));
});

Deno.test("renderReport() builds the page once, and a report stays small", async () => {
  const assets = await pageAssets();
  const html = await renderReport(sampleReport());
  assert.equal(await pageAssets(), assets, "the page was built again");
  assert.ok(html.length < 5e6, `${html.length} characters`);
});

Deno.test("renderReport() forbids the page every request", async () => {
  const html = await renderReport(sampleReport());
  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)![1];
  assert.ok(policy.startsWith("default-src 'none'; script-src 'sha256-"), policy);
  assert.ok(!/https?:/.test(policy), policy);
  assert.equal(html.match(/<(script|img|iframe)[^>]*\ssrc=/i), null);
});

Deno.test("renderReport() refuses parts that do not fit together", async () => {
  const cases: [(data: ReportData) => void, RegExp][] = [
    [(data) => {
      data.targets = [];
      data.loss = undefined;
    }, /without targets and without a loss/],
    [(data) => data.targets[1].id = "1znf", /target 1znf comes twice/],
    [(data) => data.targets[0].sequence = "", /target 1znf has a sequence of 0 residues/],
    [(data) => data.targets[0].sequence += "A", /target 1znf has predictedDistances of 25 rows: expected 26/],
    [(data) => data.targets[1].trueDistances![3].pop(), /1sp1 has trueDistances of 28 values in row 3: expected 29/],
    [(data) => data.targets[0].residueNumbers = [1, 2], /1znf has residue numbers of 2 values: expected 25/],
    [(data) => data.targets[0].distanceCap = 0, /1znf has a distance cap of 0 Å: expected a number above 0/],
    [(data) => data.targets[0].loss!.train.step.pop(), /the train loss of target 1znf has 149 steps but 150 values/],
    [(data) => data.leaveOneOut!.rows[2].values.pop(), /leave-one-out row 1paa has 2 methods: expected 3/],
  ];
  for (const [spoil, message] of cases) {
    const data = sampleReport();
    spoil(data);
    await assert.rejects(renderReport(data), { name: "RangeError", message });
  }
});

Deno.test("distanceRows() rounds and keeps missing values apart from 0", () => {
  const flat = new Float32Array([0, 3.80512, Infinity, 3.80512, 0, NaN, 1, 2, 0]);
  assert.deepEqual(distanceRows(flat, 3), [[0, 3.81, null], [3.81, 0, null], [1, 2, 0]]);
  assert.throws(() => distanceRows(flat, 2), { name: "RangeError", message: /2 residues from 9 values: expected 4/ });
});

Deno.test("buildPage() names the licences of what it bundles and is safe inside a script element", async () => {
  const { script, style } = await buildPage();
  for (const name of ["molstar 5.11.0, MIT", "plotly.js-cartesian-dist-min 4.1.1, MIT", "rxjs 7.", "immutable 5."]) {
    assert.ok(script.slice(0, 60_000).includes(name), name);
  }
  assert.equal(/<\/script|<!--/i.test(script), false);
  assert.equal(/<\/style/i.test(style), false);
});

Deno.test("pageDefine() gives what pageAssets() gives", async () => {
  assert.deepEqual(JSON.parse((await pageDefine()).DENOFOLD_PAGE_ASSETS), await pageAssets());
});

Deno.test("a single-file program that embeds the page needs neither its sources nor esbuild", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const define = await pageDefine();
    const { outputFiles } = await esbuild.build({
      stdin: { contents: aside("/tools/report/report.ts", "/tests/tools/report/sample_report.ts"), resolveDir: ROOT },
      bundle: true,
      write: false,
      format: "esm",
      platform: "node",
      external: ["esbuild"],
      define,
    });
    await esbuild.stop();
    await Deno.writeFile(`${folder}/report.mjs`, outputFiles[0].contents);
    assert.ok(outputFiles[0].contents.length < 1.2 * define.DENOFOLD_PAGE_ASSETS.length, "the page is embedded once");
    const env = { DENOFOLD_CACHE: `${folder}/cache` };
    const output = await run(["run", "-A", "--no-config", `${folder}/report.mjs`], env, folder);
    assert.equal(output, String((await renderReport(sampleReport())).length));
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["report.mjs"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the page is built again where its cached file is damaged, and where no cache can be written", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/report_page_00.json`, "of another version");
    const first = await renderAside({ DENOFOLD_CACHE: folder });
    const files = [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`);
    assert.equal(files.length, 1);
    const [file] = files;
    assert.match(file, /report_page_[0-9a-f]{20}\.json$/);
    const cached = await Deno.readTextFile(file);
    await Deno.writeTextFile(file, cached.slice(0, 1000));
    assert.equal(await renderAside({ DENOFOLD_CACHE: folder }), first);
    assert.equal(await Deno.readTextFile(file), cached);
    assert.equal(await renderAside({ DENOFOLD_CACHE: `${file}/not_a_folder` }), first);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Length of the sample report made by another process with these variables set. */
function renderAside(env: Record<string, string>): Promise<string> {
  const code = aside("/tools/report/report.ts", "/tests/tools/report/sample_report.ts");
  return run(["eval", "--config", `${ROOT}/deno.json`, "--ext=ts", code], env, ROOT);
}

/** A program that prints the length of the sample report. */
function aside(report: string, sample: string): string {
  return `
    import { renderReport } from ${JSON.stringify(ROOT + report)};
    import { sampleReport } from ${JSON.stringify(ROOT + sample)};
    console.log((await renderReport(sampleReport())).length);
  `;
}

async function run(args: string[], env: Record<string, string>, cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env, cwd }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

/** Script tags that stand in strings of the bundled packages, where they do nothing. */
function scriptTagsInside(script: string): number {
  return script.match(/<script[ >]/g)?.length ?? 0;
}
