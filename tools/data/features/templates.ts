/** Templates: structures that HHsearch found, laid along the query. */
import { InputError } from "../../errors.ts";
import { alignPair } from "../align_pair.ts";
import type { HhrHit } from "../hhr.ts";
import { ATOM_SLOTS, SLOT } from "../../../model/protein/residues.ts";
import type { Chain, Structure } from "../structure.ts";
import { residueToken } from "./msa.ts";
import type { TemplateAtoms } from "./template_feats.ts";

/** Templates along the query. */
export interface Templates extends TemplateAtoms {
  /** Sum of the probabilities of each alignment, `[N_templ]`. */
  readonly template_sum_probs: Float32Array;
  /** `1abc_A`, `[N_templ]`. */
  readonly template_domain_names: readonly string[];
  /** The template's residue at each of the query's, or `-`, `[N_templ]`. */
  readonly template_sequence: readonly string[];
}

/** What was made, and what was not. */
export interface TemplatesResult {
  /** The templates, best first. */
  readonly templates: Templates;
  /** A line for each template that was left out although it had a place: its structure is missing, unreadable or does not fit. */
  readonly warnings: readonly string[];
}

/** Choices of {@linkcode makeTemplates}. */
export interface TemplateOptions {
  /** Most templates. @default 4 */
  readonly maxTemplates?: number;
  /** Only structures released before this day, `YYYY-MM-DD`; such of unknown day are left out. @default all */
  readonly releasedBefore?: string;
  /** Least part of the query that is aligned. @default 0.1 */
  readonly minAlignedFraction?: number;
  /** A hit that is part of the query and longer than this part of it is the query itself. @default 0.95 */
  readonly maxSubsequenceFraction?: number;
  /** Least residues of a hit. @default 10 */
  readonly minResidues?: number;
  /** Whether a missing, unreadable or unfitting structure is an error. @default false */
  readonly strict?: boolean;
  /** Structures that are templates whatever their names and dates; they are aligned here and come first. @default none */
  readonly own?: readonly Structure[];
}

/** Å; a chain with a longer step from C-alpha to C-alpha is broken data. */
const MAX_CA_STEP = 150;

/** Fewer atoms are no template. */
const MIN_ATOMS = 5;

/**
 * Lays the best hits along the query.
 *
 * Hits that say too little or that are the query itself are passed over. The others come in the order of their summed
 * probabilities, the file's order among equals.
 *
 * Source: AlphaFold's `HhsearchHitFeaturizer`; a hit whose sequence is nowhere in its structure is left out where that
 * program would align the two anew.
 *
 * @param query The query's residues.
 * @param hits As read by `parseHhr`.
 * @param find The structure of a PDB code (lower case), or `undefined`; an InputError says that it cannot be read.
 * @throws {InputError} If `strict` and a structure is missing, unreadable or does not fit.
 */
export async function makeTemplates(
  query: string,
  hits: readonly HhrHit[],
  find: (pdbId: string) => Structure | undefined | Promise<Structure | undefined>,
  options: TemplateOptions = {},
): Promise<TemplatesResult> {
  const { maxTemplates = 4, releasedBefore, strict = false } = options;
  const warnings: string[] = [];
  const leaveOut = (message: string): void => {
    if (strict) throw new InputError(message);
    warnings.push(message);
  };
  const laid: LaidTemplate[] = [];
  for (const structure of options.own ?? []) {
    const found = layOwn(structure, query);
    if (typeof found === "string") leaveOut(`The template ${structure.source} cannot be used: ${found}`);
    else laid.push(found);
  }
  const places = maxTemplates + laid.length;
  const chosen = hits.filter((hit) => isUseful(hit, query, options)).sort((a, b) => b.sumProbs - a.sumProbs);
  for (const hit of chosen) {
    if (laid.length >= places) break;
    const name = templateName(hit);
    const structure = name && await readableOf(() => find(name.pdbId));
    if (
      typeof structure === "object" && releasedBefore !== undefined &&
      !((structure.releaseDate ?? "9999") < releasedBefore)
    ) continue;
    const found = name === undefined
      ? "its name does not begin with a PDB code and a chain"
      : structure === undefined
      ? "there is no structure of it"
      : typeof structure === "string"
      ? structure
      : layTemplate(hit, structure, name.chainId, query);
    if (typeof found !== "string") {
      laid.push(found);
      continue;
    }
    leaveOut(`Template ${hit.index} "${hit.name.split(/\s/)[0]}" cannot be used: ${found}`);
  }
  return { templates: joinTemplates(laid, query.length), warnings };
}

