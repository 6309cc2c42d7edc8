/** What a block of mmCIF says of the entry as a whole. */
import type { CifBlock } from "./_cif_reader.ts";
import { stem } from "./file_kind.ts";
import type { Assembly, Chain } from "./structure.ts";

/**
 * Entry, title, method, resolution, release and assemblies that a block gives.
 *
 * @param source Name of the file, for messages.
 * @param chains Protein chains, the only ones that assemblies list.
 */
export function readMmcifFacts(block: CifBlock, source: string, chains: readonly Chain[]) {
  const value = (category: string, item: string): string | undefined => {
    const row = rowsOf(block, category)[0];
    return row === undefined || row(item) === "" ? undefined : row(item).trim();
  };
  const resolution = [
    value("refine", "ls_d_res_high"),
    value("em_3d_reconstruction", "resolution"),
    value("reflns", "d_resolution_high"),
  ].map(Number).find((number) => Number.isFinite(number) && number > 0);
  const dates = rowsOf(block, "pdbx_audit_revision_history").map((row) => row("revision_date"))
    .filter((date) => /^\d{4}-\d\d-\d\d$/.test(date));
  return {
    id: value("entry", "id") ?? (block.header || stem(source)),
    title: value("struct", "title"),
    method: value("exptl", "method")?.toLowerCase(),
    resolutionAngstrom: resolution,
    assemblies: Object.freeze(readAssemblies(block, chains)),
    releaseDate: dates.sort()[0],
  };
}

function readAssemblies(block: CifBlock, chains: readonly Chain[]): Assembly[] {
  const generated = rowsOf(block, "pdbx_struct_assembly_gen");
  return rowsOf(block, "pdbx_struct_assembly").map((row) => ({
    id: row("id"),
    details: (row("oligomeric_details") || row("details")) || undefined,
    parts: generated.filter((part) => part("assembly_id") === row("id")).flatMap((part) => {
      const labels = new Set(part("asym_id_list").split(",").map((label) => label.trim()));
      const ids = chains.filter(({ labelId }) => labels.has(labelId)).map(({ id }) => id);
      return ids.length === 0 ? [] : [{ chains: ids, copies: countOperations(part("oper_expression")) }];
    }),
  }));
}

/** Number of operations of an expression such as `1`, `1,P` or `(1-60)(61,62)`. */
function countOperations(expression: string): number {
  const factors = expression.includes("(") ? expression.match(/\([^()]*\)/g) ?? [] : [expression];
  return factors.reduce((product, factor) => {
    const count = factor.replace(/[()]/g, "").split(",").reduce((sum, item) => {
      const [, from, to] = /^\s*(\d{1,6})-(\d{1,6})\s*$/.exec(item) ?? [];
      return sum + (from === undefined ? 1 : Math.max(0, Number(to) - Number(from) + 1));
    }, 0);
    return Math.min(product * count, Number.MAX_SAFE_INTEGER);
  }, 1);
}

/** Rows of a category as functions from an item to its text, empty where it is missing, `.` or `?`. */
export function rowsOf(block: CifBlock, name: string): ((item: string) => string)[] {
  const table = block.table(name);
  if (table === undefined) return [];
  return Array.from({ length: table.rowCount }, (_, row) => (item: string) => table.column(item)?.text(row) ?? "");
}
