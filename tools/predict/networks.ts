/** Networks on the device, of which one has room. */
import type { Device } from "../../core/mod.ts";
import type { WeightsDtype } from "../../model/weights/load_weights.ts";
import type { PlannedModel } from "./planned_model.ts";
import { type HeldWeights, type LoadedNetwork, loadNetwork } from "./network.ts";

/** Networks on the device, one at a time. */
export class Networks implements Disposable {
  readonly device: Device;
  readonly #dtype: WeightsDtype;
  readonly #told: (preset: string, held: HeldWeights) => void;
  #model: PlannedModel | undefined;
  #network: LoadedNetwork | undefined;
  #scope: { [Symbol.dispose](): void } | undefined;

  constructor(device: Device, dtype: WeightsDtype, told: (preset: string, held: HeldWeights) => void) {
    this.device = device;
    this.#dtype = dtype;
    this.#told = told;
  }

  /** The network of a model, loaded where it is not the one that was asked for last. */
  async of(model: PlannedModel): Promise<LoadedNetwork> {
    if (this.#model === model && this.#network) return this.#network;
    this[Symbol.dispose]();
    this.#scope = this.device.scope("weights");
    using opened = await model.open();
    this.#network = await loadNetwork(this.device, model.config, opened.entries, { dtype: this.#dtype });
    this.#model = model;
    this.#told(model.preset, this.#network.held);
    return this.#network;
  }

  /** Takes the network off the device. */
  [Symbol.dispose](): void {
    this.#scope?.[Symbol.dispose]();
    this.#scope = this.#network = this.#model = undefined;
  }
}
