/** The readers that are fuzzed, each with small files that it reads. */
import { gzipSync } from "node:zlib";
import { decodeCheckpoint, encodeCheckpoint } from "../../finetune/mod.ts";
import { encodeNpy, parseNpy } from "../../model/weights/npy.ts";
import { encodeSafetensors, type NamedArray, parseSafetensors } from "../../model/weights/safetensors.ts";
import { parseFasta } from "../../tools/data/fasta.ts";
import { parseHhr } from "../../tools/data/hhr.ts";
import { parseHmmsearch } from "../../tools/data/hmmsearch.ts";
import { readDistanceMatrix } from "../../tools/data/matrix.ts";
import { readPdbbindIndex, readPdbbindNames } from "../../tools/data/pdbbind.ts";
import { readAlignment } from "../../tools/data/read_alignment.ts";
import { readStructure } from "../../tools/data/read_structure.ts";
import { readTargetTable } from "../../tools/data/table.ts";
import { readTar } from "../../tools/data/tar.ts";
import { asInputError } from "../../tools/errors.ts";
import { decodeText, readFileBytes, readFileMaybeGzip } from "../../tools/files.ts";
import { readWeights } from "../../tools/fold/read_weights.ts";
import { toBinaryCif } from "../tools/data/_binary_cif.ts";
import { HHR_TEXT } from "../tools/data/_hits.ts";
import { CIF_ASSEMBLIES, CIF_TEXT, PDB_ASSEMBLIES, PDB_TEXT } from "../tools/data/_structures.ts";

/** A file that a reader reads. */
export interface Sample {
  /** Ending of its name. */
  readonly ending: string;
  readonly bytes: Uint8Array;
}

/** A reader, and what is expected of it. */
export interface Reader {
  samples(): Promise<Sample[]> | Sample[];
  read(path: string): Promise<unknown>;
  /** Refusals that are about the file as a whole; any other must name a line or row. */
  readonly whole: RegExp;
  /** Throws if parts of what was read do not fit together. */
  readonly check?: (result: never) => void;
  /** Numbers may be anything, as the format only carries them. */
  readonly anyNumbers?: boolean;
}

const text = (ending: string, content: string): Sample => ({ ending, bytes: new TextEncoder().encode(content) });

const A3M = `>query some words
MKVLAGYWTR--
>hit1 OS=Homo
M-abVcLAGYWTRK-d
>hit2/3-9
-KVLA.GYW-RK-
>hit3
mm-KVLAGYWTRK-
`;
const FASTA = `>A first chain
MKVLAGYWTRDEFGHIK
MKVLAGYW*
>B:C two chains
mkvlagywtr
NDCQE
`;
const STOCKHOLM = `# STOCKHOLM 1.0
#=GF ID test
#=GS hit1 DE some words

query       MKVLA.GYW
hit1/1-9    MK-LA.GYW
#=GR hit1/1-9 PP 99*99.999
hit2        .kVLAxGY-
#=GC RF     xxxxx.xxx

query       TRK
hit1/1-9    T-K
hit2        ~R_
#=GC RF     xxx
//
`;
const HMMSEARCH = `# STOCKHOLM 1.0
#=GS 1ABC_A/3-7 DE [subseq from] mol:protein length:99  A protein
#=GS 2XYZ_B/1-4 DE [subseq from] 2XYZ_B

1ABC_A/3-7         AC.DEF
2XYZ_B/1-4         ACwD--
#=GC RF            xx.xxx
//
`;
const DOMAINS = `# target name        accession   tlen query name           accession   qlen   E-value  score  bias
1ABC_A - 99 q - 5 1e-10 50.5 0.1 1 1 1e-12 1.2e-10 50.1 0.1 1 5 3 7 2 8 0.97 mol:protein
2XYZ_B - 40 q - 5 0.01 10.5 0.1 1 1 0.001 0.02 9.5 0.1 1 3 1 4 1 4 0.9 -
`;
const TABLE = `id,sequence,affinity,resolution,year,family,"a note"
1abc,MKVLAGYWTR,5.25,1.8,2001,kinase,"with, comma"
2xyz,MKV:LAG,-0.5,NMR,1999,"finger ""zinc""",plain
3def,mkvl,1e2,,,kinase,"over
two lines"
`;
const TSV = "PDB_ID\tSequence\tLabel\n1ABC\tMKVLAGYWTR\t5.25\n2XYZ\tMKV\t7\n";
const INDEX = `# List of protein-ligand complexes
# PDB code, resolution, release year, -logKd/Ki, Kd/Ki, reference, ligand name
3zzf  2.20  2012   0.40  Ki=400mM      // 3zzf.pdf (NLG)
3fqa  2.35  2009   0.49  IC50=320mM    // 3fq7.pdf (GAB&PMP)
2tpi  2.10  1982  Kd=49uM       // 2tpi.pdf (2-mer)
6rsa   NMR  1986  Ki~40uM       // 6rsa.pdf (UVC) covalent complex
`;
const INDEX_NAMES = `# PDB code, release year, Uniprot ID, protein name
6mu1  2018  P29994  INOSITOL 1,4,5-TRISPHOSPHATE RECEPTOR
3t8s  2012  ------  RECEPTOR TYPE 1
`;

