/** Small complexes for tests of training. */
import type { Chain } from "../../../tools/data/structure.ts";
import { formatMmcif } from "../../../tools/data/write_mmcif.ts";
import { collectTargets } from "../../../tools/prep/collect_targets.ts";
import { encodeFeatureFile, type FeatureFile, parseFeatureFile } from "../../../tools/prep/feature_file.ts";
import { prepareTarget } from "../../../tools/prep/prepare_target.ts";

/** A chain of residues along a bent line. */
function chain(id: string, sequence: string, offset: number): Chain {
  const n = sequence.length, atomPositions = new Float32Array(n * 37 * 3), atomMask = new Float32Array(n * 37);
  for (let i = 0; i < n; i++) {
    for (const [slot, dx, dy, dz] of [[0, 0, 0, 0], [1, 1.4, 0.3, 0], [2, 2, 1.6, 0.2], [4, 1.3, 2.6, 0.5]]) {
      atomMask[i * 37 + slot] = 1;
      atomPositions.set([3 * i + dx, offset + dy + i % 2, dz + 0.3 * i ** 2], (i * 37 + slot) * 3);
    }
  }
  return {
    ...{ id, labelId: id, sequence, atomPositions, atomMask, bFactors: new Float32Array(n * 37) },
    residueNumbers: Int32Array.from({ length: n }, (_, i) => 1 + i),
    insertionCodes: new Array<string>(n).fill(""),
  };
}

/** A complex of two copies of a chain with another one between them. */
export async function complexFile(id: string, sequence: string, other: string): Promise<FeatureFile> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/${id}.cif`;
    const chains = [chain("A", sequence, 0), chain("B", other, 6), chain("C", sequence, 12)];
    await Deno.writeTextFile(path, formatMmcif({ id, source: id, resolutionAngstrom: 2, chains }));
    const { targets: [target] } = await collectTargets([path], { assembly: "asymmetric" });
    return parseFeatureFile(encodeFeatureFile(await prepareTarget(target)), `${id}.safetensors`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
