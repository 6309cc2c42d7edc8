/** Builds biological assemblies of the chains of an mmCIF file. */
import { applyMotion, type RigidMotion } from "../../model/protein/metrics/kabsch.ts";
import { InputError } from "../errors.ts";
import type { CifBlock } from "./_cif_reader.ts";
import { rowsOf } from "./_mmcif_facts.ts";
import type { Chain } from "./structure.ts";

/** More chains than any assembly of proteins that fits a network by far. */
const MOST_CHAINS = 1000;

/**
 * Copies of chains as an assembly has them, moved by its operations. The first copy of a chain keeps its name, the others
 * are called `A-2`, `A-3` …, as in the archive's own files of assemblies.
 *
 * Source: wwPDB PDBx/mmCIF dictionary, categories pdbx_struct_assembly_gen and pdbx_struct_oper_list.
 *
 * @param id Of the assembly.
 * @throws {InputError} If there is no such assembly, an operation is missing or has no numbers, or it has no protein chain.
 */
export function assemblyChains(block: CifBlock, source: string, chains: readonly Chain[], id: string): Chain[] {
  const generated = rowsOf(block, "pdbx_struct_assembly_gen");
  const parts = generated.filter((row) => row("assembly_id") === id);
  if (parts.length === 0) {
    const there = [...new Set(generated.map((row) => row("assembly_id")))];
    throw new InputError(
      `${source} has no assembly ${JSON.stringify(id)}: ${
        there.length
          ? `expected one of ${there.join(", ")}`
          : "it lists none; --assembly asymmetric takes the chains as they are"
      }`,
    );
  }
  const operations = readOperations(block, source);
  const copies = new Map<string, number>();
  const found: Chain[] = [];
  for (const part of parts) {
    const labels = new Set(part("asym_id_list").split(",").map((label) => label.trim()));
    const own = chains.filter(({ labelId }) => labels.has(labelId));
    if (own.length === 0) continue;
    const factors = factorsOf(part("oper_expression"));
    const count = factors.reduce((product, { length }) => product * length, own.length);
    if (found.length + count > MOST_CHAINS) {
      throw new InputError(`${source}: assembly ${id} has more than ${MOST_CHAINS} chains, too many for a network`);
    }
    for (const steps of combinations(factors)) {
      const motions = steps.map((step) => {
        const motion = operations.get(step);
        if (motion) return motion;
        throw new InputError(
          `${source}: assembly ${id} uses the operation ${
            JSON.stringify(step)
          }, which pdbx_struct_oper_list does not have`,
        );
      });
      for (const chain of own) {
        const copy = (copies.get(chain.labelId) ?? 0) + 1;
        copies.set(chain.labelId, copy);
        found.push(copied(chain, motions, copy));
      }
    }
  }
  if (found.length > 0) return found;
  throw new InputError(`${source}: assembly ${id} has no protein chain`);
}

/** A chain moved by operations, the last first. */
function copied(chain: Chain, motions: readonly RigidMotion[], copy: number): Chain {
  const moved = motions.toReversed().reduce<Float32Array | Float64Array>(
    (points, motion) => applyMotion(motion, points),
    chain.atomPositions,
  );
  const name = (id: string) => copy === 1 ? id : `${id}-${copy}`;
  return Object.freeze({
    ...chain,
    ...{ id: name(chain.id), labelId: name(chain.labelId) },
    atomPositions: Float32Array.from(moved, (x, at) => chain.atomMask[Math.floor(at / 3)] ? x : 0),
  });
}

function readOperations(block: CifBlock, source: string): Map<string, RigidMotion> {
  return new Map(
    rowsOf(block, "pdbx_struct_oper_list").map((row) => {
      const numbers = (items: readonly string[]) =>
        Float64Array.from(items, (item) => {
          const value = row(item) === "" ? NaN : Number(row(item));
          if (Number.isFinite(value)) return value;
          throw new InputError(
            `${source}: ${item} of the operation ${row("id")} is ${JSON.stringify(row(item))}, expected a number`,
          );
        });
      const axes = [1, 2, 3];
      return [row("id"), {
        rotation: numbers(axes.flatMap((i) => axes.map((j) => `matrix[${i}][${j}]`))),
        translation: numbers(axes.map((i) => `vector[${i}]`)),
      }];
    }),
  );
}

/** Ids of operations by the factors of an expression such as `1`, `1,P` or `(1-60)(61,62)`. */
function factorsOf(expression: string): string[][] {
  const factors = expression.includes("(") ? expression.match(/\([^()]*\)/g) ?? [] : [expression];
  return factors.map((factor) =>
    factor.replace(/[()]/g, "").split(",").flatMap((item) => {
      const [, from, to] = /^\s*(\d{1,4})-(\d{1,4})\s*$/.exec(item) ?? [];
      if (from === undefined) return [item.trim()];
      return Array.from({ length: Math.max(0, Number(to) - Number(from) + 1) }, (_, k) => String(Number(from) + k));
    })
  );
}

/** Every way to take one of each list, the last list going round fastest. */
function combinations(lists: readonly (readonly string[])[]): string[][] {
  return lists.reduce<string[][]>((found, list) => found.flatMap((way) => list.map((item) => [...way, item])), [[]]);
}
