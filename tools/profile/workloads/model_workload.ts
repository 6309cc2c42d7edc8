/** Workloads that run a network forward, forward and back, or make a whole step of training with AdamW. */
import { type Device, Key, leaves, mapTree, pullback, type Shape, type Tensor, type Tree } from "../../../core/mod.ts";
import { Optimizer } from "../../../finetune/mod.ts";
import { layOutProjections } from "../../../model/layers/packed_linear.ts";
import { InputError, UsageError } from "../../errors.ts";
import { fillZeros, storageErrors } from "../storage_error.ts";
import type { Workload, WorkloadFlag, WorkloadValues } from "./workload.ts";

/** A network on a device. */
export interface RunnableModel {
  /** Makes its parameters. */
  params(key: Key): Tree<Tensor>;
  /** Makes its inputs. */
  inputs(key: Key): Tree<Tensor>;
  /**
   * Runs the network.
   *
   * @param key For dropout, where it trains.
   * @returns Its outputs.
   */
  run(params: Tree<Tensor>, inputs: Tree<Tensor>, key?: Key): Tree<Tensor>;
}

/** What {@link modelWorkload} makes a workload of. */
export interface ModelSource {
  /** One line for the help. */
  readonly description: string;
  /** Its sizes and choices. */
  readonly flags: readonly WorkloadFlag[];
  /** Makes ready to put it on a device; what it makes belongs to the scope that is current then. */
  make(device: Device, values: WorkloadValues): RunnableModel;
}

const STORAGE = ["f32", "f16", "f16-all"] as const;

const WAYS: readonly WorkloadFlag[] = [
  { name: "backward", description: "the way back too", value: false },
  {
    name: "train",
    description: "the way back, with dropout where the network has it, and an update by AdamW",
    value: false,
  },
  {
    ...{ name: "storage", value: "f32", choices: STORAGE, forwardOnly: true },
    description:
      "how modules keep what they need on the way to their result, with f16-all also what stacks keep between " +
      "modules; f16 is for forward alone",
  },
];

/** Makes a workload of a network. */
export function modelWorkload({ description, flags, make }: ModelSource): Workload {
  return {
    description,
    flags: [...flags, ...WAYS],
    open(device, values) {
      const half = values.storage === "f16" || values.storage === "f16-all", all = values.storage === "f16-all";
      if (half && (values.backward || values.train)) {
        throw new UsageError(`--storage ${values.storage} is for inference alone: gradients need f32`);
      }
      const scope = device.scope("model");
      const named = <T extends Tree<Tensor>>(name: string, made: () => T): T => {
        using part = device.scope(name);
        return part.keep(made());
      };
      let optimizer: Optimizer | undefined;
      try {
        if (half) device.intermediates = "f16";
        if (all) device.representations = "f16";
        const model = make(device, values);
        const [paramsKey, inputsKey] = Key.fromSeed(0).split(2);
        const params = named("parameters", () => model.params(paramsKey));
        if (!values.backward && !values.train) layOutProjections(params);
        const inputs = named("inputs", () => model.inputs(inputsKey));
        if (values.train) {
          using moments = device.scope("moments");
          void moments;
          optimizer = new Optimizer(device, params);
        }
        let steps = 0;
        const step = () => {
          using step = device.scope("step");
          void step;
          const key = values.train ? Key.fromSeed(steps++) : undefined;
          if (!values.backward && !optimizer) {
            using forward = device.scope("forward");
            void forward;
            model.run(params, inputs);
            return;
          }
          const back = pullback(device, (all: Primals) => model.run(all.params, all.inputs, key), { params, inputs });
          const cotangents = named(
            "cotangents",
            () => leaves<Tensor>(back.output).map(({ shape }) => ones(device, shape)),
          );
          const grads = back.pullLeaves(cotangents); // those of the parameters first
          let next = 0;
          optimizer?.step(params, mapTree<Tensor, Tensor | null>(params, () => grads[next++]));
        };
        return {
          async step() {
            try {
              step();
            } catch (error) {
              throw inputError(error);
            }
            await device.finish();
          },
          async storageError() {
            if (!half) return undefined;
            const restore = await fillZeros(device, params, Key.fromSeed(1));
            const errors = await storageErrors(device, () => model.run(params, inputs), { all });
            restore();
            return errors;
          },
          [Symbol.dispose]() {
            device.intermediates = device.representations = "f32";
            optimizer?.[Symbol.dispose]();
            scope[Symbol.dispose]();
          },
        };
      } catch (error) {
        device.intermediates = device.representations = "f32";
        scope[Symbol.dispose]();
        throw inputError(error);
      }
    },
  };
}

/** Sizes that pass a limit, or do not fit together, are the user's. */
function inputError(error: unknown): unknown {
  if (error instanceof RangeError) return new InputError(`${error.message} (denofold plan tells what fits)`);
  return error instanceof TypeError ? new InputError(error.message) : error;
}

type Primals = { params: Tree<Tensor>; inputs: Tree<Tensor> };

/** A tensor of normal random numbers; of none on a device for plans. */
export function randomTensor(device: Device, key: Key, shape: Shape): Tensor {
  return tensorOf(device, shape, (size) => key.normal(size));
}

function ones(device: Device, shape: Shape): Tensor {
  return tensorOf(device, shape, (size) => new Float32Array(size).fill(1));
}

/** A tensor; numbers are made for it once it is known to fit the adapter. */
function tensorOf(device: Device, shape: Shape, numbers: (size: number) => Float32Array): Tensor {
  const tensor = device.empty(shape);
  if (!device.dry) device.write(tensor, numbers(tensor.size));
  return tensor;
}
