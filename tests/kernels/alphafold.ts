/** The whole of AlphaFold 2 at its own widths, few blocks of it, there and back, on devices that compute nothing. */
import { type Device, Key, leaves, noGrad, pullback, type Tensor } from "../../core/mod.ts";
import { Optimizer } from "../../finetune/mod.ts";
import { expectedDistances } from "../../model/alphafold/heads/mod.ts";
import { alphafoldLoss, alphafoldLossConfig, type LossTruth } from "../../model/alphafold/losses/mod.ts";
import {
  alphafold,
  type AlphaFoldChoices,
  alphafoldConfig,
  type AlphaFoldFeatures,
  type AlphaFoldOptions,
  type AlphaFoldParams,
  confidence,
  distanceChange,
  initAlphaFold,
  lossOutputs,
  recycledOf,
} from "../../model/alphafold/mod.ts";
import { atom14ToAtom37 } from "../../model/alphafold/structure/mod.ts";

/** Numbers of examples, residues, rows, extra rows and templates. */
interface Sizes {
  readonly batch: number;
  readonly nRes: number;
  readonly nSeq: number;
  readonly nExtra: number;
  readonly nTemplates: number;
}

/** Few blocks: more have no other kernels. */
const FEW: AlphaFoldChoices = {
  ...{ evoformer: { nBlock: 1 }, extraMsa: { nBlock: 1 } },
  ...{ templates: { nBlock: 1 }, structure: { nBlock: 2 } },
};

/** Runs a first iteration, one that recycles it, its heads, a step of training, and what none of them differentiates. */
export function runAlphaFold(device: Device): void {
  run(device, FEW, { batch: 2, nRes: 13, nSeq: 5, nExtra: 7, nTemplates: 3 }, true);
  run(device, FEW, { batch: 1, nRes: 36, nSeq: 8, nExtra: 12, nTemplates: 0 }, false);
  pullBackNames(device);
  const ablations = { pointAttention: false, triangles: false, msa: false };
  run(device, { ...FEW, ablations, templates: { nBlock: 1, useUnitVector: true } }, {
    ...{ batch: 1, nRes: 13, nSeq: 5, nExtra: 7, nTemplates: 1 },
  }, true);
}

function run(device: Device, choices: AlphaFoldChoices, sizes: Sizes, masked: boolean): void {
  using scope = device.scope("alphafold");
  void scope;
  const config = alphafoldConfig("model_1_ptm", choices);
  const params = initAlphaFold(device, config, Key.fromSeed(1));
  const given = features(device, sizes, masked);
  const first = noGrad(device, () => {
    const outputs = alphafold(params, given, undefined, config, { msa: false, trajectory: false });
    confidence(params.auxHeads, outputs, given.seqMask);
    expectedDistances(params.auxHeads.distogram, outputs.z);
    distanceChange(outputs.positions, outputs.positions, given.seqMask);
    return outputs;
  });
  const recycled = recycledOf(first, given.aatype);
  const options: AlphaFoldOptions = { key: Key.fromSeed(1), recompute: masked ? "nested" : "nothing" };
  const { output, pullLeaves } = pullback(device, (params: AlphaFoldParams) => {
    const outputs = lossOutputs(params.auxHeads, alphafold(params, given, recycled, config, options));
    const terms = alphafoldLossConfig("finetuning", { tm: true });
    const nSeq = outputs.maskedMsaLogits.shape[1]; // one where the alignment is not read
    return alphafoldLoss(outputs, truth(device, { ...sizes, nSeq }, masked), terms, { report: true }).loss;
  }, params);
  const gradients = pullLeaves([device.empty([])]);
  for (const kind of ["adam", "adamw"] as const) {
    using optimizer = new Optimizer(device, params, { kind, maxNorm: 1 });
    optimizer.step(leaves<Tensor>(params), gradients, 1, masked ? output : undefined);
  }
}

/** Positions under 37 names are only read by scores that have no gradient. */
function pullBackNames(device: Device): void {
  using scope = device.scope("names");
  void scope;
  const [slots, exists] = [device.empty([2, 13, 37], "i32"), device.empty([2, 13, 37])];
  const positions = device.empty([2, 13, 14, 3]);
  pullback(device, (positions: Tensor) => atom14ToAtom37(positions, slots, exists), positions)
    .pullLeaves([device.empty([2, 13, 37, 3])]);
}

function features(
  device: Device,
  { batch, nRes, nSeq, nExtra, nTemplates }: Sizes,
  masked: boolean,
): AlphaFoldFeatures {
  const f32 = (...shape: number[]) => device.empty([batch, ...shape]);
  const i32 = (...shape: number[]) => device.empty([batch, ...shape], "i32");
  return {
    ...{ aatype: i32(nRes), residueIndex: i32(nRes), targetFeat: f32(nRes, 22), msaFeat: f32(nSeq, nRes, 49) },
    ...(masked && { seqMask: f32(nRes), msaMask: f32(nSeq, nRes) }),
    extraMsa: {
      extraMsa: i32(nExtra, nRes),
      ...{ extraHasDeletion: f32(nExtra, nRes), extraDeletionValue: f32(nExtra, nRes) },
      ...(masked && { mask: f32(nExtra, nRes) }),
    },
    ...(nTemplates > 0 && {
      templates: {
        ...{ mask: f32(nTemplates), aatype: i32(nTemplates, nRes) },
        ...{ allAtomPositions: f32(nTemplates, nRes, 37, 3), allAtomMask: f32(nTemplates, nRes, 37) },
        ...{ pseudoBeta: f32(nTemplates, nRes, 3), pseudoBetaMask: f32(nTemplates, nRes) },
        torsionAnglesSinCos: f32(nTemplates, nRes, 7, 2),
        altTorsionAnglesSinCos: f32(nTemplates, nRes, 7, 2),
        torsionAnglesMask: f32(nTemplates, nRes, 7),
      },
    }),
    ...{ residxAtom37ToAtom14: i32(nRes, 37), atom37AtomExists: f32(nRes, 37) },
  };
}

function truth(device: Device, { batch, nRes, nSeq }: Sizes, masked: boolean): LossTruth {
  const f32 = (...shape: number[]) => device.empty([batch, nRes, ...shape]);
  return {
    aatype: device.empty([batch, nRes], "i32"),
    residueIndex: device.empty([batch, nRes], "i32"),
    ...(masked && { asymId: device.empty([batch, nRes], "i32") }),
    ...{ seqMask: f32(), chiAnglesSinCos: f32(4, 2), chiMask: f32(4) },
    backbone: { frames: f32(3, 4), mask: f32() },
    atoms: {
      ...{ positions: f32(14, 3), altPositions: f32(14, 3) },
      ...{ exists: f32(14), altExists: f32(14), ambiguous: f32(14) },
    },
    rigidGroups: { frames: f32(8, 3, 4), altFrames: f32(8, 3, 4), exists: f32(8) },
    ...{ allAtomPositions: f32(37, 3), allAtomMask: f32(37), atom14Exists: f32(14), atom37Exists: f32(37) },
    ...{ pseudoBeta: f32(3), pseudoBetaMask: f32() },
    trueMsa: device.empty([batch, nSeq, nRes], "i32"),
    bertMask: device.empty([batch, nSeq, nRes]),
    ...{ resolution: device.empty([batch]), seqLength: device.empty([batch]) },
    ...(masked && { useClampedFape: device.empty([batch]) }),
  };
}
