import assert from "node:assert/strict";
import { bestOf, findTorch, parsePeerLines, Torch } from "../../../tools/bench/peers.ts";
import { InputError } from "../../../tools/errors.ts";

const LINE = {
  engine: "torch 2.13.0+cpu",
  device: "cpu, 2 threads",
  workload: "matmul",
  sizes: { m: 512, n: 512, k: 512 },
  dtype: "f32",
  mode: "mm",
  ms_min: 1.25,
  ms_median: 1.5,
  tflops: 0.2,
};
const text = (...lines: unknown[]) => lines.map((line) => JSON.stringify(line)).join("\n");

Deno.test("parsePeerLines() reads results, passes over other lines and over failed runs", () => {
  const records = parsePeerLines(
    `a warning\n${text(LINE, { ...LINE, ms_min: null, error: "out of memory" }, { ...LINE, ms_min: 1 })}\n\n`,
    "peer",
  );
  assert.deepEqual(records.map(({ ms_min }) => ms_min), [1.25, 1]);
  assert.deepEqual(records[0], {
    engine: "torch 2.13.0+cpu",
    device: "cpu, 2 threads",
    workload: "matmul",
    sizes: { m: 512, n: 512, k: 512 },
    mode: "mm",
    ms_min: 1.25,
    ms_median: 1.5,
  });
  assert.equal(bestOf(records, { m: 512 }), 1);
  assert.equal(bestOf(records, { m: 512, n: 511 }), undefined);
});

Deno.test("parsePeerLines() names the line that is wrong", () => {
  const bad: [string, RegExp][] = [
    ['{"engine": "torch"', /^Output of peer, line 2: not a JSON object/],
    [text({ ...LINE, engine: 3 }), /line 2: expected engine, device and workload as texts/],
    [text({ ...LINE, sizes: null }), /line 2: expected mode as a text and sizes as an object/],
    [text({ ...LINE, ms_min: 0 }), /line 2: expected ms_min and ms_median as numbers above 0, found 0 and 1.5/],
    [text({ ...LINE, ms_median: "1" }), /line 2: expected ms_min and ms_median as numbers above 0/],
  ];
  for (const [line, message] of bad) {
    assert.throws(() => parsePeerLines(`${text(LINE)}\n${line}`, "peer"), { name: "SyntaxError", message });
  }
});

Deno.test("findTorch() says how to get what is missing, and refuses a kit that is named and not there", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const options = { kit: folder, cuda: false, threads: 2 };
    await assert.rejects(findTorch(options), (error) => error instanceof InputError && error.message.includes(folder));
    await Deno.writeTextFile(`${folder}/torch_peer.py`, "");
    const found = await findTorch({ ...options, python: `${folder}/no-python` });
    assert.ok("missing" in found && /no-python cannot import torch .*pip install numpy torch/.test(found.missing));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name: "Torch runs the kit's script with its device and threads, and reports its last line when it fails",
  ignore: Deno.build.os === "windows", // the stand-in for Python is a shell script
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const python = `${folder}/python`;
      await Deno.writeTextFile(
        python,
        `#!/bin/sh\n[ "$2" = matmul ] || { echo traceback >&2; echo "no $2" >&2; exit 3; }
[ "\${1##*/} $*" = "torch_peer.py $1 matmul --repeats 1 --device cpu --threads 3" ] || exit 4
echo '${text(LINE)}'\n`,
      );
      await Deno.chmod(python, 0o755);
      const torch = new Torch(python, folder, "9.9", "cpu", 3);
      assert.equal(torch.name, "torch 9.9, 3 threads");
      assert.equal((await torch.time("matmul", "--repeats", "1"))[0].ms_min, 1.25);
      await assert.rejects(torch.time("copy"), /^Error: no copy$/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
