import type { Device, Tensor } from "../../../core/mod.ts";
import { type Bonds, squaredAdjacency } from "../../../model/equivariant/mod.ts";
import { loadParams, type ParamShapes, shapesByPath } from "../../../model/layers/params.ts";
import { camelCase } from "../../../model/weights/names.ts";
import type { Golden } from "../golden.ts";
import { checkParameterNames, input, parameter } from "./_differentiate.ts";

/** Whether a case is from one of the three equivariant libraries, or of their use in the 2021 program. */
export function isEquivariant({ source }: Golden): boolean {
  return /egnn-pytorch|se3-transformer-pytorch|lie-transformer-pytorch|lucidrains\/alphafold2/.test(source);
}

/** The configuration with names in camelCase; what is null there is left out. */
export function camelConfig({ config }: Golden): Record<string, unknown> {
  const given = Object.entries(config).filter(([, value]) => value !== null);
  return Object.fromEntries(given.map(([name, value]) => [camelCase(name), value]));
}

/** Some keys of an object, those that it has. */
export function picked(from: Readonly<Record<string, unknown>>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => key in from).map((key) => [key, from[key]]));
}

/** Parameters of a case, each checked against its shape. */
export function goldenParams<P>(device: Device, golden: Golden, shapes: ParamShapes): P {
  checkParameterNames(golden, shapesByPath(shapes));
  return loadParams(device, shapes, (path, shape) => parameter(golden, path, shape)) as P;
}

/** An input of a case, where it has it. */
export function given(device: Device, golden: Golden, name: string, dtype: "f32" | "i32" = "f32"): Tensor | undefined {
  return golden.has(`in/${name}`) ? input(device, golden, name, dtype) : undefined;
}

/** Bonds of a case as the originals count them, where it has some. */
export function bondsOf(golden: Golden, degrees: number): Bonds | undefined {
  if (!golden.has("in/adj_mat")) return undefined;
  return squaredAdjacency(golden.data("in/adj_mat"), golden.shape("in/adj_mat")[0], degrees);
}
