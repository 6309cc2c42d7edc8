/**
 * How far coordinates are from the truth: superposition and the usual measures of a predicted structure, in float64 on
 * the CPU.
 *
 * @module
 */
export { type AllAtomLddt, allAtomLddt, type AtomsOfResidues } from "./all_atom_lddt.ts";
export { dihedral } from "./dihedral.ts";
export { type ChainRange, type ComplexAtoms, type DockQ, dockQ } from "./dockq.ts";
export { type BackboneAtoms, backboneFape, type BackboneFapeOptions } from "./fape.ts";
export { gdt, GDT_HA_CUTOFFS, GDT_TS_CUTOFFS, gdtHa, type GdtOptions, type GdtSuperposition, gdtTs } from "./gdt.ts";
export { applyMotion, kabsch, type RigidMotion, type Superposition } from "./kabsch.ts";
export { lddt, type LddtOptions, type LddtResult } from "./lddt.ts";
export { pairwiseDistances, type Points, type PointSelection } from "./points.ts";
export { rmsd, rmsdPerCoordinate } from "./rmsd.ts";
export { structureViolations, type ViolationInput, type Violations } from "./violations.ts";
export { tmD0, tmD0Unbounded, tmScore, tmScoreAsPlaced, type TmScoreOptions, type TmScoreResult } from "./tm_score.ts";
