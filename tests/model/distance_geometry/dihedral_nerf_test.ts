import assert from "node:assert/strict";
import { dihedral } from "../../../model/protein/metrics/dihedral.ts";
import { applyMotion } from "../../../model/protein/metrics/kabsch.ts";
import { mirrorImage } from "../../../model/distance_geometry/mirror.ts";
import { nerf } from "../../../model/distance_geometry/nerf.ts";
import { assertClose, Golden, Random } from "../protein/_support.ts";

const golden = Golden.fixture("luc_dihedral_nerf");
const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => golden.data(`in/${name}`));

Deno.test("dihedral() matches the golden angles", () => {
  assertClose(dihedral(a, b, c, d), golden.data("out/dihedral_abcd"), { rtol: 1e-4, atol: 1e-4 });
});

Deno.test("nerf() matches the golden points", () => {
  const [length, theta, chi] = ["length", "theta", "chi"].map((name) => golden.data(`in/${name}`));
  const points = nerf(a, b, c, length, theta, chi);
  assertClose(points, golden.data("out/nerf_point"), { rtol: 1e-4, atol: 1e-4 }, "points");
  assertClose(dihedral(a, b, c, points), golden.data("out/dihedral_abc_nerf"), { rtol: 1e-4, atol: 1e-4 }, "dihedral");
});

Deno.test("dihedral() undoes nerf(), with the right length and angle", () => {
  const random = new Random(31);
  const m = 50;
  const [p, q, r] = [random.cloud(m), random.cloud(m), random.cloud(m)];
  const length = Float64Array.from({ length: m }, () => 1 + random.uniform());
  const turn = Float64Array.from({ length: m }, () => 0.2 + 2.7 * random.uniform());
  const chi = Float64Array.from({ length: m }, () => Math.PI * (2 * random.uniform() - 1));
  const s = nerf(p, q, r, length, turn, chi);
  assertClose(dihedral(p, q, r, s), chi, { atol: 1e-9 });
  for (let k = 0; k < m; k++) {
    const u = [0, 1, 2].map((x) => r[3 * k + x] - q[3 * k + x]);
    const v = [0, 1, 2].map((x) => s[3 * k + x] - r[3 * k + x]);
    assertClose([Math.hypot(...v)], [length[k]], { atol: 1e-9 });
    const cos = (u[0] * v[0] + u[1] * v[1] + u[2] * v[2]) / (Math.hypot(...u) * length[k]);
    assertClose([Math.acos(cos)], [turn[k]], { atol: 1e-6 });
  }
});

Deno.test("dihedral() keeps its value under rigid motion and changes sign in the mirror", () => {
  const motion = new Random(32).motion();
  const here = dihedral(a, b, c, d);
  const moved = [a, b, c, d].map((points) => applyMotion(motion, points));
  assertClose(dihedral(moved[0], moved[1], moved[2], moved[3]), here, { atol: 1e-6 });
  const mirror = [a, b, c, d].map(mirrorImage);
  assertClose(dihedral(mirror[0], mirror[1], mirror[2], mirror[3]), here.map((x) => -x), { atol: 1e-12 });
});

Deno.test("dihedral() and nerf() refuse sizes that differ", () => {
  assert.throws(() => dihedral(a, b, c, d.slice(3)), TypeError);
  assert.throws(() => nerf(a, b, c, [1], [1], [1]), { name: "TypeError", message: /length has 1 entries/ });
});
