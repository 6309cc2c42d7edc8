/// <reference lib="dom" />
import { CIF } from "molstar/lib/mol-io/reader/cif.js";
import { Vec3 } from "molstar/lib/mol-math/linear-algebra.js";
import { PrincipalAxes } from "molstar/lib/mol-math/linear-algebra/matrix/principal-axes.js";
import { trajectoryFromMmCIF } from "molstar/lib/mol-model-formats/structure/mmcif.js";
import { Structure, Unit } from "molstar/lib/mol-model/structure.js";

/** One of the two structures of the view. */
export type Trace = {
  /** `predicted` or `true`. */
  kind: "predicted" | "true";
  /** Name in the legend. */
  label: string;
  /** Structure as Mol* reads it. */
  structure: Structure;
  /** Chains of Cα positions in Å: `[N_chain][N_res][3]`. */
  chains: [number, number, number][][];
};

/** From where both traces are best seen: the longest axis lies horizontally, the shortest points at the reader. */
export type Viewpoint = { center: Vec3; right: Vec3; up: Vec3; direction: Vec3 };

/**
 * Reads mmCIF text.
 *
 * @throws {SyntaxError} If it cannot be parsed or holds no polymer.
 */
export async function readTrace(kind: Trace["kind"], label: string, cif: string): Promise<Trace> {
  const parsed = await CIF.parseText(cif).run();
  if (parsed.isError) throw new SyntaxError(parsed.message);
  const block = parsed.result.blocks.find(({ categories }) => categories.atom_site?.rowCount > 0);
  if (!block) throw new SyntaxError("the mmCIF text holds no atoms");
  const trajectory = await trajectoryFromMmCIF(block).run();
  const structure = Structure.ofModel(trajectory.representative);
  const chains = structure.units.filter(Unit.isAtomic).map((unit) =>
    Array.from(unit.polymerElements, (element): [number, number, number] => {
      const [x, y, z] = unit.conformation.position(element, Vec3());
      return [x, y, z];
    })
  ).filter((chain) => chain.length > 0);
  if (chains.length === 0) throw new SyntaxError("the mmCIF text holds no protein chain");
  return { kind, label, structure, chains };
}

/** Finds the viewpoint of all traces together. */
export function bestViewpoint(traces: Trace[]): Viewpoint {
  const flat = traces.flatMap((trace) => trace.chains.flat(2));
  const { origin, dirA, dirB } = PrincipalAxes.calculateMomentsAxes(flat);
  const right = Vec3.normalize(Vec3(), dirA);
  const across = Vec3.normalize(Vec3(), Vec3.cross(Vec3(), right, Vec3.normalize(Vec3(), dirB)));
  // Straight chains have no second axis: any direction across the first will do.
  const direction = Vec3.magnitude(across) > 0.5 ? across : anyAcross(right);
  return { center: Vec3.clone(origin), right, up: Vec3.cross(Vec3(), right, direction), direction };
}

/** Position of a point on the plane that the viewpoint looks at, in Å from its centre: to the right and up. */
export function flatten(view: Viewpoint, [x, y, z]: [number, number, number]): [number, number] {
  const relative = Vec3.sub(Vec3(), Vec3.create(x, y, z), view.center);
  return [Vec3.dot(relative, view.right), Vec3.dot(relative, view.up)];
}

/** Twice the farthest reach of the traces from the centre of the view, in Å. */
export function extentFrom(view: Viewpoint, traces: Trace[]): { width: number; height: number } {
  const points = traces.flatMap((trace) => trace.chains.flat()).map((point) => flatten(view, point));
  const reach = (axis: 0 | 1) => 2 * points.reduce((max, point) => Math.max(max, Math.abs(point[axis])), 0);
  return { width: reach(0), height: reach(1) };
}

function anyAcross(axis: Vec3): Vec3 {
  const other = Math.abs(axis[0]) < 0.9 ? Vec3.create(1, 0, 0) : Vec3.create(0, 1, 0);
  return Vec3.normalize(Vec3(), Vec3.cross(Vec3(), axis, other));
}
