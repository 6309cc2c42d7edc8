import type { Device, Tensor } from "../../../core/mod.ts";
import { loadParams, type ParamShapes, shapesByPath } from "../../../model/layers/params.ts";
import type { Family } from "../family.ts";
import type { Golden } from "../golden.ts";
import { checkParameterNames, differentiate, parameter } from "./_differentiate.ts";
import { compareSummaries } from "./evoformer_summaries.ts";

/** Tensors by golden name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A part of AlphaFold 2, and how to run it. */
export interface ModuleCase<P> {
  /** Beginning of the names of its cases. */
  readonly prefix: string;
  /** Source of its cases. */
  readonly source: RegExp;
  /** Whether its cases are those of complexes. @default false */
  readonly complexes?: boolean;
  /** Shapes of its parameters under the names of the case. @default it has none */
  shapes?(golden: Golden): ParamShapes;
  /** Names of the inputs that have a gradient. @default none */
  readonly inputs?: readonly string[];
  /** Names of the others, and the type of their numbers. @default none */
  readonly constants?: Readonly<Record<string, "f32" | "i32">>;
  /** Whether tensors get a batch axis in front, which the golden data lack. @default true */
  readonly batched?: boolean;
  /** Outputs by golden name. */
  run(params: P, inputs: Tensors, constants: Tensors, golden: Golden): Record<string, Tensor>;
  /** Comparisons of our own. */
  readonly special?: Family["special"];
}

/** A family of cases of one part; those of complexes are another's, but where they are named alike. */
export function moduleFamily<P>(part: ModuleCase<P>): Family {
  const { prefix, source, complexes = false, inputs = [], constants = {}, batched = true, special } = part;
  return {
    prefix,
    matches: (golden) =>
      source.test(golden.source) && (complexes ? isOfComplexes(golden) : !/multimer/.test(golden.name)),
    run(device, golden) {
      const tree = part.shapes?.(golden) ?? {};
      checkParameterNames(golden, shapesByPath(tree));
      const params = loadParams(device, tree, (path, shape) => parameter(golden, path, shape));
      const read = (name: string, dtype: "f32" | "i32" = "f32") =>
        goldenTensor(device, golden, name, { dtype, batched });
      const fixed = Object.fromEntries(Object.entries(constants).map(([name, dtype]) => [name, read(name, dtype)]));
      return differentiate(
        device,
        golden,
        { params, inputs: Object.fromEntries(inputs.map((name) => [name, read(name)])) },
        (primals) => part.run(primals.params as P, primals.inputs, fixed, golden),
      );
    },
    special: (golden, results) => [
      ...compareSummaries(golden.gradientSummaries, results, golden.largestGradient),
      ...(special?.(golden, results) ?? []),
    ],
  };
}

/** Whether a case is of AlphaFold-Multimer. */
export function isOfComplexes({ description }: Golden): boolean {
  return /^multimer\//.test(String(description.group));
}

/** An input of a case on the device. */
export function goldenTensor(
  device: Device,
  golden: Golden,
  name: string,
  { dtype = "f32", batched = true }: { readonly dtype?: "f32" | "i32"; readonly batched?: boolean } = {},
): Tensor {
  const shape = golden.shape(`in/${name}`);
  return device.tensor(golden.data(`in/${name}`), batched ? [1, ...shape] : shape, dtype);
}
