/** Targets as tables and FASTA files list them. */
import { dirname, resolve } from "node:path";
import { chainLetters } from "../data/_mmcif_block.ts";
import { checkedFastaRecords } from "../data/fasta.ts";
import { stem } from "../data/file_kind.ts";
import { chainsOf, mangledBySpreadsheet, mangledId, readTargetTable, type TargetTableOptions } from "../data/table.ts";
import type { RemarkRow } from "../data/remarks.ts";
import { InputError } from "../errors.ts";
import { decodeText, readFileMaybeGzip } from "../files.ts";
import type { TargetInput } from "./read_target.ts";

/** A target and what is wrong with it, if that is known before its files are read. */
export interface CollectedTarget extends TargetInput {
  /** Cells of its row by column, of a table. */
  readonly cells?: ReadonlyMap<string, string>;
  /** Why it cannot be prepared. */
  readonly problem?: string;
  /** Other rows of the same name, where they were asked for: labels of their own for the same protein. @default none */
  readonly others?: readonly CollectedTarget[];
  /** Name of the complex that it is a chain of. @default it is none's */
  readonly complex?: string;
  /** Of a chain of a complex, what its table says of the complex. @default nothing, or it is none's */
  readonly whole?: Pick<CollectedTarget, "label" | "relation" | "cells">;
  /** Chains of a complex. */
  readonly chains?: readonly CollectedTarget[];
}

/**
 * Targets of tables, a row each; rows that cannot be used come with their problem.
 *
 * @throws {InputError} If a table cannot be read, or lacks a column.
 */
export async function tableTargets(
  paths: readonly string[],
  options: Pick<TargetTableOptions, "label" | "needLabel">,
): Promise<CollectedTarget[]> {
  const targets: CollectedTarget[] = [];
  for (const path of paths) {
    const onBadRow = (row: { line: number; cells: ReadonlyMap<string, string> }, error: InputError): void => {
      const [first = ""] = row.cells.values();
      targets.push({ id: first || `line ${row.line} of ${path}`, problem: error.message });
    };
    for await (const row of readTargetTable(path, { ...options, onBadRow })) {
      const place = `${path} line ${row.line}`;
      const { id, chain, sequences } = row;
      if (sequences.length <= 1) {
        const sequenceSource = sequences.length > 0 ? place : undefined;
        const alignments = row.alignment === undefined ? [] : [{ path: resolve(dirname(path), row.alignment) }];
        const { label, relation, remarks } = row;
        targets.push({
          id,
          chain,
          label,
          relation,
          remarks,
          sequence: sequences[0],
          sequenceSource,
          alignments,
          place,
          cells: row.cells,
        });
      } else {
        const { label, relation, cells } = row;
        const whole = { label, relation, cells };
        targets.push(...ofChains(id, sequences, place, row.remarks).map((chain) => ({ ...chain, whole })));
      }
    }
  }
  return targets;
}

/**
 * Targets of FASTA files, a sequence each; sequences that cannot be used come with their problem.
 *
 * @param asOne Whether the sequences of a file are the chains of one complex. @default false
 * @throws {InputError} If a file cannot be read or is no FASTA.
 */
export async function fastaTargets(paths: readonly string[], asOne = false): Promise<CollectedTarget[]> {
  const targets: CollectedTarget[] = [];
  for (const path of paths) {
    const text = decodeText(await readFileMaybeGzip(path), path);
    // Any character is read here: one that is no letter is refused below, and spoils its own sequence alone.
    for (const { name, text: letters, line, fault } of checkedFastaRecords(text, path, /\S/, "letters")) {
      const place = `${path} line ${line}`;
      const id = name || stem(path);
      const mangled = mangledBySpreadsheet(id);
      const remarks = mangled === undefined ? undefined : [mangledId(path, line, mangled)];
      try {
        if (fault !== undefined) throw new InputError(`${path} line ${fault.line}: ${fault.found}`);
        const sequences = chainsOf(letters, place);
        if (asOne) {
          const complex = stem(path);
          sequences.forEach((sequence, k) => {
            const own = sequences.length > 1 ? `${id}_${chainLetters(k)}` : id;
            const same = targets.find((other) =>
              other.complex === complex && other.id.toLowerCase() === own.toLowerCase()
            );
            const problem = same && `${place}: the chain "${own}" was there before, in ${same.place}`;
            targets.push({ id: own, sequence, sequenceSource: place, place, remarks, complex, problem });
          });
        } else if (sequences.length > 1) targets.push(...ofChains(id, sequences, place, remarks));
        else targets.push({ id, sequence: sequences[0], sequenceSource: place, place, remarks });
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        targets.push({ id, place, problem: error.message });
      }
    }
  }
  return targets;
}

/** One target for each chain of a complex. */
function ofChains(
  id: string,
  sequences: readonly string[],
  place: string,
  remarks?: readonly RemarkRow[],
): CollectedTarget[] {
  return sequences.map((sequence, k) => {
    return { id: `${id}_${chainLetters(k)}`, sequence, sequenceSource: place, place, remarks, complex: id };
  });
}
