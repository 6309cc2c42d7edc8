/** A small AlphaFold with random parameters and features. */
import { type Device, Key, leaves, type Shape, sizeOf, type Tensor } from "../../../core/mod.ts";
import {
  type AlphaFoldChoices,
  type AlphaFoldConfig,
  alphafoldConfig,
  type AlphaFoldFeatures,
  type AlphaFoldParams,
  initAlphaFold,
} from "../../../model/alphafold/mod.ts";
import { randomArray } from "../../_gpu.ts";

const STACK = {
  ...{ cHiddenMsaAtt: 4, cHiddenOpm: 4, cHiddenMul: 8, cHiddenPairAtt: 4, nHeadMsa: 2, nHeadPair: 2, transitionN: 2 },
};

/** Sizes that differ pairwise where they can. */
export const SMALL_SIZES: AlphaFoldChoices = {
  ...{ cM: 16, cZ: 12, cS: 20, cExtra: 8 },
  templates: {
    ...{ cT: 8, cHiddenTriAtt: 4, nHead: 2, cHiddenTriMul: 8, nBlock: 1, cHiddenPointwise: 4, nHeadPointwise: 2 },
  },
  extraMsa: { ...STACK, nBlock: 1 },
  evoformer: { ...STACK, nBlock: 2 },
  structure: { cIpa: 4, cResnet: 8, nHeadIpa: 2, nQkPoints: 2, nVPoints: 3, nBlock: 2 },
  heads: { plddtHidden: 8 },
};

/** The small network. */
export function smallConfig(choices: AlphaFoldChoices = {}): AlphaFoldConfig {
  return alphafoldConfig("model_1_ptm", { ...SMALL_SIZES, ...choices });
}

/** Random parameters, none of them zero. */
export function randomParams(device: Device, config: AlphaFoldConfig): AlphaFoldParams {
  const params = initAlphaFold(device, config, Key.fromSeed(1));
  for (const [i, tensor] of leaves<Tensor>(params).entries()) {
    const scale = tensor.shape.length > 1 ? 1.2 / Math.sqrt(tensor.shape[1]) : 0.2;
    const shift = tensor.shape.length > 1 ? 0 : 0.5;
    device.write(tensor, randomArray(tensor.size, i + 1).map((x) => scale * x + shift));
  }
  return params;
}

/** Sizes of features. */
export interface FeatureSizes {
  readonly batch?: number;
  readonly nSeq?: number;
  readonly nExtra?: number;
  readonly nRes?: number;
  readonly T?: number;
  readonly seed?: number;
}

/** Numbers of features, and their shapes, by our names. */
export type FeatureArrays = Record<
  string,
  { readonly shape: Shape; readonly data: Float32Array; readonly whole: boolean }
>;

/** Random features; masks are all ones. */
export function featureArrays(
  { batch = 1, nSeq = 4, nExtra = 5, nRes = 7, T = 2, seed = 1 }: FeatureSizes,
): FeatureArrays {
  let next = 100 * seed;
  const arrays: FeatureArrays = {};
  const put = (name: string, shape: number[], of?: (i: number) => number) => {
    const size = sizeOf(shape);
    const whole = /aatype|[iI]ndex|^extraMsa$|ToAtom14|Id$/.test(name);
    arrays[name] = {
      shape,
      data: of ? Float32Array.from({ length: size }, (_, i) => of(i)) : randomArray(size, next++),
      whole,
    };
  };
  const letter = (classes: number) => (i: number) => (7 * i + 3 * seed + (i >> 2)) % classes;
  put("aatype", [batch, nRes], letter(20));
  put("residueIndex", [batch, nRes], (i) => (i % nRes) * (1 + (i % nRes > 3 ? 9 : 0)));
  put("targetFeat", [batch, nRes, 22]);
  put("seqMask", [batch, nRes], () => 1);
  put("msaFeat", [batch, nSeq, nRes, 49]);
  put("msaMask", [batch, nSeq, nRes], () => 1);
  put("extraMsa", [batch, nExtra, nRes], letter(23));
  put("extraHasDeletion", [batch, nExtra, nRes], (i) => i % 3 ? 0 : 1);
  put("extraDeletionValue", [batch, nExtra, nRes]);
  put("extraMask", [batch, nExtra, nRes], () => 1);
  put("residxAtom37ToAtom14", [batch, nRes, 37], (i) => i % 37 < 5 ? i % 37 : 0);
  put("atom37AtomExists", [batch, nRes, 37], (i) => i % 37 < 5 ? 1 : 0);
  put("templates.mask", [batch, T], () => 1);
  put("templates.aatype", [batch, T, nRes], letter(22));
  put("templates.allAtomPositions", [batch, T, nRes, 37, 3]);
  put("templates.allAtomMask", [batch, T, nRes, 37], (i) => i % 201 === 1 ? 0 : 1);
  put("templates.pseudoBeta", [batch, T, nRes, 3]);
  arrays["templates.pseudoBeta"].data.forEach((x, i, data) => data[i] = 15 * x);
  put("templates.pseudoBetaMask", [batch, T, nRes], (i) => i % 5 === 3 ? 0 : 1);
  put("templates.torsionAnglesSinCos", [batch, T, nRes, 7, 2]);
  put("templates.altTorsionAnglesSinCos", [batch, T, nRes, 7, 2]);
  put("templates.torsionAnglesMask", [batch, T, nRes, 7], (i) => i % 4 ? 1 : 0);
  return arrays;
}

/** One sample of a batch. */
export function sampleOf(arrays: FeatureArrays, sample: number): FeatureArrays {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, { shape, data, whole }]) => {
      const size = data.length / shape[0];
      return [name, { shape: shape.with(0, 1), data: data.slice(sample * size, (sample + 1) * size), whole }];
    }),
  );
}

/** Features on the device; a network without templates gets none. */
export function onDevice(device: Device, arrays: FeatureArrays, templates = true): AlphaFoldFeatures {
  const tensor = (name: string) => {
    const { shape, data, whole } = arrays[name];
    return device.tensor(data, shape, whole ? "i32" : "f32");
  };
  const own = Object.keys(arrays).filter((name) => name.startsWith("templates."));
  const plain = ["aatype", "residueIndex", "targetFeat", "seqMask", "msaFeat", "msaMask"];
  return {
    ...Object.fromEntries([...plain, "residxAtom37ToAtom14", "atom37AtomExists"].map((name) => [name, tensor(name)])),
    extraMsa: {
      extraMsa: tensor("extraMsa"),
      extraHasDeletion: tensor("extraHasDeletion"),
      extraDeletionValue: tensor("extraDeletionValue"),
      mask: tensor("extraMask"),
    },
    ...(templates && {
      templates: Object.fromEntries(own.map((name) => [name.slice("templates.".length), tensor(name)])),
    }),
  } as AlphaFoldFeatures;
}
