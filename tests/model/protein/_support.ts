import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parseSafetensors, toFloat32 } from "../../../model/weights/safetensors.ts";

/** Arrays of a golden file by name. */
export class Golden {
  private constructor(private readonly tensors: ReturnType<typeof parseSafetensors>["tensors"]) {}

  /** Reads a file of tests/fixtures/seeds/. */
  static fixture(name: string): Golden {
    return Golden.read(fileURLToPath(new URL(`../../fixtures/seeds/${name}.safetensors`, import.meta.url)));
  }

  /** Reads a safetensors file. */
  static read(path: string): Golden {
    return new Golden(parseSafetensors(Deno.readFileSync(path), path).tensors);
  }

  /** Values and shape, as float64. */
  get(name: string): { data: Float64Array; shape: readonly number[] } {
    const array = this.tensors.get(name);
    if (!array) throw new TypeError(`no tensor ${name}`);
    const data = array.data instanceof Float32Array ? toFloat32(array) : array.data;
    return { data: Float64Array.from(data, Number), shape: array.shape };
  }

  /** Values only. */
  data(name: string): Float64Array {
    return this.get(name).data;
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }
}

/** `[3, n]` to `[n, 3]`. */
export function rows(columns: Float64Array): Float64Array {
  const n = columns.length / 3;
  return Float64Array.from(columns, (_, k) => columns[(k % 3) * n + Math.floor(k / 3)]);
}

/** Every element within atol + rtol · |expected|. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { rtol = 0, atol = 0 }: { rtol?: number; atol?: number },
  what = "values",
): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  for (let k = 0; k < expected.length; k++) {
    const tolerance = atol + rtol * Math.abs(expected[k]);
    if (!(Math.abs(actual[k] - expected[k]) <= tolerance)) {
      assert.fail(`${what}[${k}] is ${actual[k]}, expected ${expected[k]} within ${tolerance}`);
    }
  }
}

/** A source of repeatable random numbers (mulberry32). */
export class Random {
  constructor(private state: number) {}

  /** In [0, 1). */
  uniform(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** Normal, mean 0, deviation 1. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** `[n, 3]`, each coordinate normal. */
  cloud(n: number, scale = 1): Float64Array {
    return Float64Array.from({ length: 3 * n }, () => scale * this.normal());
  }

  /** A proper rotation, uniformly drawn, and a translation. */
  motion(): { rotation: Float64Array; translation: Float64Array } {
    const q = [this.normal(), this.normal(), this.normal(), this.normal()];
    const length = Math.hypot(...q);
    const [w, x, y, z] = q.map((value) => value / length);
    const rotation = Float64Array.of(
      1 - 2 * (y * y + z * z),
      2 * (x * y - w * z),
      2 * (x * z + w * y),
      2 * (x * y + w * z),
      1 - 2 * (x * x + z * z),
      2 * (y * z - w * x),
      2 * (x * z - w * y),
      2 * (y * z + w * x),
      1 - 2 * (x * x + y * y),
    );
    return { rotation, translation: this.cloud(1, 20) };
  }
}

/** Determinant of a 3 × 3 matrix. */
export function determinant(m: Float64Array): number {
  return m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6]);
}

/** A recorded result of the program TMscore. */
export interface TmCase {
  model: string;
  reference: string;
  /** Model residue i is reference residue i + offset. */
  offset: number;
  pairs: number;
  rmsd: number;
  tm: number;
  d0: number;
  gdtTs: number;
  gdtHa: number;
}

/** Structures (`[n, 3]`, C-alpha, in Å) and what TMscore says of their pairs. */
export function readTmFixture(): { structures: Map<string, Float64Array>; cases: TmCase[] } {
  const text = Deno.readTextFileSync(new URL("tm_score_fixture.tsv", import.meta.url));
  const structures = new Map<string, Float64Array>();
  const cases: TmCase[] = [];
  for (const line of text.trimEnd().split("\n")) {
    const [kind, ...fields] = line.split("\t");
    if (kind === "structure") structures.set(fields[0], Float64Array.from(fields[1].split(" "), Number));
    if (kind === "case") {
      const [offset, pairs, rmsd, tm, d0, gdtTs, gdtHa] = fields.slice(2).map(Number);
      cases.push({ model: fields[0], reference: fields[1], offset, pairs, rmsd, tm, d0, gdtTs, gdtHa });
    }
  }
  return { structures, cases };
}

/** The pairs of a case: as many rows as there are common residues. */
export function alignedPair(
  structures: Map<string, Float64Array>,
  { model, reference, offset }: TmCase,
): { model: Float64Array; reference: Float64Array; length: number } {
  const a = structures.get(model);
  const b = structures.get(reference);
  assert(a && b);
  const first = Math.max(0, -offset);
  const end = Math.min(a.length / 3, b.length / 3 - offset);
  return {
    model: a.slice(3 * first, 3 * end),
    reference: b.slice(3 * (first + offset), 3 * (end + offset)),
    length: b.length / 3,
  };
}
