/** Heads in the units of a training set. */
import type { Device } from "../core/mod.ts";
import { linear, multiply, multiplyScalar, reshape, subtract } from "../ops/mod.ts";
import { labelRows } from "./_labels.ts";
import { type FineTunedConfig, type FineTunedParams, headInputsOf, isKnown } from "./fine_tuned.ts";
import { type HeadStandard, labelsFrom, Moments, standardParams } from "./heads/head_standard.ts";
import { type LabelHeadParams, poolResidues } from "./heads/label_head.ts";
import type { TaskHeads } from "./heads/tasks.ts";
import type { LabelledSet } from "./labelled_set.ts";

/** Standards by task. */
export type HeadStandards = Readonly<Record<string, HeadStandard>>;

/**
 * Means and deviations over a set: of what each head reads, a vector a protein or a residue, and of its labels where they
 * are numbers. Proteins are vectors by the plain mean over their residues, also where a head learns to weigh them.
 *
 * The network runs once for each protein that it has not read before.
 *
 * @param progress Is told of each protein that was read.
 */
export async function measureStandards(
  device: Device,
  { model }: Pick<FineTunedParams, "model">,
  config: FineTunedConfig,
  set: LabelledSet,
  progress?: (done: number, total: number) => void,
): Promise<HeadStandards> {
  const tasks = Object.entries(config.tasks);
  const moments = tasks.map(([, { head: { cS, cZ = 0 } }]) => new Moments(cS + cZ));
  const labels: number[][] = tasks.map(() => []);
  for (let i = 0; i < set.size; i++) {
    using _ = device.scope("standards");
    const sample = await set.load(i);
    const read = isKnown(sample.input) ? sample.input : headInputsOf(model, sample.input, config);
    for (const [t, [name, { head: { level, cS, cZ } }]] of tasks.entries()) {
      const { s, z, zMean, mask } = read;
      const rows = level === "residue"
        ? (await s.read() as Float32Array).subarray(0, cS * (sample.residues ?? s.shape[1]))
        : await poolResidues({}, { s, mask, ...(cZ !== undefined && { z, zMean }) }).pooled.read() as Float32Array;
      moments[t].add(rows);
      for (const row of labelRows(sample)) {
        for (const label of Array.from(row[name] ?? [])) if (!Number.isNaN(label)) labels[t].push(label);
      }
    }
    progress?.(i + 1, set.size);
  }
  return Object.fromEntries(
    tasks.map(([name, { head: { classes } }], t) => [
      name,
      moments[t].standard(classes === undefined ? labels[t] : undefined),
    ]),
  );
}

/**
 * The same heads, which read and predict in these units.
 *
 * @returns What is new is owned by the current scope; it is never trained.
 * @throws {TypeError} If a task has no standard.
 */
export function withStandards(device: Device, heads: TaskHeads, standards: HeadStandards): TaskHeads {
  return Object.fromEntries(
    Object.entries(heads).map(([name, head]) => {
      const standard = standards[name];
      if (!standard) {
        throw new TypeError(`There is no standard of ${name}, there are ${Object.keys(standards).join(", ")}`);
      }
      return [name, { ...head, standard: standardParams(device, standard) }];
    }),
  );
}

/**
 * The same heads without a standard: it goes into their linear maps, which then take what they read as it comes and give
 * labels in their own unit.
 *
 * @returns What is new is owned by the current scope.
 */
export function withoutStandards(heads: TaskHeads): TaskHeads {
  return Object.fromEntries(Object.entries(heads).map(([name, head]) => [name, plain(head)]));
}

function plain({ standard, ...head }: LabelHeadParams): LabelHeadParams {
  if (!standard) return head;
  const { linear_1: { weight, bias }, linear_2 } = head;
  using scope = weight.device.scope("plainHead");
  const scaled = multiply(weight, standard.scale);
  const mean = reshape(standard.mean, [1, standard.mean.size]);
  const atMean = reshape(linear(mean, { weight: scaled }), [weight.shape[0]]);
  return scope.keep({
    ...head,
    linear_1: { weight: scaled, bias: subtract(bias!, atMean) },
    linear_2: {
      weight: multiplyScalar(linear_2.weight, standard.labelDeviation),
      bias: labelsFrom(linear_2.bias!, standard),
    },
  });
}