const N = 5;
const DISTANCES = Array.from({ length: N * N }, (_, k) => 3.8 * Math.abs(Math.floor(k / N) - k % N));
const CSV_ROWS = Array.from({ length: N }, (_, i) => DISTANCES.slice(i * N, (i + 1) * N).join(","));
const MATRICES: readonly NamedArray[] = [
  { dtype: "F32", shape: [N, N], data: Float32Array.from(DISTANCES) },
  { dtype: "F64", shape: [N, N, 1], data: Float64Array.from(DISTANCES) },
  { dtype: "I32", shape: [1, N, N], data: Int32Array.from(DISTANCES) },
];

/** Weights of distances: a matrix of {@link N} points. */
const WEIGHTS = { dtype: "F32", shape: [N, N], data: new Float32Array(N * N).fill(0.5) } as const;

/** A tar archive of one file. */
function tarOf(name: string, content: string): Uint8Array {
  const archive = new Uint8Array(512 * (3 + Math.ceil(content.length / 512)));
  const encoder = new TextEncoder();
  archive.set(encoder.encode(name));
  archive.set(encoder.encode(content.length.toString(8).padStart(11, "0")), 124);
  archive.set(encoder.encode("        0"), 148);
  archive.set(encoder.encode("ustar\x0000"), 257);
  const sum = archive.subarray(0, 512).reduce((total, byte) => total + byte);
  archive.set(encoder.encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  archive.set(encoder.encode(content), 512);
  return archive;
}

function checkChains({ chains, releaseDate, heteroGroups = [] }: Awaited<ReturnType<typeof readStructure>>): void {
  if (!/^\d{4}-\d\d-\d\d$/.test(releaseDate ?? "2000-01-01")) throw new Error(`released on ${releaseDate}`);
  for (const { name, atomNames: { length }, elements, atomPositions } of heteroGroups) {
    const fits = length > 0 && elements.length === length && atomPositions.length === 3 * length;
    if (!fits) throw new Error(`the group ${name} of ${length} atoms does not fit together`);
  }
  for (const chain of chains) {
    const n = chain.sequence.length;
    const sizes = [
      ...[chain.residueNumbers.length, chain.insertionCodes.length, chain.atomPositions.length / 111],
      ...[chain.atomMask.length / 37, chain.bFactors.length / 37],
    ];
    if (n === 0 || sizes.some((size) => size !== n)) throw new Error(`a chain of ${n} residues has sizes ${sizes}`);
  }
}

function checkRows({ names, rows, deletions, aligned }: Awaited<ReturnType<typeof readAlignment>>): void {
  const n = rows[0].length;
  const fits = [rows.length, deletions.length, aligned.length].every((count) => count === names.length) &&
    rows.every((row) => row.length === n) && deletions.every((row) => row.length === n);
  if (!fits || n === 0) throw new Error(`an alignment of ${names.length} rows of ${n} columns does not fit together`);
}

function checkArray({ shape, data }: NamedArray): void {
  const size = shape.reduce((product, axis) => product * axis, 1);
  if (size !== data.length) throw new Error(`an array [${shape}] has ${data.length} numbers`);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const structure = { read: readStructure, check: checkChains };
const STRUCTURE =
  /empty|neither mmCIF|as BinaryCIF|no data_ block|no atom_site|lacks the item|no ATOM record|no C-alpha atom|cannot be read as text/;
const alignment = { read: readAlignment, check: checkRows, whole: /empty|only gaps|no rows/ };
const PACKED = /gzip mark|Cannot unpack/;

/** Readers by name. */
export const READERS: Readonly<Record<string, Reader>> = {
  mmcif: {
    ...structure,
    samples: async () => [
      text("cif", CIF_TEXT),
      text("cif", CIF_TEXT + CIF_ASSEMBLIES),
      text("cif", await Deno.readTextFile(new URL("../../examples/zinc_fingers/3znf.cif", import.meta.url))),
    ],
    whole: STRUCTURE,
  },
  bcif: {
    ...structure,
    samples: async () => [{ ending: "bcif", bytes: await toBinaryCif(CIF_TEXT) }],
    whole: /BinaryCIF|empty|neither mmCIF|no atom_site|lacks the item|no C-alpha atom|of atom \d+ is|no data_ block/,
  },
  pdb: {
    ...structure,
    samples: () => [text("pdb", PDB_TEXT), text("pdb", PDB_ASSEMBLIES + PDB_TEXT)],
    whole: STRUCTURE,
  },
  gzip: {
    ...structure,
    samples: () => [
      { ending: "cif.gz", bytes: new Uint8Array(gzipSync(CIF_TEXT)) },
      { ending: "pdb.gz", bytes: new Uint8Array(gzipSync(PDB_TEXT)) },
    ],
    whole: new RegExp(`${PACKED.source}|${STRUCTURE.source}`),
  },
  fasta: {
    samples: () => [text("fasta", FASTA)],
    read: async (path) => parseFasta(decodeText(await readFileMaybeGzip(path), path), path),
    whole: /is empty/,
  },
  a3m: { ...alignment, samples: () => [text("a3m", A3M)] },
  alignedFasta: { ...alignment, samples: () => [text("fasta", ">q x\nmkv-LAG\n>h\nMKTwL.G\n>i\n-kv-LAG\n")] },
  stockholm: { ...alignment, samples: () => [text("sto", STOCKHOLM)] },
  clustal: {
    ...alignment,
    samples: () => [text("aln", "CLUSTAL W (1.81)\n\nq MKT-LA\nh MKTWL-\ni -KV-LA\n  :*\n\nq GW\nh G-\ni GY\n  *\n")],
  },
  hhr: {
    samples: () => [text("hhr", HHR_TEXT)],
    read: async (path) => parseHhr(decodeText(await readFileMaybeGzip(path), path), path),
    whole: /is empty/,
  },
  hmmsearch: {
    samples: () => [text("sto", HMMSEARCH), text("domtblout", DOMAINS)],
    async read(path) {
      const spoilt = decodeText(await readFileMaybeGzip(path), path);
      const [alignment, domains] = path.endsWith("sto") ? [spoilt, DOMAINS] : [HMMSEARCH, spoilt];
      return parseHmmsearch(alignment, domains, { name: "q", sequence: "ACDEF" }, path);
    },
    whole: /match states/,
  },
  tar: {
    samples: () => [{ ending: "tar", bytes: tarOf("a/b.a3m", A3M) }],
    read: async (path) => readTar(await readFileBytes(path), path),
    whole: /cut short|no tar archive|out of its folder|link or device/,
  },
  csv: {
    samples: () => [
      text("csv", `${CSV_ROWS.join("\n")}\n`),
      text("csv", `,a,b,c,d,e\n${CSV_ROWS.map((row, i) => `${"abcde"[i]},${row}`).join("\n")}\n`),
    ],
    read: (path) => readDistanceMatrix(path),
    whole: /is empty|as \.npy/,
  },
  npy: {
    samples: () => MATRICES.map((array) => ({ ending: "npy", bytes: encodeNpy(array) })),
    read: (path) => readDistanceMatrix(path),
    whole: /as \.npy|has shape|is empty/,
  },
  safetensors: {
    samples: () =>
      MATRICES.map((array, i) => ({
        ending: "safetensors",
        bytes: encodeSafetensors(new Map([["distances", array], ["other", WEIGHTS]]), { note: "x" }, {
          checksum: i === 0,
        }),
      })),
    read: (path) => readDistanceMatrix(path),
    whole: /as safetensors|has shape|is empty|no tensor/,
  },
  arrays: {
    samples: () => [
      ...MATRICES.map((array) => ({ ending: "npy", bytes: encodeNpy(array) })),
      { ending: "safetensors", bytes: encodeSafetensors(new Map(MATRICES.map((array, i) => [`a${i}`, array]))) },
    ],
    async read(path) {
      const bytes = await readFileBytes(path);
      return asInputError(() =>
        path.endsWith("npy") ? new Map([["array", parseNpy(bytes, path)]]) : parseSafetensors(bytes, path).tensors
      );
    },
    check: (arrays: Map<string, NamedArray>) => arrays.forEach(checkArray),
    whole: /as safetensors|as \.npy/,
    anyNumbers: true,
  },
  checkpoint: {
    samples: async () => [{
      ending: "safetensors",
      bytes: await encodeCheckpoint({}, { model: "tiny-openfold", seed: 1 }, {
        step: 3,
        optimizer: { step: 3, m: Float32Array.of(1, 2, 3), v: Float32Array.of(4, 5, 6) },
        ema: Float32Array.of(7, 8, 9),
      }),
    }],
    async read(path) {
      const bytes = await readFileBytes(path);
      return asInputError(() => decodeCheckpoint(bytes, path));
    },
    whole: /as safetensors|no checkpoint of denofold|damaged/,
  },
  weights: {
    samples: () => [
      text("csv", `${CSV_ROWS.join("\n")}\n`),
      { ending: "npy", bytes: encodeNpy(WEIGHTS) },
      { ending: "safetensors", bytes: encodeSafetensors(new Map([["weights", WEIGHTS]])) },
    ],
    read: (path) => readWeights(path, N),
    whole: /as safetensors|as \.npy|has shape|is empty|no tensor/,
  },
  table: {
    samples: () => [text("csv", TABLE), text("tsv", TSV), text("csv", INDEX)],
    read: (path) => all(readTargetTable(path)),
    whole: /is empty|has no entry|has no row/,
  },
  pdbbind: {
    samples: () => [text("index", INDEX), text("names", INDEX_NAMES)],
    read: (path) => path.endsWith("names") ? readPdbbindNames(path) : readPdbbindIndex(path),
    whole: /is empty|has no entry/,
  },
};
