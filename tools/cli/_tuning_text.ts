import { MATMUL_CLASSES, type MeasuredTile, type Tuning } from "../../ops/mod.ts";
import { align } from "../profile/table.ts";

/** What was timed on an adapter and what is used from now on, as a table. */
export function tuningText(tuning: Tuning, measured: readonly MeasuredTile[]): string {
  const rows = MATMUL_CLASSES.flatMap((name) =>
    measured.filter(({ product }) => product === name).map(({ tile: { family, ...sizes }, ms, gflops }) => {
      const text = Object.entries(sizes).map(([size, value]) => `${size} ${value}`).join(", ");
      const used = JSON.stringify(tuning.matmul[name]) === JSON.stringify({ family, ...sizes });
      return [`${name} products`, text, ms.toFixed(3), gflops.toFixed(1), used ? "used" : ""];
    })
  );
  return align([["matrix products", "tile", "ms", "GFLOP/s", ""], ...rows]).join("\n");
}
