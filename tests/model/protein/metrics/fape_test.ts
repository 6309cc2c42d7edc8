import assert from "node:assert/strict";
import { type BackboneAtoms, backboneFape } from "../../../../model/protein/metrics/fape.ts";
import { applyMotion } from "../../../../model/protein/metrics/kabsch.ts";
import { Random } from "../_support.ts";

const N_RES = 7;

function random(seed: number): BackboneAtoms {
  const draw = new Random(seed);
  const atoms = () => Float64Array.from({ length: 3 * N_RES }, () => 8 * draw.normal());
  return { n: atoms(), ca: atoms(), c: atoms() };
}

const mapped = ({ n, ca, c }: BackboneAtoms, map: (points: Float64Array) => Float64Array): BackboneAtoms => ({
  ...{ n: map(Float64Array.from(n)), ca: map(Float64Array.from(ca)), c: map(Float64Array.from(c)) },
});

Deno.test("backboneFape() is 0 after any motion, and not of the mirror image", () => {
  const truth = random(1);
  const [s, c] = [Math.sin(0.7), Math.cos(0.7)];
  const motion = { rotation: Float64Array.of(c, -s, 0, s, c, 0, 0, 0, 1), translation: Float64Array.of(3, -40, 9) };
  const moved = mapped(truth, (points) => Float64Array.from(applyMotion(motion, points)));
  assert(backboneFape(moved, truth) < 1e-10);
  const mirrored = mapped(truth, (points) => points.map((x, i) => (i % 3 === 2 ? -x : x)));
  assert(backboneFape(mirrored, truth) > 1);
});

Deno.test("backboneFape() counts pairs up to the clamp, and only residues that count", () => {
  const truth = random(2);
  const far = mapped(truth, (points) => points.map((x, i) => (i === 3 * (N_RES - 1) ? x + 1000 : x)));
  const last = { ...truth, ca: far.ca };
  // What is seen of the last C-alpha is off by more than the clamp from all others; its own frame is turned.
  const mask = Array.from({ length: N_RES }, (_, i) => Number(i < N_RES - 1));
  assert(backboneFape(last, truth, { mask }) < 1e-10);
  const found = backboneFape(last, truth, { clamp: 3 });
  assert(found >= 3 * (N_RES - 1) / N_RES ** 2 && found <= 3 * 2 * (N_RES - 1) / N_RES ** 2, `${found}`);
  const shifted = mapped(truth, (points) => points.map((x, i) => (i === 2 ? x + 0.5 : x)));
  const whole = { n: shifted.n, ca: shifted.ca, c: shifted.c };
  const errors = backboneFape(whole, truth);
  assert(Math.abs(errors - 2 * 0.5 * (N_RES - 1) / N_RES ** 2) < 1e-10, `${errors}`); // seen by the others, and seeing them
});

Deno.test("backboneFape() refuses what is not finite or of other sizes", () => {
  const truth = random(3);
  assert.throws(() => backboneFape({ ...truth, c: truth.c.map(() => NaN) }, truth), RangeError);
  assert.throws(() => backboneFape({ ...truth, n: truth.n.slice(3) }, truth), TypeError);
});
