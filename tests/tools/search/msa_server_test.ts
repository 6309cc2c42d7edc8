import assert from "node:assert/strict";
import { join } from "node:path";
import { readTar } from "../../../tools/data/tar.ts";
import { InputError } from "../../../tools/errors.ts";
import { type MsaServerOptions, requestMsas, UnreachableError, USER_AGENT } from "../../../tools/search/msa_server.ts";
import { runDeno } from "../cli/_run.ts";
import { type Answer, archive, serve, tar, tarGz, ticket } from "./_msa_server.ts";

const QUERY = "MKTAYIAKQR";
const UNIREF = ">101\nMKTAYIAKQR\n>UniRef100_A\t120\t0.9\nMKTAYLAKrQR\n";
const RESULT = tarGz([
  { name: "./uniref.a3m", text: `${UNIREF}\0` },
  { name: "bfd.mgnify30.metaeuk30.smag30.a3m", text: ">101\nMKTAYIAKQR\n>env\n-KTAYIAK--\n\0" },
  { name: "pdb70.m8", text: "not read\n" },
]);

function ask(url: string, options: Partial<MsaServerOptions> = {}, sequences = [QUERY]) {
  return requestMsas(sequences, { url, pollMs: 2, timeoutMs: 20_000, ...options });
}

Deno.test("requestMsas() hands a sequence in, waits, and joins what comes back", async () => {
  const states: string[] = [];
  await using server = serve([
    ...[ticket("RATELIMIT", null), ticket("PENDING"), ticket("PENDING"), ticket("RUNNING"), ticket("COMPLETE")],
    archive(RESULT),
  ]);
  const found = await ask(`${server.url}/`, { onStatus: (status) => states.push(status) });
  const [{ names, rows, deletions }] = found.alignments;
  assert.deepEqual(names, ["101", "UniRef100_A", "env"]);
  assert.deepEqual(rows, [QUERY, "MKTAYLAKQR", "-KTAYIAK--"]);
  assert.deepEqual([...deletions[1]], [0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
  assert.deepEqual([found.cached, found.ticket], [false, "T/1"]);
  assert.deepEqual(states, ["RATELIMIT", "PENDING", "PENDING", "RUNNING", "COMPLETE"]);
  assert.deepEqual(server.seen.map(({ method, path }) => `${method} ${path}`), [
    ...["POST /ticket/msa", "POST /ticket/msa", "GET /ticket/T%2F1", "GET /ticket/T%2F1", "GET /ticket/T%2F1"],
    "GET /result/download/T%2F1",
  ]);
  assert.ok(server.seen.every(({ agent }) => agent === USER_AGENT));
  assert.deepEqual([...server.seen[0].body], [["q", `>101\n${QUERY}\n`], ["mode", "env"]]);
});

Deno.test("requestMsas() waits out rate limits, lost tickets and short failures", async () => {
  const refuse = (status: number, headers = {}): Answer => () => new Response("no", { status, headers });
  await using server = serve([
    ...[refuse(429, { "Retry-After": "0" }), refuse(503), refuse(500), ticket("PENDING"), ticket("UNKNOWN")],
    ...[ticket("PENDING", "T2"), refuse(502), ticket("COMPLETE", "T2"), archive(RESULT)],
  ]);
  const found = await ask(server.url, { userAgent: "me@example.org", mode: "all" });
  assert.equal(found.alignments[0].rows.length, 3);
  assert.equal(found.ticket, "T2");
  assert.deepEqual(server.seen.map(({ method }) => method).join(" "), "POST POST POST POST GET POST GET GET GET");
  assert.equal(server.seen[0].agent, "me@example.org");
  assert.equal(server.seen[0].body.get("mode"), "all");
});

Deno.test("requestMsas() pairs chains", async () => {
  const text = ">101\nMKTAYIAKQR\n>a\nMKTAYIAKQQ\n\0>102\nGGSWEDPPLV\n>b\nGGSWEDPPL-\n\0";
  await using server = serve([ticket("COMPLETE"), archive(tarGz([{ name: "pair.a3m", text }]))]);
  const { alignments } = await ask(server.url, { mode: "pairgreedy" }, [QUERY, "GGSWEDPPLV"]);
  assert.deepEqual(alignments.map(({ rows }) => rows), [[QUERY, "MKTAYIAKQQ"], ["GGSWEDPPLV", "GGSWEDPPL-"]]);
  assert.equal(server.seen[0].path, "/ticket/pair");
  assert.equal(server.seen[0].body.get("q"), `>101\n${QUERY}\n>102\nGGSWEDPPLV\n`);
});

Deno.test("requestMsas() asks once for the same thing, and keeps no broken answer", async () => {
  const cache = await Deno.makeTempDir();
  try {
    await using server = serve([
      ...[ticket("COMPLETE"), archive(RESULT.slice(0, 200)), ticket("COMPLETE"), archive(RESULT)],
      ...[ticket("COMPLETE"), archive(RESULT)],
    ]);
    await assert.rejects(ask(server.url, { cache }), /Cannot unpack The result of .*truncated/);
    const first = await ask(server.url, { cache });
    assert.equal(first.cached, false);
    const second = await ask(server.url, { cache });
    assert.deepEqual([second.cached, second.alignments[0].rows], [true, first.alignments[0].rows]);
    assert.equal(server.seen.length, 4);
    await ask(server.url, { cache, mode: "all" });
    assert.equal(server.seen.length, 6);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

const REFUSED: [name: string, answers: Answer[], message: RegExp, options?: Partial<MsaServerOptions>][] = [
  ["ERROR", [ticket("ERROR")], /could not make the alignment/],
  ["MAINTENANCE", [ticket("PENDING"), ticket("MAINTENANCE")], /is in maintenance: try again later/],
  ["another state", [ticket("LOST")], /says "LOST", expected the state of a ticket/],
  ["a page", [() => new Response("<html>hello")], /answered "<html>hello", expected a ticket/],
  ["404", [() => new Response("", { status: 404 })], /refuses ticket\/msa: it answered 404/],
  ["500 for ever", [() => new Response("", { status: 500 })], /Cannot reach http.*: it answered 500/],
  ["a wait without end", [ticket("PENDING")], /was not done within 0\.005 minutes/, { timeoutMs: 300 }],
  ["a busy server", [() => new Response("", { status: 429 })], /was not done within/, { timeoutMs: 300 }],
  ["no archive", [ticket("COMPLETE"), () => new Response("oops")], /is not a \.tar\.gz archive/],
  ["an empty archive", [ticket("COMPLETE"), archive(tarGz([]))], /no alignment of sequence 1: it has nothing/],
  [
    "another query",
    [ticket("COMPLETE"), archive(tarGz([{ name: "uniref.a3m", text: ">101\nMK\n>a\nMK\n" }]))],
    /first row has 2 residues, expected the 10/,
  ],
  [
    "another number",
    [ticket("COMPLETE"), archive(tarGz([{ name: "uniref.a3m", text: ">7\nMKTAYIAKQR\n" }]))],
    /uniref\.a3m has a part that begins ">7/,
  ],
  [
    "a name that leads out",
    [ticket("COMPLETE"), archive(tarGz([{ name: "../../etc/uniref.a3m", text: UNIREF }]))],
    /"\.\.\/\.\.\/etc\/uniref\.a3m" would lead out of its folder/,
  ],
  [
    "an endless page",
    [() => new Response("x".repeat(1 << 20))],
    /has more than 65536 bytes, the most that is accepted/,
  ],
  [
    "a large download",
    [ticket("COMPLETE"), archive(RESULT)],
    /has more than 100 bytes, the most that is accepted/,
    { maxDownloadBytes: 100 },
  ],
  [
    "a bomb",
    [ticket("COMPLETE"), archive(tarGz([{ name: "uniref.a3m", text: "-".repeat(100_000) }]))],
    /unpacks to more than 50000 bytes/,
    { maxUnpackedBytes: 50_000 },
  ],
];
for (const [name, answers, message, options] of REFUSED) {
  Deno.test(`requestMsas() refuses ${name}`, async () => {
    await using server = serve(answers);
    await assert.rejects(ask(server.url, options), (error: Error) => {
      assert.ok(error instanceof InputError, String(error));
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("requestMsas() says that there is no server, and stops when it shall", async () => {
  await assert.rejects(ask("http://127.0.0.1:1"), (error: Error) => {
    assert.match(`${error}`, /^InputError: Cannot reach http:\/\/127\.0\.0\.1:1: /);
    return error instanceof UnreachableError;
  });
  await using server = serve([ticket("PENDING")]);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 30);
  await assert.rejects(ask(server.url, { pollMs: 20, signal: controller.signal }), /Interrupted while waiting/);
});

Deno.test("requestMsas() gives a server up in seconds that is not there, with the reason", async () => {
  const start = performance.now();
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  for (
    const [url, message] of [
      [`http://127.0.0.1:${port}`, /: .*Connection refused$/],
      ["http://no-such-host.invalid", /: .*(?:dns|lookup|resolve)/i],
    ] as const
  ) {
    await assert.rejects(requestMsas([QUERY], { url }), (error: Error) => { // with the defaults of the command line
      assert.ok(error.message.startsWith(`Cannot reach ${url}: `), error.message);
      assert.match(error.message, message);
      return error instanceof UnreachableError;
    });
  }
  const seconds = (performance.now() - start) / 1000;
  assert.ok(seconds < 15, `it took ${seconds} s`);
});

Deno.test("requestMsas() gives up a server that says nothing, at first and later", async () => {
  const never = () => new Promise<Response>(() => {});
  const endless = (): Response =>
    new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) }));
  for (
    const [answers, options, message] of [
      [[never], { contactMs: 200 }, /^Cannot reach http.*: nothing came from it for 0\.2 s$/],
      [[ticket("PENDING"), never], { silenceMs: 100 }, /^Cannot reach http.*: nothing came from it for 0\.1 s$/],
      [[ticket("COMPLETE"), endless], { silenceMs: 100 }, /^Cannot reach http.*: nothing came from it for 0\.1 s$/],
    ] as const
  ) {
    const server = serve(answers);
    try {
      await assert.rejects(ask(server.url, options), (error: Error) => {
        assert.match(error.message, message);
        return error instanceof InputError;
      });
    } finally {
      void server[Symbol.asyncDispose](); // waits for the answers that never come
    }
  }
});

Deno.test("requestMsas() waits for a slow answer as long as something comes", async () => {
  const slowly = (): Response => {
    const bytes = RESULT;
    let at = 0;
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 30));
          if (at >= bytes.length) return controller.close();
          controller.enqueue(bytes.subarray(at, at += Math.ceil(bytes.length / 6)));
        },
      }),
    );
  };
  await using server = serve([ticket("COMPLETE"), slowly]);
  assert.equal((await ask(server.url, { silenceMs: 150 })).alignments[0].rows.length, 3);
});

