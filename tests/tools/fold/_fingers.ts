/** The example family, and noise for its distances. */
import { Random } from "../../model/protein/_support.ts";
import { type Family, type FamilyMember, loadFamily } from "../../../tools/data/family.ts";
import { fileURLToPath } from "node:url";

/** Folder of the example structures. */
export const FINGERS: string = fileURLToPath(new URL("../../../examples/zinc_fingers/", import.meta.url));

/** The alignment of the examples. */
export const FINGERS_MSA: string = `${FINGERS}zinc_fingers.a3m`;

let read: Promise<Family> | undefined;

/** All fifteen fingers. */
export function fingers(): Promise<Family> {
  const names = [...Deno.readDirSync(FINGERS)].map(({ name }) => name).filter((name) => name.endsWith(".cif")).sort();
  return read ??= loadFamily({ structures: names.map((name) => FINGERS + name), msa: FINGERS_MSA });
}

/** One member by its name. */
export function member({ members }: Family, id: string): FamilyMember {
  const found = members.find((one) => one.id === id);
  if (!found) throw new TypeError(`no finger ${id}`);
  return found;
}

/** Distances with symmetric noise that grows with the distance, 8 % and 0.1 Å, clamped as a model's. */
export function noisy(distances: Float32Array, n: number, seed: number): Float32Array {
  const random = new Random(seed);
  const out = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const d = distances[i * n + j];
      out[i * n + j] = out[j * n + i] = Math.min(19.8, Math.max(2.5, d + (0.1 + 0.08 * d) * random.normal()));
    }
  }
  return out;
}