/** What is found, or what is wrong with it. */
async function readableOf<T>(find: () => T | Promise<T>): Promise<T | string> {
  try {
    return await find();
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

/** PDB code (lower case) and chain that a hit's name begins with; `undefined` if it does not. */
export function templateName(hit: Pick<HhrHit, "name">): { pdbId: string; chainId: string } | undefined {
  const match = /^([A-Za-z\d]{4})_([A-Za-z\d.]+)/.exec(hit.name);
  return match ? { pdbId: match[1].toLowerCase(), chainId: match[2] } : undefined;
}

/** One template along the query. */
interface LaidTemplate {
  readonly positions: Float32Array;
  readonly mask: Float32Array;
  readonly sequence: string;
  readonly name: string;
  readonly sumProbs: number;
}

function isUseful(
  hit: HhrHit,
  query: string,
  { minAlignedFraction = 0.1, maxSubsequenceFraction = 0.95, minResidues = 10 }: TemplateOptions,
): boolean {
  const sequence = hit.hitSequence.replaceAll("-", "");
  const isQuery = query.includes(sequence) && sequence.length > maxSubsequenceFraction * query.length;
  return hit.alignedColumns > minAlignedFraction * query.length && !isQuery && sequence.length >= minResidues;
}

/** Lays a template along the query, or says why that cannot be done. */
function layTemplate(hit: HhrHit, structure: Structure, chainId: string, query: string): LaidTemplate | string {
  const sequence = hit.hitSequence.replaceAll("-", "");
  const place = findSequence(structure, chainId, sequence);
  if (place === undefined) return `its ${sequence.length} residues are not in ${structure.source}`;
  const { chain, offset } = place;
  const broken = brokenStep(chain);
  if (broken !== undefined) return `residues ${broken} and ${broken + 1} of ${structure.source} are over 150 Å apart`;
  const positions = new Float32Array(query.length * ATOM_SLOTS * 3);
  const mask = new Float32Array(query.length * ATOM_SLOTS);
  const letters = new Array<string>(query.length).fill("-");
  for (const [residue, index] of residuePairs(hit, query)) {
    const from = (offset + index) * ATOM_SLOTS;
    positions.set(chain.atomPositions.subarray(from * 3, (from + ATOM_SLOTS) * 3), residue * ATOM_SLOTS * 3);
    mask.set(chain.atomMask.subarray(from, from + ATOM_SLOTS), residue * ATOM_SLOTS);
    letters[residue] = sequence[index];
  }
  if (mask.reduce((sum, there) => sum + there, 0) < MIN_ATOMS) return `${structure.source} has no atoms there`;
  const name = `${templateName(hit)?.pdbId}_${chain.id}`;
  return { positions, mask, sequence: letters.join(""), name, sumProbs: hit.sumProbs };
}

/** Residues that must stand together in an own template's alignment, as a part of the shorter sequence. */
const LEAST_ALIGNED = 0.1;

/** Lays an own structure along the query, the chain that aligns best, or says why that cannot be done. */
function layOwn({ chains, id }: Structure, query: string): LaidTemplate | string {
  const aligned = chains.map((chain) => ({ chain, ...alignPair(query, chain.sequence) }));
  const best = aligned.reduce((a, b) => (b.score > a.score ? b : a));
  const { chain, pairs, identical } = best;
  if (pairs.length < Math.max(MIN_ATOMS, LEAST_ALIGNED * Math.min(query.length, chain.sequence.length))) {
    return `its chain ${chain.id} aligns with ${pairs.length} of the ${query.length} residues`;
  }
  const positions = new Float32Array(query.length * ATOM_SLOTS * 3);
  const mask = new Float32Array(query.length * ATOM_SLOTS);
  const letters = new Array<string>(query.length).fill("-");
  for (const [residue, index] of pairs) {
    const from = index * ATOM_SLOTS;
    positions.set(chain.atomPositions.subarray(from * 3, (from + ATOM_SLOTS) * 3), residue * ATOM_SLOTS * 3);
    mask.set(chain.atomMask.subarray(from, from + ATOM_SLOTS), residue * ATOM_SLOTS);
    letters[residue] = chain.sequence[index];
  }
  return { positions, mask, sequence: letters.join(""), name: `${id}_${chain.id}`, sumProbs: identical };
}

/** The named chain, else any, that has the sequence; at last also where one of the two has an `X`. */
function findSequence(
  structure: Structure,
  chainId: string,
  sequence: string,
): { chain: Chain; offset: number } | undefined {
  const chains = [...structure.chains].sort((a, b) => Number(b.id === chainId) - Number(a.id === chainId));
  const unsure = new RegExp(Array.from(sequence, (letter) => letter === "X" ? "." : `[${letter}X]`).join(""));
  const searches = [(text: string) => text.indexOf(sequence), (text: string) => text.search(unsure)];
  for (const search of searches) {
    for (const chain of chains) {
      const offset = search(chain.sequence);
      if (offset >= 0) return { chain, offset };
    }
  }
  return undefined;
}

/** Pairs of the query's residue and the index in the hit's sequence without gaps. */
function residuePairs(hit: HhrHit, query: string): [number, number][] {
  const aligned = hit.query.replaceAll("-", "");
  const found = query.indexOf(aligned);
  const firstOfQuery = hit.queryIndices.find((index) => index >= 0) ?? 0;
  const firstOfHit = hit.hitIndices.find((index) => index >= 0) ?? 0;
  const shift = (found < 0 ? firstOfQuery : found) - firstOfQuery;
  const pairs: [number, number][] = [];
  hit.queryIndices.forEach((index, column) => {
    const residue = index + shift;
    if (index >= 0 && hit.hitIndices[column] >= 0 && residue < query.length) {
      pairs.push([residue, hit.hitIndices[column] - firstOfHit]);
    }
  });
  return pairs;
}

/** Number of the first residue after which the chain makes an impossible step. */
function brokenStep({ atomMask, atomPositions, sequence }: Chain): number | undefined {
  const isWhole = (i: number) => [SLOT.N, SLOT.CA, SLOT.C].every((slot) => atomMask[i * ATOM_SLOTS + slot] !== 0);
  for (let i = 1; i < sequence.length; i++) {
    if (!isWhole(i - 1) || !isWhole(i)) continue;
    const [a, b] = [i - 1, i].map((residue) => (residue * ATOM_SLOTS + SLOT.CA) * 3);
    const step = Math.hypot(...[0, 1, 2].map((axis) => atomPositions[a + axis] - atomPositions[b + axis]));
    if (step > MAX_CA_STEP) return i;
  }
  return undefined;
}

function joinTemplates(laid: readonly LaidTemplate[], columns: number): Templates {
  const positions = new Float32Array(laid.length * columns * ATOM_SLOTS * 3);
  const mask = new Float32Array(laid.length * columns * ATOM_SLOTS);
  laid.forEach((template, t) => {
    positions.set(template.positions, t * columns * ATOM_SLOTS * 3);
    mask.set(template.mask, t * columns * ATOM_SLOTS);
  });
  return {
    template_aatype: Int32Array.from(laid.flatMap(({ sequence }) => Array.from(sequence, residueToken))),
    template_all_atom_positions: positions,
    template_all_atom_mask: mask,
    template_sum_probs: Float32Array.from(laid, (template) => template.sumProbs),
    template_domain_names: laid.map((template) => template.name),
    template_sequence: laid.map((template) => template.sequence),
  };
}
