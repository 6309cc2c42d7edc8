/// <reference lib="dom" />

/** Colours of plots and of the 3-D view; told apart by people with any of the common kinds of colour blindness. */
export type Theme = {
  surface: string;
  ink: string;
  muted: string;
  grid: string;
  /** Where a map has no value. */
  missing: string;
  predicted: string;
  truth: string;
  train: string;
  validation: string;
  /** Colours of the baselines, in order. */
  baselines: string[];
  /** Small distances first. */
  sequential: [number, string][];
  /** Nothing first. */
  intensity: [number, string][];
  /** Too short, exact, too long. */
  diverging: [number, string][];
};

const LIGHT: Theme = {
  surface: "#ffffff",
  ink: "#1b2430",
  muted: "#5a6675",
  grid: "#e3e7ec",
  missing: "#c3cad2",
  predicted: "#d55e00",
  truth: "#0072b2",
  train: "#6a51a3",
  validation: "#00805e",
  baselines: ["#7a8694", "#009e73", "#a85c8f"],
  sequential: spread(["#fde725", "#7ad151", "#22a884", "#2a788e", "#414487", "#440154"]),
  intensity: spread(["#ffffff", "#dcebf7", "#a6cde8", "#5aa2d2", "#1f6db0", "#0b3c74"]),
  diverging: spread(["#08519c", "#4292c6", "#c6dbef", "#f7f7f7", "#fdd0a2", "#e6701b", "#8c2d04"]),
};

const DARK: Theme = {
  surface: "#171d25",
  ink: "#e6eaef",
  muted: "#9aa7b5",
  grid: "#2b343f",
  missing: "#5d6875",
  predicted: "#f0953f",
  truth: "#56b4e9",
  train: "#b3a2e8",
  validation: "#2fc79a",
  baselines: ["#93a1b0", "#2fc79a", "#d88cc0"],
  sequential: LIGHT.sequential,
  intensity: spread(["#171d25", "#17334f", "#1c5286", "#2f7fc1", "#79bdf0", "#e8f5ff"]),
  diverging: spread(["#9ecae1", "#4292c6", "#1f4e79", "#20262e", "#7a3d0c", "#e6701b", "#fdbe85"]),
};

const query = matchMedia("(prefers-color-scheme: dark)");

/** The theme that the reader's system asks for now. */
export function currentTheme(): Theme {
  return query.matches ? DARK : LIGHT;
}

/** Calls `listener` whenever the reader's system changes between light and dark. */
export function onThemeChange(listener: (theme: Theme) => void): void {
  query.addEventListener("change", () => listener(currentTheme()));
}

function spread(colors: string[]): [number, string][] {
  return colors.map((color, i) => [i / (colors.length - 1), color]);
}
