import assert from "node:assert/strict";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { makePackageParts } from "../../tools/package.ts";
import { ROOT, runDeno } from "./cli/_run.ts";

/** Files of the package, as publishing would take them, from the project's root. */
async function packageFiles(): Promise<string[]> {
  const { code, stdout, stderr } = await runDeno(
    ["publish", "--dry-run", "--allow-dirty", "--no-check", "--allow-slow-types"],
  );
  assert.equal(code, 0, stderr);
  const lines = `${stdout}\n${stderr}`.matchAll(/^\s*file:\/\/(\S+) \(/gm);
  return Array.from(lines, ([, path]) => decodeURI(path).slice(ROOT.length + 1));
}

/** Serves the package as a registry does: what is published alone, with packages by their full names. */
function servePackage(files: ReadonlySet<string>) {
  const bare = new RegExp(
    `(["'])(${Object.keys(config.imports).map((name) => RegExp.escape(name)).join("|")})(/[^"']*)?\\1`,
    "g",
  );
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const path = decodeURI(new URL(request.url).pathname).slice(1);
    if (!files.has(path)) return new Response("not published", { status: 404 });
    const text = await Deno.readTextFile(join(ROOT, path));
    const isCode = path.endsWith(".ts");
    const body = isCode
      ? text.replace(bare, (_, quote, name, rest = "") => `${quote}${Reflect.get(config.imports, name)}${rest}${quote}`)
      : text;
    return new Response(body, { headers: { "Content-Type": isCode ? "application/typescript" : "application/json" } });
  });
  return { url: `http://127.0.0.1:${server.addr.port}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

Deno.test("the published package renders reports and has the examples, loaded over http from its own files alone", async () => {
  await makePackageParts(ROOT);
  const files = await packageFiles();
  for (const part of ["report_page", "profile_page", "attention_page", "web_page", "examples", "pretrained"]) {
    assert.ok(files.includes(`dist/package/${part}.json`), part);
  }
  assert.deepEqual(files.filter((path) => /\/page\/|page_build|^tests/.test(path)), []);
  const folder = await Deno.makeTempDir();
  try {
    await using server = await servePackage(new Set(files));
    const { denoDir } = JSON.parse((await runDeno(["info", "--json"])).stdout);
    await Deno.mkdir(join(folder, "deno"));
    await Deno.symlink(join(denoDir, "npm"), join(folder, "deno", "npm"));
    const env = { DENO_DIR: join(folder, "deno"), DENOFOLD_CACHE: join(folder, "cache") };
    const run = (...args: string[]) =>
      runDeno(["run", "-A", "--unstable-webgpu", "--no-lock", "--no-config", "--quiet", ...args], { env, cwd: folder });
    await Deno.writeTextFile(
      join(folder, "main.ts"),
      `import { renderAttention } from "${server.url}/tools/attention/html.ts";
      import { shippedFolder } from "${server.url}/tools/platform/shipped.ts";
      import { renderReport } from "${server.url}/tools/report/report.ts";
      const distances = [[0, 3.8], [3.8, 0]];
      const html = await renderReport({
        ...{ title: "Two", summary: "Two residues.", created: "2026-01-01T00:00:00Z", limits: [], run: [] },
        targets: [{ id: "x", sequence: "GG", predictedCif: "data_x", predictedDistances: distances, methods: [] }],
      });
      console.log(JSON.stringify({ size: html.length, title: html.includes("<title>Two</title>"), folder: await shippedFolder("examples"),
        isFunction: typeof renderAttention }));`,
    );
    const { code, stdout, stderr } = await run("main.ts");
    assert.equal(code, 0, stderr);
    const made = JSON.parse(stdout);
    assert.ok(made.size > 3_000_000 && made.title);
    const finger = join(made.folder, "zinc_fingers", "1znf.cif");
    assert.equal(
      await Deno.readTextFile(finger),
      await Deno.readTextFile(join(ROOT, "examples", "zinc_fingers", "1znf.cif")),
    );
    const inspected = await run(`${server.url}/tools/cli/main.ts`, "inspect", finger);
    assert.equal(inspected.code, 0, inspected.stderr);
    assert.match(inspected.stdout, /Entry +1znf/);
    const args = [
      "prep",
      finger,
      join(made.folder, "zinc_fingers", "1ard.cif"),
      "--jobs",
      "2",
      "--out",
      join(folder, "out"),
    ];
    const prepared = await run(`${server.url}/tools/cli/main.ts`, ...args); // workers are loaded over http too
    assert.equal(prepared.code, 0, prepared.stderr);
    assert.match(prepared.stdout, /^2 prepared/m);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the entry for data pulls none of the packages of reports and terminals", async () => {
  const packages = async (path: string): Promise<string[]> => {
    const { stdout } = await runDeno(["info", "--json", path]);
    const { modules } = JSON.parse(stdout) as { modules: { specifier: string }[] };
    return [...new Set(modules.flatMap(({ specifier }) => /^npm:\/?([^@]+)@/.exec(specifier)?.slice(1) ?? []))];
  };
  assert.deepEqual(await packages(config.exports["./data"]), ["csv-parse"]);
  for (const entry of [".", "./ops", "./model", "./finetune"] as const) {
    assert.deepEqual(await packages(config.exports[entry]), [], entry);
  }
});
