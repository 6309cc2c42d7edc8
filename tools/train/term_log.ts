/** The terms of the losses of a step's samples: what they were, and which of them was not finite. */
import type { Device, Tensor } from "../../core/mod.ts";

/** Terms of a sample's loss, read. */
export interface SampleTerms {
  /** Name of the sample. */
  readonly id: string;
  /** The terms by their names. */
  readonly terms: Readonly<Record<string, number>>;
}

/** Keeps the terms of a step's samples on the device until the step is made; dispose of it to free them. */
export class TermLog {
  readonly #device: Device;
  readonly #kept: { readonly id: string; readonly names: readonly string[]; readonly values: Tensor }[] = [];

  /** Nothing is kept yet. */
  constructor(device: Device) {
    this.#device = device;
  }

  /** Keeps the terms of a sample, scalars. */
  add(id: string, terms: Readonly<Record<string, Tensor>>): void {
    const device = this.#device;
    const values = device.empty([Object.keys(terms).length]);
    Object.values(terms).forEach((term, toElement) => device.copy(term, values, { toElement }));
    this.#kept.push({ id, names: Object.keys(terms), values: device.hold(values) });
  }

  /** Reads them; on a device for plans they are 0. */
  async read(): Promise<SampleTerms[]> {
    const device = this.#device;
    using _ = device.scope("terms");
    const sizes = this.#kept.map(({ values }) => values.size);
    const all = device.empty([sizes.reduce((sum, size) => sum + size, 0)]);
    let at = 0;
    for (const { values } of this.#kept) {
      device.copy(values, all, { toElement: at });
      at += values.size;
    }
    const numbers = device.dry || all.size === 0 ? new Float32Array(all.size) : await all.read();
    at = 0;
    return this.#kept.map(({ id, names }) => ({
      id,
      terms: Object.fromEntries(names.map((name) => [name, numbers[at++]])),
    }));
  }

  /** Frees what is kept. */
  [Symbol.dispose](): void {
    for (const { values } of this.#kept.splice(0)) values.dispose();
  }
}

/** Means by name, over those that have it. */
export function meanOf(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const names = new Set(all.flatMap((one) => Object.keys(one)));
  return Object.fromEntries([...names].map((name) => {
    const values = all.flatMap((one) => one[name] ?? []);
    return [name, values.reduce((sum, value) => sum + value, 0) / values.length];
  }));
}

/** Which terms of which samples were not finite, in words; all were, and so the gradient is to blame, if none is named. */
export function troubleOf(read: readonly SampleTerms[]): string {
  const found = read.flatMap(({ id, terms }) =>
    Object.entries(terms).filter(([, value]) => !Number.isFinite(value)).map(([name, value]) =>
      `${name} of ${id} is ${value}`
    )
  );
  return found.length > 0
    ? found.join(", ")
    : `all terms of the loss are finite, the gradient of ${read.map(({ id }) => id).join(" or ")} is not`;
}

/** A sentence's beginning. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
