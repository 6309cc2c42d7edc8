/**
 * The programs beside which blocks of networks are measured, each in a process of its own.
 *
 * @module
 */
import { join } from "node:path";
import { message, parsePeerLines, type PeerOutput, runPeer, type Torch } from "./peers.ts";

/** Which ways through a block are measured. */
export type Pass = "forward" | "train";

/** Sizes of a block's input. */
export interface BlockSize {
  /** Sequences of the MSA. */
  readonly nSeq: number;
  /** Residues. */
  readonly nRes: number;
}

/** The blocks that every peer has, by the names of the kit. */
export type BlockName = "evoformer" | "pair-block";

/** A program that computes the blocks too. */
export interface BlockPeer {
  /** As it is chosen on the command line. */
  readonly name: string;
  readonly kind: "torch" | "webgpu" | "wasm";
  /** Numbers it computes with; only `f32` is expected to agree with us. */
  readonly dtype: string;
  /** Whether one round is enough: it takes long to start or to run. */
  readonly once: boolean;
  /** What it computes. */
  readonly passes: readonly Pass[];
  /**
   * Times a block in a new process.
   *
   * @throws {Error} If the program fails.
   */
  time(block: BlockName, size: BlockSize, passes: readonly Pass[]): Promise<PeerOutput>;
}

const DTYPES = ["f32", "tf32", "bf16"] as const;
const BOTH: readonly Pass[] = ["forward", "train"];

/** The kit's programs for Deno, and what they compute. */
const JS_PEERS = [
  { engine: "jax", passes: BOTH },
  { engine: "tfjs", passes: BOTH },
  { engine: "ort", passes: ["forward"] },
] as const;

/** PyTorch in several ways: `torch`, `torch-compiled`, `torch-tf32`, … */
const TORCH_PEERS = DTYPES.flatMap((dtype) =>
  [false, true].map((compiled) => ({
    name: ["torch", ...(dtype === "f32" ? [] : [dtype]), ...(compiled ? ["compiled"] : [])].join("-"),
    dtype,
    compiled,
  }))
);

/** All peers' names. */
export const PEER_NAMES: readonly string[] = [
  ...TORCH_PEERS.map(({ name }) => name),
  ...(["webgpu", "wasm"] as const).flatMap((backend) => JS_PEERS.map(({ engine }) => `${engine}-${backend}`)),
];

/**
 * The peers that make sense beside an adapter: on a software driver, PyTorch in f32 and all JavaScript engines; on a GPU,
 * PyTorch in all ways and the engines that run on GPUs.
 */
export function defaultPeers(software: boolean): string[] {
  return PEER_NAMES.filter((name) => software ? !/tf32|bf16/.test(name) : !name.endsWith("wasm"));
}

/**
 * The peers of these names.
 *
 * @param kit The benchmark kit's folder.
 * @param torch Null where it is missing.
 */
export function blockPeers(names: readonly string[], kit: string, torch: Torch | null, software: boolean): BlockPeer[] {
  const torchPeers = torch ? TORCH_PEERS.map((peer) => torchPeer(torch, peer)) : [];
  const jsPeers = (["webgpu", "wasm"] as const).flatMap((backend) =>
    JS_PEERS.map(({ engine, passes }) => jsPeer(kit, engine, passes, backend, software))
  );
  return [...torchPeers, ...jsPeers].filter(({ name }) => names.includes(name));
}

function torchPeer(torch: Torch, { name, dtype, compiled }: (typeof TORCH_PEERS)[number]): BlockPeer {
  return {
    name,
    dtype,
    kind: "torch",
    once: compiled,
    passes: BOTH,
    async time(block, { nSeq, nRes }, passes) {
      const sizes = [...(block === "evoformer" ? ["--n-seq", String(nSeq)] : []), "--n-res", String(nRes)];
      const way = ["--pass", passes.join(), "--dtype", dtype, ...(compiled ? ["--compile"] : [])];
      return { records: await torch.time(block, ...sizes, ...way, "--repeats", "5"), failures: [] };
    },
  };
}

function jsPeer(
  kit: string,
  engine: string,
  canDo: readonly Pass[],
  backend: "webgpu" | "wasm",
  software: boolean,
): BlockPeer {
  const slow = (backend === "webgpu" && software) || engine === "tfjs"; // seconds a step
  return {
    name: `${engine}-${backend}`,
    dtype: "f32",
    kind: backend,
    once: slow,
    passes: canDo,
    async time(block, { nSeq, nRes }, passes) {
      // A folder of scripts without imports, as the kit makes it for machines without a network.
      const bundles = Deno.env.get("KIT_PEERS");
      const script = bundles ? join(bundles, `${engine}.js`) : join(kit, "js_peers", `${engine}.ts`);
      const permissions = ["-A", "--unstable-webgpu"];
      const alone = ["--no-config", "--no-lock", "--no-check", "--node-modules-dir=none"];
      const what = ["--backend", backend, "--workloads", block, "--n-seq", String(nSeq), "--n-res", String(nRes)];
      const how = ["--pass", passes.join(), "--repeats", slow ? "2" : "4", "--seconds", "20"];
      return parsePeerLines(
        await runPeer(Deno.execPath(), ["run", ...permissions, ...alone, script, ...what, ...how]),
        script,
      );
    },
  };
}

/** {@linkcode BlockPeer.time}, with what goes wrong as failures of each pass. */
export async function timeOrFail(
  peer: BlockPeer,
  block: BlockName,
  size: BlockSize,
  passes: readonly Pass[],
): Promise<PeerOutput> {
  const wanted = passes.filter((pass) => peer.passes.includes(pass));
  if (!wanted.length) return { records: [], failures: [] };
  try {
    return await peer.time(block, size, wanted);
  } catch (error) {
    const failed = { sizes: { n_res: size.nRes }, error: message(error) };
    return { records: [], failures: wanted.map((pass) => ({ ...failed, mode: MODES[pass] })) };
  }
}

/** What the kit calls the passes in its results. */
export const MODES: Readonly<Record<Pass, string>> = { forward: "forward", train: "forward+backward" };
