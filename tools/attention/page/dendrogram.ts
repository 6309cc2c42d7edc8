import type { TreeData } from "../attention_data.ts";

/**
 * Lines of a tree whose leaves lie at 0, 1, 2, … from top to bottom: for each merge a bracket of four points, then a gap.
 *
 * @returns Heights and places of the points.
 */
export function dendrogramLines({ order, merges }: TreeData): { height: (number | null)[]; place: (number | null)[] } {
  const n = order.length;
  const places: number[] = [];
  order.forEach((leaf, place) => places[leaf] = place);
  const heights: number[] = new Array(n).fill(0);
  const lines: { height: (number | null)[]; place: (number | null)[] } = { height: [], place: [] };
  merges.forEach(([a, b, height], i) => {
    lines.height.push(heights[a], height, height, heights[b], null);
    lines.place.push(places[a], places[a], places[b], places[b], null);
    places[n + i] = (places[a] + places[b]) / 2;
    heights[n + i] = height;
  });
  return lines;
}
