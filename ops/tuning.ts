/** Which of the ways to compute a device prefers: families of kernels, tiles, where loads come from. */
import type { AdapterTraits, Device, KernelFamily, LoadPath } from "../core/mod.ts";
import { ROWS } from "./triangle_product.wgsl.ts";
import { MATMUL_CLASSES, type MatmulClass, type MatmulTile, matmulTiles, tilesOfClass } from "./matmul_tiles.ts";

/** Ops that have kernels of several families. `rows` are layer norm and softmax along the last axis. */
export type FamilyOp = "attention" | "triangle" | "rows";

/** Those ops, in the order of tables. */
export const FAMILY_OPS: readonly FamilyOp[] = ["attention", "triangle", "rows"];

/**
 * What a device prefers: plain data, to be kept and given to {@linkcode setTuning}. Where a kernel turns out to be wrong
 * on the adapter, another is used in its place; see `Device.kernels`.
 */
export type Tuning = {
  /** Where kernels load from. */
  readonly loads: LoadPath;
  /** The tile of each class of matrix products. */
  readonly matmul: { readonly [C in MatmulClass]: MatmulTile };
} & { readonly [O in FamilyOp]: KernelFamily };

/** Invocations of a workgroup that goes along rows. */
const ROW_LANES = 64;

const chosen = new WeakMap<Device, Tuning>();
/** Devices that use nothing but what they prefer. */
const strict = new WeakSet<Device>();

/** The built-in preferences of an adapter. */
export function builtInTuning(traits: AdapterTraits): Tuning {
  const [large, small, long] = MATMUL_CLASSES.map((name) => tilesOfClass(traits, name)[0]);
  return {
    loads: traits.loadPaths[0],
    matmul: { large, small, long },
    ...{
      attention: familiesOf(traits, "attention")[0],
      triangle: familiesOf(traits, "triangle")[0],
      rows: familiesOf(traits, "rows")[0],
    },
  };
}

/**
 * Sets what a device prefers from now on; results stay the same to rounding.
 *
 * @throws {TypeError} If it is not a tuning, or one of another kind of adapter.
 */
export function setTuning(device: Device, tuning: Tuning): void {
  const { traits } = device;
  const known = <T>(what: string, wanted: T, offered: readonly T[]): T => {
    const text = JSON.stringify(wanted);
    const found = offered.find((each) => JSON.stringify(each) === text);
    if (found !== undefined) return found;
    const all = offered.map((each) => JSON.stringify(each)).join(", ");
    throw new TypeError(`Cannot use ${text} for ${what}: this adapter's are ${all}`);
  };
  const tiles = matmulTiles(traits);
  const tile = (name: MatmulClass) => known(`${name} matrix products`, tuning?.matmul?.[name], tiles);
  const family = (op: FamilyOp) => known(`kernels of ${op}`, tuning?.[op], familiesOf(traits, op));
  const [large, small, long] = MATMUL_CLASSES.map(tile);
  const next: Tuning = {
    loads: known("loads", tuning?.loads, traits.loadPaths),
    matmul: { large, small, long },
    ...{ attention: family("attention"), triangle: family("triangle"), rows: family("rows") },
  };
  device.kernels.loads = next.loads;
  chosen.set(device, next);
}

/** What a device prefers: what was set, else what is built in. */
export function tuningOf(device: Device): Tuning {
  let tuning = chosen.get(device);
  if (!tuning) chosen.set(device, tuning = builtInTuning(device.traits));
  return tuning;
}

/** Families of kernels that an op can have on an adapter, in its order of preference. */
export function familiesOf(
  { kernelFamilies: all, subgroupSize, software }: Pick<AdapterTraits, "kernelFamilies" | "subgroupSize" | "software">,
  op: FamilyOp,
): readonly KernelFamily[] {
  const kernelFamilies = all.filter((family) => family !== "matrix"); // which are products alone
  if (op === "attention") {
    // A processor gains nothing by tiles; on a GPU they are one more way, to be timed.
    return kernelFamilies.flatMap((family) => family === "workgroup" && !software ? [family, "tiles"] : [family]);
  }
  if (op === "triangle") return kernelFamilies.filter((family) => family !== "subgroup" || ROWS % subgroupSize === 0);
  // Rows shared among the lanes of a subgroup: as many as a workgroup has, or a part of them. On a processor nothing is gained.
  const known = kernelFamilies.filter((family) => family !== "subgroup" || ROW_LANES % subgroupSize === 0);
  if (known.length === 0) return ["plain"];
  return known[0] === "workgroup" ? known : known.toSorted((a, b) => Number(b === "plain") - Number(a === "plain"));
}

/** Sets what a device prefers, and lets it use nothing else, until the returned object is disposed of. */
export function usingOnly(device: Device, tuning: Tuning): Disposable {
  const before = tuningOf(device);
  setTuning(device, tuning);
  strict.add(device);
  return {
    [Symbol.dispose]() {
      strict.delete(device);
      setTuning(device, before);
    },
  };
}

/**
 * What a device would prefer without matrix units: the first other tile where one on units is preferred. Undefined where
 * none is.
 */
export function withoutUnits(device: Device): Tuning | undefined {
  const tuning = tuningOf(device), { large, small, long } = tuning.matmul;
  if (![large, small, long].some(({ family }) => family === "matrix")) return undefined;
  const other = matmulTiles(device.traits).find(({ family }) => family !== "matrix");
  const instead = (tile: MatmulTile) => tile.family === "matrix" && other ? other : tile;
  return { ...tuning, matmul: { large: instead(large), small: instead(small), long: instead(long) } };
}

/** The families in the order in which an op tries them on a device: what it prefers first. */
export function familiesToTry(device: Device, op: FamilyOp): readonly KernelFamily[] {
  const family = tuningOf(device)[op];
  if (strict.has(device)) return [family];
  return [family, ...familiesOf(device.traits, op).filter((other) => other !== family)];
}

/** The tiles in the order in which a product of a class tries them: what the device prefers, then one of each family. */
export function tilesToTry(device: Device, name: MatmulClass): readonly MatmulTile[] {
  const tile = tuningOf(device).matmul[name];
  if (strict.has(device)) return [tile];
  const tiles = matmulTiles(device.traits);
  const others = device.traits.kernelFamilies.filter((family) => family !== tile.family);
  return [tile, ...others.flatMap((family) => tiles.find((tile) => tile.family === family) ?? [])];
}

/** The kernels that a device computes with: plain data that decides the last bits of its numbers. */
export interface KernelChoice {
  /** What is preferred. */
  readonly tuning: Tuning;
  /** Kernels, by name and structure, that were passed over because they are wrong on the adapter. */
  readonly avoided: readonly string[];
}

/** What a device computes with at present. */
export function kernelChoiceOf(device: Device): KernelChoice {
  return { tuning: tuningOf(device), avoided: device.kernels.avoided };
}

/**
 * Lets a device compute with what another one, or the same one earlier, computed with: on the same adapter and driver it
 * gives the same bits from now on.
 *
 * @throws {TypeError} If the adapter does not have these kernels.
 */
export function useKernelChoice(device: Device, { tuning, avoided }: KernelChoice): void {
  setTuning(device, tuning);
  device.kernels.avoid(avoided);
}
