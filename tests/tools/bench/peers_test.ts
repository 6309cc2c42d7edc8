import assert from "node:assert/strict";
import { blockPeers, defaultPeers, PEER_NAMES, timeOrFail } from "../../../tools/bench/block_peers.ts";
import { bestOf, findKit, findTorch, parsePeerLines, Torch } from "../../../tools/bench/peers.ts";
import { InputError } from "../../../tools/errors.ts";
import { needing, POSIX } from "../../_needs.ts";

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

Deno.test("parsePeerLines() reads results and failures, and passes over other lines", () => {
  const failed = { ...LINE, sizes: { n_res: 3, masks: false }, ms_min: null, error: "out of memory\n  at malloc" };
  const sums = { ...LINE, ms_min: 1, checksum: [[1, 2], [3, 4]] };
  const { records, failures } = parsePeerLines(`a warning\n${text(LINE, failed, sums)}\n\n`, "peer");
  assert.deepEqual(records.map(({ ms_min, checksum }) => [ms_min, checksum]), [[1.25, undefined], [1, [1, 2, 3, 4]]]);
  assert.deepEqual(records[0], {
    engine: "torch 2.13.0+cpu",
    device: "cpu, 2 threads",
    workload: "matmul",
    sizes: { m: 512, n: 512, k: 512 },
    mode: "mm",
    ms_min: 1.25,
    ms_median: 1.5,
  });
  assert.deepEqual(failures, [{ sizes: { n_res: 3 }, mode: "mm", error: "out of memory" }]);
  assert.equal(bestOf(records, { m: 512 }), 1);
  assert.equal(bestOf(records, { m: 512, n: 511 }), undefined);
});

Deno.test("parsePeerLines() names the line that is wrong", () => {
  const bad: [string, RegExp][] = [
    ['{"engine": "torch"', /^Output of peer, line 2: not a JSON object/],
    [text({ ...LINE, engine: 3 }), /line 2: expected engine, device and workload as texts/],
    [text({ ...LINE, sizes: null }), /line 2: expected mode as a text and sizes as an object/],
    [text({ ...LINE, ms_min: 0 }), /line 2: expected ms_min and ms_median as numbers above 0, found 0 and 1.5/],
    [text({ ...LINE, checksum: [["1", 2]] }), /line 2: expected checksum as lists of numbers/],
    [text({ ...LINE, ms_median: "1" }), /line 2: expected ms_min and ms_median as numbers above 0/],
  ];
  for (const [line, message] of bad) {
    assert.throws(() => parsePeerLines(`${text(LINE)}\n${line}`, "peer"), { name: "SyntaxError", message });
  }
});

Deno.test("what is missing is told with how to get it; a kit that is named and not there is refused", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await assert.rejects(findKit(folder), (error) => error instanceof InputError && error.message.includes(folder));
    await Deno.writeTextFile(`${folder}/torch_peer.py`, "");
    assert.equal(await findKit(folder), folder);
    const found = await findTorch(folder, { cuda: false, threads: 2, python: `${folder}/no-python` });
    assert.ok("missing" in found && /no-python cannot import torch .*pip install numpy torch/.test(found.missing));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the peers beside a software driver are f32 and all JavaScript engines, beside a GPU those that run on GPUs", () => {
  assert.deepEqual(defaultPeers(true), [
    ...["torch", "torch-compiled", "jax-webgpu", "tfjs-webgpu", "ort-webgpu", "jax-wasm", "tfjs-wasm", "ort-wasm"],
  ]);
  assert.deepEqual(PEER_NAMES.filter((name) => !defaultPeers(false).includes(name)), [
    ...["jax-wasm", "tfjs-wasm", "ort-wasm"],
  ]);
});

Deno.test(needing(POSIX, { // the stand-in for Python is a shell script
  name: "Torch runs the kit's script with its device and threads, and reports its last line when it fails",
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
}));

Deno.test(needing(POSIX, {
  name: "a peer of blocks is run for what it can do, and its failure is no failure of the bench",
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const python = `${folder}/python`;
      const line = { ...LINE, workload: "evoformer", sizes: { n_seq: 3, n_res: 5 }, mode: "forward" };
      await Deno.writeTextFile(
        python,
        `#!/bin/sh
case "$*" in
  *--compile*) printf 'a.b.BackendError: no compiler\n\nSet VERBOSE=1 for more\n' >&2; exit 1;;
  *"evoformer --n-seq 3 --n-res 5 --pass forward,train --dtype tf32"*) echo '${text(line)}';;
  *) exit 2;;
esac
`,
      );
      await Deno.chmod(python, 0o755);
      await Deno.mkdir(`${folder}/js_peers`);
      await Deno.writeTextFile(
        `${folder}/js_peers/ort.ts`,
        `console.log(JSON.stringify({...${text(line)}, device: Deno.args.join(" ")}))`,
      );
      const torch = new Torch(python, folder, "9.9", "cpu", 3);
      const peers = blockPeers(["torch-tf32", "torch-compiled", "ort-wasm"], folder, torch, true);
      const size = { nSeq: 3, nRes: 5 };
      const outputs = new Map<string, Awaited<ReturnType<typeof timeOrFail>>>();
      for (const peer of peers) outputs.set(peer.name, await timeOrFail(peer, "evoformer", size, ["forward", "train"]));
      assert.equal(outputs.get("torch-tf32")?.records[0].ms_min, 1.25);
      assert.deepEqual(outputs.get("torch-compiled")?.failures.map(({ mode, error }) => [mode, error]), [
        ["forward", "a.b.BackendError: no compiler"],
        ["forward+backward", "a.b.BackendError: no compiler"],
      ]);
      assert.match(
        outputs.get("ort-wasm")!.records[0].device,
        /^--backend wasm --workloads evoformer --n-seq 3 --n-res 5 --pass forward --repeats/,
      );
      assert.deepEqual(await timeOrFail(peers.find(({ name }) => name === "ort-wasm")!, "evoformer", size, ["train"]), {
        records: [],
        failures: [],
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
}));
