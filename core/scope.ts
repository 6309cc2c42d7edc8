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
  readonly #device: Device;
  readonly #owned = new Set<Tensor>();
  #parent: Scope | null;
  #open = true;

  /** Opened by {@linkcode Device.scope}. */
  constructor(device: Device, name: string, parent: Scope | null) {
    this.#device = device;
    this.name = name;
    this.#parent = parent;
  }

  /** The open scope around this one. */
  get parent(): Scope | null {
    return this.#parent;
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

  /**
   * Closes the scope: frees what it still owns. Scopes close in the reverse order of their opening; a second call does
   * nothing.
   *
   * @throws {Error} If a scope opened in it is still open, as happens where two asynchronous flows use one device at
   * once. Its own tensors are freed all the same, and the scope inside goes on in the one around.
   */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    const inside = this.#device.leave(this);
    if (inside) inside.#parent = this.#parent;
    for (const tensor of this.#owned) tensor.dispose();
    this.#owned.clear();
    if (inside) {
      throw new Error(
        `Scope ${this.name} was closed while ${inside.name} was open inside it: a device serves one flow of control at ` +
          `a time; let asynchronous ones take turns, with Device.exclusive()`,
      );
    }
  }
}
