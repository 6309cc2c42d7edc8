/** Tables of an adapter's kernels: which are right, and what timing them gave. */
import { DECISIONS, type MeasuredWay, type Tuning } from "../../ops/mod.ts";
import type { CheckedPath, KernelCheck } from "../platform/kernel_check.ts";
import { wayText } from "../platform/kernel_text.ts";
import { align } from "../profile/table.ts";

/** What was timed on an adapter and what is used from now on, as a table. */
export function tuningText(tuning: Tuning, measured: readonly MeasuredWay[]): string {
  const used = (decision: MeasuredWay["decision"]) =>
    decision === "large" || decision === "small" || decision === "long" ? tuning.matmul[decision] : tuning[decision];
  const rows = DECISIONS.flatMap((decision) =>
    measured.filter((row) => row.decision === decision).map(({ way, ms }) => [
      ["large", "small", "long"].includes(decision) ? `${decision} products` : decision,
      ...[wayText(way), ms.toFixed(3), wayText(used(decision)) === wayText(way) ? "used" : ""],
    ])
  );
  return align([["kernels", "way", "ms", ""], ...rows]).join("\n");
}

/** Every version of every op, and what is wrong. */
export function checkText({ rows, leftOut, timeMs }: KernelCheck): string {
  const state = ({ status, largestError }: CheckedPath) =>
    status === "ok"
      ? `ok ${largestError.toExponential(0)}`
      : status === "wrong"
      ? "WRONG"
      : status === "same"
      ? ""
      : status;
  const table = rows.map((
    { op, pass, family, textures, buffers },
  ) => [op, pass, family, `${Math.max(textures.kernels, buffers.kernels)}`, state(textures), state(buffers)]);
  const lines = align([["op", "pass", "version", "kernels", "from textures", "from buffers"], ...table]);
  const wrong = rows.flatMap(({ op, textures, buffers }) =>
    ([["textures", textures], ["buffers", buffers]] as const).flatMap(([loads, { wrong }]) =>
      wrong.map((what) => `- ${op}, from ${loads}: ${what}`)
    )
  );
  const kernels = rows.reduce((sum, { textures, buffers }) => sum + textures.kernels + buffers.kernels, 0);
  const end = `${kernels} kernels against float64 in ${
    (timeMs / 1000).toFixed(0)
  } s; errors as a share of the largest number.`;
  const more =
    `${leftOut} further ones would have taken longer than a minute and were left out. What the driver has compiled it ` +
    "keeps: run it again for more of them.";
  return [
    ...lines,
    "",
    end,
    ...(leftOut > 0 ? [more] : []),
    ...(wrong.length ? ["", "Wrong, and not used:", ...wrong] : []),
  ].join("\n");
}
