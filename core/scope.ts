import type { Device } from "./device.ts";
import type { Tensor } from "./tensor.ts";
import { leaves, type Tree } from "./tree.ts";

/**
 * Owns the tensors made while it is open and frees them when it closes, except those kept. Its name is the label of
 * its part of the work in errors and profiles.
 */
export class Scope {
  /** Name of this part of the work. */
  readonly name: string;
  /** The scope it was opened in. */
  readonly parent: Scope | null;
  readonly #device: Device;
  readonly #owned = new Set<Tensor>();

  /** Opened by {@linkcode Device.scope}. */
  constructor(device: Device, name: string, parent: Scope | null) {
    this.#device = device;
    this.name = name;
    this.parent = parent;
  }

  /** Names from the outermost scope to this one, joined by `/`. */
  get path(): string {
    return this.parent ? `${this.parent.path}/${this.name}` : this.name;
  }

  /** Makes this scope the owner of a tensor. */
  adopt(tensor: Tensor): void {
    this.#owned.add(tensor);
  }

  /**
   * Hands a tensor (or a tree of them) to the enclosing scope, or to the caller where there is none, so that it
   * outlives this one. Tensors of other owners pass unchanged.
   */
  keep<T extends Tree<Tensor>>(kept: T): T {
    for (const tensor of leaves<Tensor>(kept)) {
      if (this.#owned.delete(tensor)) this.parent?.adopt(tensor);
    }
    return kept;
  }

  /** Closes the scope: frees what it still owns. Scopes close in the reverse order of their opening. */
  [Symbol.dispose](): void {
    this.#device.leave(this);
    for (const tensor of this.#owned) tensor.dispose();
    this.#owned.clear();
  }
}
