/**
 * Prints a table of labels that are computed from structures, for `denofold finetune`: the part of the surface that is
 * buried when the chain folds, and how many contacts a residue has, in the mean and (--residues) each.
 *
 *     deno run -A examples/contacts/make_table.ts [--every N] [--residues] FOLDER... > table.csv
 */
import { basename, dirname } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ATOM_NAMES, SLOT } from "../../model/protein/mod.ts";
import { type Chain, formatCsv, readStructure } from "../../tools/data/mod.ts";
import { structureFiles } from "../../tools/data/structure_files.ts";

/** Surface of a residue X in Gly-X-Gly, in Å². Source: Tien et al. (2013), PLoS ONE 8, e80635, Table 1, theoretical. */
const OPEN_SURFACE: Readonly<Record<string, number>> = {
  ...{ A: 129, R: 274, N: 195, D: 193, C: 167, E: 223, Q: 225, G: 104, H: 224, I: 197 },
  ...{ L: 201, K: 236, M: 224, F: 240, P: 159, S: 155, T: 172, W: 285, Y: 263, V: 174 },
};

/** Carbons that bind no hydrogen, besides the backbone's, by residue. */
const BARE_CARBONS: Readonly<Record<string, string>> = {
  ...{ N: "CG", D: "CG", Q: "CD", E: "CD", R: "CZ", H: "CG", F: "CG", Y: "CG CZ", W: "CG CD2 CE2" },
};
const RINGS = new Set("HFYW");

/** Radius of an atom in Å. Source: Tsai et al. (1999), J. Mol. Biol. 290, 253, Table 2 ("ProtOr"). */
function radiusOf(letter: string, name: string): number {
  if (name[0] === "N") return 1.64;
  if (name[0] === "S") return 1.77;
  if (name[0] === "O") return /^O[GH]|^O[DE]2$|^OXT$/.test(name) ? 1.46 : 1.42;
  if (name === "C" || BARE_CARBONS[letter]?.split(" ").includes(name)) return 1.61;
  return RINGS.has(letter) && name !== "CA" && name !== "CB" ? 1.76 : 1.88;
}

const PROBE = 1.4, POINTS = 200;

/** Points spread evenly over a sphere (golden spiral). */
const SPHERE = Array.from({ length: POINTS }, (_, i) => {
  const z = 1 - (2 * i + 1) / POINTS, angle = i * Math.PI * (3 - Math.sqrt(5)), r = Math.sqrt(1 - z * z);
  return [r * Math.cos(angle), r * Math.sin(angle), z];
});

/** Surface that water can reach, in Å². Source: Shrake & Rupley (1973), J. Mol. Biol. 79, 351. */
function accessibleSurface({ sequence, atomPositions, atomMask }: Chain): number {
  const atoms: { at: number[]; reach: number }[] = [];
  for (let slot = 0; slot < atomMask.length; slot++) {
    if (!atomMask[slot]) continue;
    const reach = radiusOf(sequence[Math.floor(slot / ATOM_NAMES.length)], ATOM_NAMES[slot % ATOM_NAMES.length]) + PROBE;
    atoms.push({ at: [...atomPositions.subarray(3 * slot, 3 * slot + 3)], reach });
  }
  let surface = 0;
  for (const { at: [x, y, z], reach } of atoms) {
    const near = atoms.filter(({ at: [u, v, w], reach: other }) => {
      const square = (x - u) ** 2 + (y - v) ** 2 + (z - w) ** 2;
      return square > 0 && square < (reach + other) ** 2;
    });
    const free = SPHERE.filter(([a, b, c]) =>
      near.every(({ at: [u, v, w], reach: other }) =>
        (x + reach * a - u) ** 2 + (y + reach * b - v) ** 2 + (z + reach * c - w) ** 2 >= other ** 2
      )
    );
    surface += 4 * Math.PI * reach ** 2 * free.length / POINTS;
  }
  return surface;
}

/**
 * Of each residue, the number of residues whose Cβ (Cα of glycine) is within 8 Å and that are at least 3 away in the
 * sequence; undefined where the structure does not show it.
 */
function contacts({ sequence, atomPositions, atomMask }: Chain): (number | undefined)[] {
  const slots = ATOM_NAMES.length;
  const found = new Array<number | undefined>(sequence.length).fill(undefined);
  const places = Array.from(sequence, (_, residue) => {
    const slot = [SLOT.CB, SLOT.CA].map((atom) => slots * residue + atom).find((slot) => atomMask[slot]);
    return slot === undefined ? [] : [{ residue, at: atomPositions.subarray(3 * slot, 3 * slot + 3) }];
  }).flat();
  for (const [i, { residue, at: [x, y, z] }] of places.entries()) {
    const near = places.filter(({ at: [u, v, w] }, j) =>
      Math.abs(i - j) >= 3 && (x - u) ** 2 + (y - v) ** 2 + (z - w) ** 2 < 64
    );
    found[residue] = near.length;
  }
  return found;
}

const { positionals: folders, values } = parseArgs({
  allowPositionals: true,
  options: { every: { type: "string", default: "1" }, residues: { type: "boolean", default: false } },
});
const every = Number(values.every), ofResidues = values.residues;
const rows = [];
for (const [index, path] of (await structureFiles(folders)).entries()) {
  if (index % every) continue;
  const { chains: [chain] } = await readStructure(path);
  const own = contacts(chain), known = own.filter((count) => count !== undefined);
  const surface = accessibleSurface(chain);
  const open = [...chain.sequence].reduce((sum, letter) => sum + (OPEN_SURFACE[letter] ?? 200), 0);
  rows.push({
    pdb_id: basename(path).replace(/\.(pdb|cif)(\.gz)?$/, ""),
    buried: (1 - surface / open).toFixed(4),
    contacts: (known.reduce((sum, count) => sum + count, 0) / known.length).toFixed(3),
    ...(ofResidues && { residue_contacts: own.map((count) => count ?? "?").join(";") }),
    surface: surface.toFixed(0),
    length: chain.sequence.length,
    family: basename(dirname(path)),
  });
}
const labels = ["buried", "contacts", ...(ofResidues ? ["residue_contacts"] : []), "surface"];
process.stdout.write(formatCsv(["pdb_id", ...labels, "length", "family"], rows));
