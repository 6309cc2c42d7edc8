/** Blocks of random sizes, numbers and masks against float64, forward and gradients. */
import { entries, Key, mapTree, pullback, type Tensor } from "../../../core/mod.ts";
import {
  evoformerBlock,
  type EvoformerBlockParams,
  evoformerConfig,
  extraMsaBlock,
  type ExtraMsaBlockParams,
  extraMsaConfig,
  initEvoformer,
  initExtraMsaStack,
} from "../../../model/evoformer/mod.ts";
import { assertClose, familyTest, randomArray } from "../../_gpu.ts";
import { Array64, type Block64, block64, type Inputs64 } from "./_reference.ts";

/** Sizes that are drawn besides: one residue, one sequence, one of each. */
const CORNERS = [[1, 1, 1], [1, 1, 5], [2, 4, 1]] as const;
const DRAWN = 4;

/** Whole numbers from `low` to `high`, drawn one after the other. */
function drawing(seed: number): (low: number, high: number) => number {
  const numbers = randomArray(64, seed);
  let next = 0;
  return (low, high) => low + Math.floor((numbers[next++] + 1) / 2 * (high - low + 1));
}

/** DENOFOLD_TEST_SEED=2 draws other sizes and numbers. */
const FIRST_SEED = 1000 * Number(Deno.env.get("DENOFOLD_TEST_SEED") ?? 1);

for (let n = 0; n < DRAWN + CORNERS.length; n++) {
  const kind = n % 2 ? "extraMsa" : "evoformer";
  const seed = n < DRAWN ? FIRST_SEED + n : n;
  const draw = drawing(seed);
  const [batch, nSeq, nRes] = CORNERS[n - DRAWN] ?? [draw(1, 2), draw(1, 9), draw(2, 8)];
  const given = {
    cM: draw(3, 13),
    cZ: draw(3, 11),
    cHiddenOpm: draw(1, 6),
    cHiddenMul: draw(2, 9),
    cHiddenMsaAtt: draw(1, 6),
    cHiddenPairAtt: draw(1, 6),
    nHeadMsa: draw(1, 3),
    nHeadPair: draw(1, 3),
    transitionN: draw(1, 3),
    nBlock: 1,
  };
  const name = `a block of the ${kind} stack, [${batch}, ${nSeq}, ${nRes}], ${Object.values(given)}, seed ${seed}`;
  familyTest(`${name}, is what float64 makes of it`, async (device) => {
    const config = kind === "evoformer" ? evoformerConfig(given) : extraMsaConfig(given);
    const shapes = {
      m: [batch, nSeq, nRes, config.cM],
      z: [batch, nRes, nRes, config.cZ],
      msaMask: [batch, nSeq, nRes],
      pairMask: [batch, nRes, nRes],
    };
    const fill = (shape: readonly number[], seed: number, of: (x: number) => number) => {
      const numbers = randomArray(shape.reduce((a, b) => a * b), seed);
      return new Array64(shape, Float64Array.from(numbers, (x) => Math.fround(of(x))));
    };
    // The first row and the first column count, so that there is always a key to attend to: where there is none, float32
    // gives all keys the same weight and float64 does not (golden data of the published code are for that).
    const mask = ([batch, rows, columns]: readonly number[], seed: number) => {
      const drawn = fill([batch, rows, columns], seed, (x) => (x > -0.6 ? 1 : 0));
      drawn.data.forEach((_, i) => {
        if (i % columns === 0 || Math.floor(i / columns) % rows === 0) drawn.data[i] = 1;
      });
      return drawn;
    };
    const inputs: Inputs64 = {
      m: fill(shapes.m, seed + 1, (x) => 2 * x),
      z: fill(shapes.z, seed + 2, (x) => 2 * x),
      msaMask: mask(shapes.msaMask, seed + 3),
      pairMask: mask(shapes.pairMask, seed + 4),
    };
    const fresh = kind === "evoformer"
      ? initEvoformer(device, config, Key.fromSeed(seed)).blocks[0]
      : initExtraMsaStack(device, config, Key.fromSeed(seed)).blocks[0];
    let index = 0;
    const params64 = mapTree<Tensor, Array64>(fresh, ({ shape }, path) => {
      const vector = shape.length === 1, norm = /layerNorm.*weight/.test(path);
      return fill(shape, seed + 10 + index++, (x) => norm ? 1 + x / 2 : vector ? x : x / Math.sqrt(shape.at(-1)! / 3));
    }) as Block64;
    const tensor = ({ shape, data }: Array64) => device.tensor(data, shape);
    const params = mapTree<Array64, Tensor>(params64, tensor);
    const masks = { msaMask: tensor(inputs.msaMask), pairMask: tensor(inputs.pairMask) };
    const back = pullback(
      device,
      ({ params, m, z }: { params: unknown; m: Tensor; z: Tensor }) =>
        kind === "evoformer"
          ? evoformerBlock(params as EvoformerBlockParams, { m, z, ...masks }, config)
          : extraMsaBlock(params as ExtraMsaBlockParams, { m, z, ...masks }, config),
      { params, m: tensor(inputs.m), z: tensor(inputs.z) } as never,
    );
    const expected = block64(params64, inputs, config);
    const tolerance = (data: Float64Array, factor: number) => ({
      rtol: factor,
      atol: factor * data.reduce((a, x) => Math.max(a, Math.abs(x)), 0),
    });
    assertClose(await back.output.m.read(), expected.m.data, tolerance(expected.m.data, 2e-5), `${name}: m`);
    assertClose(await back.output.z.read(), expected.z.data, tolerance(expected.z.data, 2e-5), `${name}: z`);

    // Each leaf's gradient along a random direction, against the slope in float64.
    const cotangents = { m: fill(shapes.m, seed + 5, (x) => x), z: fill(shapes.z, seed + 6, (x) => x) };
    const grads = back.pullLeaves([tensor(cotangents.m), tensor(cotangents.z)]);
    const value = () => {
      const { m, z } = block64(params64, inputs, config);
      const dot = (x: Array64, y: Array64) => x.data.reduce((sum, v, i) => sum + v * y.data[i], 0);
      return dot(m, cotangents.m) + dot(z, cotangents.z);
    };
    const moved: [string, Array64][] = [...entries<Array64>(params64), ["m", inputs.m], ["z", inputs.z]];
    for (const [i, [path, { data }]] of moved.entries()) {
      const direction = randomArray(data.length, seed + 100 + i);
      const before = data.slice();
      const h = 1e-7; // small, so that no relu turns in between
      const at = (step: number) => {
        direction.forEach((d, j) => (data[j] = before[j] + step * d));
        return value();
      };
      const slope = (at(h) - at(-h)) / (2 * h);
      data.set(before);
      const grad = await grads[i]!.read();
      let along = 0, size = 0;
      grad.forEach((g, j) => {
        along += g * direction[j];
        size += Math.abs(g * direction[j]);
      });
      assertClose([along], [slope], { rtol: 1e-4, atol: 1e-4 * (size + 1) }, `${name}: gradient of ${path}`);
    }
  });
}
