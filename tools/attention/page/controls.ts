/// <reference lib="dom" />
import { h } from "../../report/page/dom.ts";
import type { Theme } from "../../report/page/theme.ts";
import type { SquareMap } from "./maps.ts";
import { rangeOf } from "./maps.ts";

/** A labelled list to choose from. */
export function chooser(
  label: string,
  options: readonly string[],
  change: (index: number) => void,
): { element: HTMLElement; set(index: number): void } {
  const select = h(
    "select",
    { "aria-label": label },
    ...options.map((text, i) => h("option", { value: String(i) }, text)),
  );
  select.addEventListener("change", () => change(select.selectedIndex));
  return {
    element: h("label", { class: "choice" }, label, select),
    set: (index) => select.selectedIndex = index,
  };
}

/** A labelled slider over the numbers 0 … `names.length` − 1; the name of the number stands beside it. */
export function slider(
  label: string,
  names: readonly string[],
  start: number,
  change: (index: number) => void,
): HTMLElement {
  const output = h("output", {}, names[start]);
  const input = h("input", {
    ...{ type: "range", min: "0", max: String(names.length - 1), step: "1", value: String(start) },
    "aria-valuetext": names[start],
  });
  input.addEventListener("input", () => {
    const index = Number(input.value);
    output.textContent = names[index];
    input.setAttribute("aria-valuetext", names[index]);
    change(index);
  });
  if (names.length < 2) input.hidden = true;
  return h("label", { class: "choice slider" }, label, input, output);
}

/** Buttons of which one is pressed. */
export function switcher(
  label: string,
  options: readonly string[],
  change: (index: number) => void,
): HTMLElement {
  const buttons = options.map((text, i) => {
    const button = h("button", { type: "button", "aria-pressed": String(i === 0) }, text);
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      change(i);
    });
    return button;
  });
  return h("div", { class: "switcher", role: "group", "aria-label": label }, ...buttons);
}

const CELL = 56;

/** Small pictures of all blocks (down) and heads (across); a click chooses one. */
export class Overview {
  /** Table of pictures. */
  readonly element: HTMLElement;
  readonly #pictures: { block: number; head: number; button: HTMLButtonElement; canvas: HTMLCanvasElement }[] = [];

  constructor(
    blocks: readonly string[],
    heads: readonly string[],
    choose: (block: number, head: number) => void,
  ) {
    const row = (block: number) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, blocks[block]),
        ...heads.map((name, head) => {
          const canvas = h("canvas", { width: String(CELL), height: String(CELL) });
          const button = h("button", { type: "button", "aria-label": `${blocks[block]}, ${name}` }, canvas);
          button.addEventListener("click", () => choose(block, head));
          this.#pictures.push({ block, head, button, canvas });
          return h("td", {}, button);
        }),
      );
    const head = h("tr", {}, h("td", {}), ...heads.map((name) => h("th", { scope: "col" }, name)));
    const table = h(
      "table",
      { class: "overview" },
      h("thead", {}, head),
      h("tbody", {}, ...blocks.map((_, i) => row(i))),
    );
    this.element = h("div", { class: "overview-box", tabindex: "0", role: "region", "aria-label": "All heads" }, table);
  }

  /** Draws the pictures, each in colours from 0 (or its smallest value) to its largest. */
  draw(map: (block: number, head: number) => SquareMap, fromZero: boolean, theme: Theme): void {
    for (const { block, head, canvas } of this.#pictures) paint(canvas, map(block, head), fromZero, theme);
  }

  /** Marks the picture that is shown large. */
  mark(block: number, head: number): void {
    for (const picture of this.#pictures) {
      picture.button.setAttribute("aria-pressed", String(picture.block === block && picture.head === head));
    }
  }
}

function paint(canvas: HTMLCanvasElement, map: SquareMap, fromZero: boolean, theme: Theme): void {
  const n = map.length;
  canvas.width = canvas.height = n;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(n, n);
  const [low, high] = rangeOf(map);
  const from = fromZero ? 0 : low;
  const stops = theme.intensity.map(([at, color]) => ({
    at,
    rgb: [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16)),
  }));
  map.flat().forEach((value, at) => {
    const share = high > from ? (value - from) / (high - from) : 0;
    const next = Math.max(1, stops.findIndex((stop) => share <= stop.at));
    const [a, b] = [stops[next - 1], stops[next]];
    const t = (share - a.at) / (b.at - a.at);
    for (let c = 0; c < 3; c++) image.data[4 * at + c] = a.rgb[c] + (b.rgb[c] - a.rgb[c]) * t;
    image.data[4 * at + 3] = 255;
  });
  context.putImageData(image, 0, 0);
}
