/**
 * denofold: AlphaFold-2-class networks in TypeScript, on any GPU through WebGPU.
 *
 * The core: a device, tensors, scopes that own memory, gradients. The networks' building blocks are in
 * `@denofold/denofold/ops`, the networks in `/model`, training in `/finetune`, files and reports in `/tools`. A program for Deno begins with
 * `import "@denofold/denofold/setup"`, which gives it the environment of the command line.
 *
 * @example Fit a line by gradient descent
 * ```ts
 * import "@denofold/denofold/setup"; // in Deno alone
 * import { Device, valueAndGrad } from "@denofold/denofold";
 * import { linear, meanSquaredError } from "@denofold/denofold/ops";
 * import { Optimizer } from "@denofold/denofold/finetune";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("line");
 * const x = device.tensor([0, 1, 2, 3], [4, 1]);
 * const y = device.tensor([1, 3, 5, 7], [4, 1]);
 * const params = { weight: device.tensor([0], [1, 1]), bias: device.tensor([0], [1]) };
 * using optimizer = new Optimizer(device, params, { kind: "adam", learningRate: 0.1 });
 * for (let step = 0; step < 300; step++) {
 *   using _ = device.scope("step");
 *   const { grads } = valueAndGrad(device, (p) => meanSquaredError(linear(x, p), y), params);
 *   optimizer.step(params, grads);
 * }
 * assert.ok(Math.abs(await params.weight.item() - 2) < 0.05);
 * assert.ok(Math.abs(await params.bias.item() - 1) < 0.1);
 * ```
 *
 * @module
 */
export * from "./core/mod.ts";
