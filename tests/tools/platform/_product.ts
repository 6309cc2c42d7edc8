/**
 * A script as a user writes it: the environment's import, then WebGPU. Multiplies two matrices, whose factors lavapipe
 * reads from textures, and prints as JSON how wrong the product is, the lanes of a subgroup and the environment.
 */
import "../../../tools/setup.ts";
import { Device } from "../../../core/mod.ts";
import { matmul } from "../../../ops/mod.ts";

const N = 37;
const device = await Device.open(navigator.gpu);
const values = Float32Array.from({ length: N * N }, (_, i) => (i % 7) - 3); // whole numbers: the product is exact
const a = device.tensor(values, [N, N]);
const product = await matmul(a, a).read();
let worst = 0;
for (let i = 0; i < N; i++) {
  for (let j = 0; j < N; j++) {
    let sum = 0;
    for (let k = 0; k < N; k++) sum += values[i * N + k] * values[k * N + j];
    worst = Math.max(worst, Math.abs(sum - product[i * N + j]));
  }
}
const names = ["LP_NATIVE_VECTOR_WIDTH", "MESA_SHADER_CACHE_DIR", "MESA_SHADER_CACHE_MAX_SIZE"];
const environment = Object.fromEntries(names.map((name) => [name, Deno.env.get(name)]));
console.log(JSON.stringify({ worst, lanes: device.traits.subgroupSize, environment }));
device.close();
