/** Which kernels attention runs with on a device, and how many workgroups of them. */
import {
  type AdapterTraits,
  type Device,
  elementGrid,
  flatGrid,
  type Grid,
  type KernelFamily,
  type KernelUse,
} from "../core/mod.ts";
import type { Sizes } from "./_attention_sizes.ts";
import { itemsOfWorkgroup, longestStream } from "./_attention_stream.ts";
import { MOST_TILED_D4 } from "./attention_tiles.wgsl.ts";
import type { AttentionStructure, Side } from "./attention.wgsl.ts";
import { familiesToTry } from "./tuning.ts";

/** How many queries (or keys) a lane of a subgroup gets, and how many streamed items a block. */
interface Blocking {
  readonly t: number;
  readonly items: number;
}

/** The fastest on lavapipe; more of either would be no faster, but longer to compile. */
const forwardBlocking = (lanes: number): Blocking => ({ t: 4, items: lanes / 2 });
const backwardBlocking = (_lanes: number, d4: number): Blocking => ({ t: d4 > 4 ? 2 : 4, items: 4 });

/** In blocks of 16 a lane has one query at most; more items at a time then take a fifth more processor time. */
const sparseBlocking = (): Blocking => ({ t: 4, items: 4 });

/** A blocking within reason: no more queries a lane than there are, and blocks whose load the lanes can share. */
function reasonable({ t, items }: Blocking, length: number, lanes: number, d4: number): Blocking {
  while (t > 1 && length <= lanes * (t / 2)) t /= 2;
  items = Math.max(4, items);
  while (items < lanes && d4 % (lanes / items)) items *= 2;
  return { t, items };
}

/**
 * So few queries and keys that a workgroup takes those of many sequences and every lane reads what it needs by itself. On
 * lavapipe that takes a twelfth of the time for one query of four keys, and half as long again for 256 queries of 16.
 */
const FEW = 32;

/** What of its sizes the text of an attention kernel depends on. */
type StructuralSizes = Pick<Sizes, "Lq" | "Lk" | "d4" | "packed"> & { readonly sparse?: { readonly block: number } };

/** What attention has besides tokens, and whether a kernel in tiles serves (@default yes). */
interface Flags {
  readonly bias: boolean;
  readonly mask: boolean;
  readonly tiled?: boolean;
}

/**
 * How the kernels of a family are built for an adapter.
 *
 * @param side What lanes have; the others are streamed.
 */
export function structureFor(
  { subgroupSize }: Pick<AdapterTraits, "subgroupSize">,
  family: KernelFamily,
  pass: "forward" | "backward",
  { Lq, Lk, d4, packed, sparse }: StructuralSizes,
  side: Side,
  { tiled = true, ...flags }: Flags,
): AttentionStructure {
  const own = sparse?.block ?? (side === "q" ? Lq : Lk);
  if (!sparse && !packed && Math.max(Lq, Lk) <= FEW) {
    return { family: "plain", lanes: 64, t: 1, d4, items: 4, packed, flat: true, ...flags };
  }
  if (family === "tiles") {
    if (tiled && side === "q" && !sparse && d4 <= MOST_TILED_D4) {
      return { family, lanes: 64, t: 1, d4, items: 4, packed, flat: false, ...flags };
    }
    family = "workgroup";
  }
  const few = own <= 32 && (family === "workgroup" || sparse);
  const lanes = family === "subgroup" ? subgroupSize : few ? 32 : 64;
  const blocking = sparse ? sparseBlocking : pass === "forward" ? forwardBlocking : backwardBlocking;
  const { t, items } = family === "subgroup" ? reasonable(blocking(lanes, d4), own, lanes, d4) : { t: 1, items: 4 };
  return { family, lanes, t, d4, items, packed, flat: false, ...flags, ...(sparse && { sparse: true }) };
}

/** A way to go about attention: the family of its kernels, and how those of one side are built. */
export interface Way {
  readonly family: KernelFamily;
  readonly structure: AttentionStructure;
}

/** The ways that a device has, the preferred one first. */
export function waysOf(
  device: Device,
  pass: "forward" | "backward",
  sizes: Sizes,
  side: Side,
  flags: Flags,
): Way[] {
  return familiesToTry(device, "attention").map((family) => {
    const structure = structureFor(device.traits, family, pass, sizes, side, flags);
    return { family: family === "tiles" && structure.family !== "tiles" ? "workgroup" : family, structure };
  });
}

/** How a kernel is built for a device, and how many workgroups it takes for all sequences, or for one of each entry. */
interface Plan extends Way {
  readonly grid: Grid;
  readonly entriesGrid: Grid;
}

/**
 * @param side What lanes have; the others are streamed.
 * @param kernelsOf The kernels that would run, and what they would be given.
 */
export function plan(
  device: Device,
  pass: "forward" | "backward",
  sizes: Sizes,
  side: Side,
  flags: Flags,
  kernelsOf: (way: Way) => readonly KernelUse[],
): Plan {
  const { B, Lq, Lk, S, H } = sizes;
  const own = side === "q" ? Lq : Lk;
  const way = device.kernels.choose(waysOf(device, pass, sizes, side, flags), kernelsOf);
  const { lanes, flat } = way.structure, items = itemsOfWorkgroup(way.structure);
  const { sparse } = sizes;
  const lists = sparse && (side === "q" ? sparse.rows : sparse.columns);
  const blocks = H * (sparse ? lists! * Math.ceil(sparse.block / items) : Math.ceil(own / items));
  const grid = (sequences: number): Grid => {
    if (flat) return elementGrid(sequences * own * H, lanes);
    const [y, z] = flatGrid(sequences);
    return [blocks, y, z];
  };
  return { ...way, grid: grid(S), entriesGrid: grid(B) };
}

/**
 * Refuses sequences longer than an invocation goes over.
 *
 * @throws {RangeError} If there are more.
 */
export function requireStreamable(what: string, length: number, structure: AttentionStructure): void {
  const most = longestStream(structure);
  if (length <= most) return;
  throw new RangeError(
    `Cannot run attention over ${length} ${what} of a sequence with ${
      4 * structure.d4
    } channels a head: kernels of the ` +
      `family ${structure.family} go over at most ${most}`,
  );
}
