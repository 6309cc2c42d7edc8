import { type BindingType, type Kernel, kernel } from "../../../../core/mod.ts";
import { bondTermsProbes, bondTermsVjpProbes } from "./_probes.ts";
import { PEPTIDE_BOND } from "../../../protein/residue_geometry.ts";
import { ATOM14_SLOTS } from "../../../protein/residue_constants.ts";
import { RESIDUE_LETTERS } from "../../../protein/residues.ts";

const { length, cosCaCN, cosCNCa } = PEPTIDE_BOND;

const UNIFORMS = {
  n: "u32", // residues of all examples
  residues: "u32",
  chains: "u32", // whether chain ids are bound
  soft: "f32",
  hard: "f32",
  eps: "f32",
  cosCaCNStddev: "f32",
} as const;

const INPUTS = {
  positions: "read f32", // [n, 14, 3]
  aatype: "read i32", // [n]
} as const satisfies Record<string, BindingType>;

/**
 * WGSL of the junction between residue i and the next: C-N length, cos(CA-C-N), cos(C-N-CA), how far each is from what
 * it should be, and its standard deviation.
 */
const JUNCTION = `
fn place(residue: u32, slot: u32) -> vec3f {
  let at = 3u * (residue * ${ATOM14_SLOTS}u + slot);
  return vec3f(positions[at], positions[at + 1u], positions[at + 2u]);
}
struct Junction {
  a: vec3f, c: vec3f, b: vec3f, // units from C to CA, from C to N, from N to the next CA
  lengthA: f32, lengthC: f32, lengthB: f32,
  apart: vec3f, // bond length and cosines, less what they should be
  errors: vec3f,
  stddevs: vec3f,
}
fn junctionAt(i: u32) -> Junction {
  let c = place(i, 2u);
  let n = place(i + 1u, 0u);
  let toCa = place(i, 1u) - c;
  let toN = n - c;
  let toNextCa = place(i + 1u, 1u) - n;
  let lengths = sqrt(vec3f(dot(toCa, toCa), dot(toN, toN), dot(toNextCa, toNextCa)) + u.eps);
  let unitA = toCa / lengths.x;
  let unitC = toN / lengths.y;
  let unitB = toNextCa / lengths.z;
  let proline = aatype[i + 1u] == ${RESIDUE_LETTERS.indexOf("P")};
  let expected = select(${length.other.mean}, ${length.proline.mean}, proline);
  let stddev = select(${length.other.stddev}, ${length.proline.stddev}, proline);
  let apart = vec3f(
    lengths.y - expected,
    dot(unitA, unitC) - (${cosCaCN.mean}),
    -dot(unitC, unitB) - (${cosCNCa.mean}),
  );
  return Junction(
    unitA, unitC, unitB, lengths.x, lengths.y, lengths.z, apart, sqrt(apart * apart + u.eps),
    vec3f(stddev, u.cosCaCNStddev, ${cosCNCa.stddev}),
  );
}
fn hasNext(i: u32) -> bool { return i < u.n && i % u.residues + 1u < u.residues; }`;

/**
 * terms [9, n] of the junction of each residue and the next one, 0 after the last: how far bond and angles pass the soft
 * tolerance, what counts of them, what passes the hard tolerance and counts.
 */
export const bondTermsKernel: Kernel = kernel({
  name: "bondTerms",
  bindings: {
    ...INPUTS,
    exists: "read f32", // [n, 14]
    residueIndex: "read i32", // [n]
    asymId: "read i32", // [n], or anything where there are no chains
    terms: "write f32",
  },
  uniforms: UNIFORMS,
  declarations: JUNCTION,
  body: `
if (index < u.n) {
  var loss = vec3f(0.0);
  var counts = vec3f(0.0);
  var violates = vec3f(0.0);
  if (hasNext(index)) {
    let junction = junctionAt(index);
    loss = max(junction.errors - u.soft * junction.stddevs, vec3f(0.0));
    let next = index + 1u;
    let bonded = residueIndex[next] - residueIndex[index] == 1 && (u.chains == 0u || asymId[next] == asymId[index]);
    let ca = exists[${ATOM14_SLOTS}u * index + 1u];
    let bond = exists[${ATOM14_SLOTS}u * index + 2u] * exists[${ATOM14_SLOTS}u * next];
    counts = select(vec3f(0.0), bond * vec3f(1.0, ca, exists[${ATOM14_SLOTS}u * next + 1u]), bonded);
    violates = select(vec3f(0.0), counts, junction.errors > u.hard * junction.stddevs);
  }
  for (var k = 0u; k < 3u; k++) {
    terms[k * u.n + index] = loss[k];
    terms[(k + 3u) * u.n + index] = counts[k];
    terms[(k + 6u) * u.n + index] = violates[k];
  }
}`,
}, bondTermsProbes);

/** dPositions [n, 14, 3] from d [9, n], of which the first three rows have a gradient; it starts at zero. */
export const bondTermsVjpKernel: Kernel = kernel({
  name: "bondTerms.vjp",
  bindings: { ...INPUTS, d: "read f32", dPositions: "write f32" },
  uniforms: UNIFORMS,
  declarations: `${JUNCTION}
struct Slopes { ca: vec3f, c: vec3f, n: vec3f, nextCa: vec3f }
fn unitBack(unit: vec3f, size: f32, slope: vec3f) -> vec3f { return (slope - unit * dot(unit, slope)) / size; }
fn slopesAt(i: u32) -> Slopes {
  let j = junctionAt(i);
  let given = vec3f(d[i], d[u.n + i], d[2u * u.n + i]);
  let s = select(vec3f(0.0), given * j.apart / j.errors, j.errors > u.soft * j.stddevs);
  let a = unitBack(j.a, j.lengthA, s.y * j.c);
  let c = unitBack(j.c, j.lengthC, s.y * j.a - s.z * j.b) + s.x * j.c;
  let b = unitBack(j.b, j.lengthB, -s.z * j.c);
  return Slopes(a, -a - c, c - b, b);
}
fn put(residue: u32, slot: u32, v: vec3f) {
  let at = 3u * (residue * ${ATOM14_SLOTS}u + slot);
  dPositions[at] = v.x;
  dPositions[at + 1u] = v.y;
  dPositions[at + 2u] = v.z;
}`,
  body: `
if (index < u.n) {
  var own = Slopes();
  var before = Slopes();
  if (hasNext(index)) { own = slopesAt(index); }
  if (index % u.residues > 0u) { before = slopesAt(index - 1u); }
  put(index, 0u, before.n);
  put(index, 1u, own.ca + before.nextCa);
  put(index, 2u, own.c);
}`,
}, bondTermsVjpProbes);
