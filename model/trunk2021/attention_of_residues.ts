import type { Tensor } from "../../core/mod.ts";
import { mean, reshape, sum } from "../../ops/mod.ts";
import type { AttentionCapture, AttentionMap, AttentionSite } from "../layers/attention_capture.ts";

/**
 * The capture as a trunk sees it that looks at several atoms a residue, one behind the other: it is told of residues. A residue's
 * attention to another is the mean over its atoms of what each gives to all of the other's, so that it sums to 1 over residues;
 * rows of the grid of pairs are means over the atoms of a residue, too. Attention of the MSA, which has residues, stays as it is.
 *
 * @param atoms Atoms of a residue.
 */
export function attentionOfResidues(capture: AttentionCapture, atoms: number): AttentionCapture {
  const ofPairs = ({ kind }: AttentionSite) =>
    kind === "triangleAttentionStarting" || kind === "triangleAttentionEnding";
  const ofResidues = (site: AttentionSite): AttentionSite => {
    const [rows, queries, keys] = [site.rows, site.queries, site.keys].map((count) => count / atoms);
    return { ...site, rows, queries, keys };
  };
  return {
    select(site) {
      if (!ofPairs(site)) return capture.select(site);
      const selection = capture.select(ofResidues(site));
      const rows = selection?.rows?.flatMap((row) => Array.from({ length: atoms }, (_, atom) => atoms * row + atom));
      return selection && { ...selection, rows, together: atoms };
    },
    receive(map) {
      capture.receive(ofPairs(map.site) ? pooled(map, ofResidues(map.site), atoms) : map);
    },
  };
}

/** A map of atoms as one of residues. */
function pooled({ head, row, weights }: AttentionMap, site: AttentionSite, atoms: number): AttentionMap {
  const { batch, queries, keys } = site;
  const toResidues: Tensor = sum(reshape(weights, [weights.size / keys / atoms, keys, atoms]), { axes: [2] });
  if (row === "mean") {
    const ofQueries = reshape(toResidues, [batch, queries, atoms, keys]);
    return { site, head, row, weights: mean(ofQueries, { axes: [2] }) };
  }
  const rows = weights.shape[1] / atoms;
  const ofRowsAndQueries = reshape(toResidues, [batch, rows, atoms, queries, atoms, keys]);
  return { site, head, row: row / atoms, weights: mean(ofRowsAndQueries, { axes: [2, 4] }) };
}