Deno.test("requestMsas() asks again where the kept answer is damaged", async () => {
  const cache = await Deno.makeTempDir();
  try {
    await using server = serve([ticket("COMPLETE"), archive(RESULT), ticket("COMPLETE"), archive(RESULT)]);
    await ask(server.url, { cache });
    const [{ name }] = [...Deno.readDirSync(cache)];
    await Deno.writeFile(join(cache, name), RESULT.subarray(0, 100));
    const states: string[] = [];
    const again = await ask(server.url, { cache, onStatus: (status) => states.push(status) });
    assert.deepEqual([again.cached, again.alignments[0].rows.length], [false, 3]);
    assert.equal(states[0], "the answer that was kept is damaged, asking again");
    assert.equal((await ask(server.url, { cache })).cached, true);
    assert.equal(server.seen.length, 4);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

Deno.test("requestMsas() leaves an odd hit out with a remark, keeps as many rows as wanted, and pairs no odd rows", async () => {
  const text = ">101\nMKTAYIAKQR\n>a\nMKTAYI*KQR\n>b\nMKTAYLAKQR\n>c\nMKTAYMAKQR\n\0";
  const result = archive(tarGz([{ name: "uniref.a3m", text }]));
  await using server = serve([ticket("COMPLETE"), result, ticket("COMPLETE"), result]);
  const { alignments: [{ names, remarks = [] }] } = await ask(server.url);
  assert.deepEqual(names, ["101", "b", "c"]);
  assert.deepEqual(remarks.map(({ key, count, line }) => [key, count, line]), [["oddRow", 1, 4]]);
  assert.deepEqual((await ask(server.url, { maxRows: 3 })).alignments[0].names, ["101", "b"]);
  const pairs = ">101\nMKTAYIAKQR\n>a\nMKTAYI*KQR\n>b\nMKTAYIAKQR\n\0>102\nGG\n>a\nGA\n>b\nGS\n\0";
  await using pairing = serve([ticket("COMPLETE"), archive(tarGz([{ name: "pair.a3m", text: pairs }]))]);
  await assert.rejects(ask(pairing.url, { mode: "pairgreedy" }, [QUERY, "GG"]), /do not belong together any more: /);
});

Deno.test("readTar() reads files and refuses what is broken or leads out", () => {
  const files = [{ name: "./a.txt", text: "a".repeat(700) }, { name: "dir/", text: "", kind: "5" }, {
    name: "dir/b",
    text: "",
  }];
  const bytes = tar(files);
  assert.deepEqual([...readTar(bytes, "t")].map(([name, { length }]) => [name, length]), [["a.txt", 700], [
    "dir/b",
    0,
  ]]);
  for (const name of ["/a", "../a", "a/../../b", "C:\\a", "..\\a"]) {
    assert.throws(() => readTar(tar([{ name, text: "x" }]), "t"), /would lead out of its folder/);
  }
  for (const kind of ["1", "2", "3"]) {
    assert.throws(() => readTar(tar([{ name: "a", text: "", kind }]), "t"), /"a" is a link or device/);
  }
  for (const length of [0, 100, 512, 1000, bytes.length - 1024]) {
    assert.throws(() => readTar(bytes.subarray(0, length), "t"), /t is cut short/);
  }
  const damaged = bytes.slice();
  damaged[3] ^= 1;
  assert.throws(() => readTar(damaged, "t"), /a wrong checksum at byte 0/);
});

Deno.test("denofold msa --msa-server asks the server and says where the sequence goes", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using server = serve([ticket("COMPLETE"), archive(RESULT)]);
    const fasta = join(folder, "in.fasta");
    await Deno.writeTextFile(fasta, `>one\n${QUERY}\n`);
    const args = ["msa", fasta, "--msa-server", server.url, "--out", join(folder, "out")];
    const env = { DENOFOLD_CACHE: join(folder, "cache") };
    const { code, stdout, stderr } = await runDeno(["run", "-A", "tools/cli/main.ts", ...args], { env });
    assert.deepEqual([code, stdout], [0, `${join(folder, "out", "one", "colabfold_hits.a3m")}  3 rows\n`]);
    assert.match(
      stderr,
      /^The sequences are sent to http:\/\/127\.0\.0\.1:\d+, which others run; answers are kept in /,
    );
    const text = await Deno.readTextFile(join(folder, "out", "one", "colabfold_hits.a3m"));
    assert.ok(text.startsWith(`>one\n${QUERY}\n>UniRef100_A\n`));
    const record = JSON.parse(await Deno.readTextFile(join(folder, "out", "one", "colabfold_hits.a3m.json")));
    assert.deepEqual([record.server, record.cached, record.ticket], [server.url, false, "T/1"]);
    assert.equal(server.seen.length, 2);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
