import { InvalidArgumentError, Option } from "commander";
import { ALL_FUSIONS, type Fusion, FUSIONS } from "../../ops/mod.ts";

/** The flag by which a command takes fusions apart; its value goes to `setFusions`. */
export function fusionOption(): Option {
  return new Option("--fusion <list>", `what is fused: all, none, or some of ${ALL_FUSIONS.join(",")}`)
    .argParser(parseFusions).default(ALL_FUSIONS, "all");
}

/** What each fusion is, for the help. */
export function fusionHelp(): string {
  const width = Math.max(...ALL_FUSIONS.map((name) => name.length));
  return ["Fusions (--fusion):", ...ALL_FUSIONS.map((name) => `  ${name.padEnd(width)}  ${FUSIONS[name]}`)].join("\n");
}

/** Parses a flag's value as a list of fusions. */
export function parseFusions(text: string): readonly Fusion[] {
  if (text === "all") return ALL_FUSIONS;
  if (text === "none") return [];
  return text.split(",").map((part) => {
    const found = ALL_FUSIONS.find((name) => name === part.trim());
    if (!found) throw new InvalidArgumentError(`Expected all, none, or some of ${ALL_FUSIONS.join(", ")}.`);
    return found;
  });
}

/** A list of fusions as the flag takes it. */
export function fusionText(fusions: readonly Fusion[]): string {
  if (fusions.length === 0) return "none";
  return ALL_FUSIONS.every((name) => fusions.includes(name)) ? "all" : fusions.join(",");
}
