import { type Box, type Picture, type Rgb, ticks } from "./picture.ts";

/** A frame with numbers at the left and below; `y` from the bottom to the top. */
export function axes(
  picture: Picture,
  box: Box,
  { x, y }: { readonly x: readonly [number, number]; readonly y: readonly [number, number] },
): void {
  picture.frame(box);
  const { left, top, width, height } = box;
  for (const value of ticks(x[0], x[1])) {
    const at = left + (value - x[0]) / (x[1] - x[0]) * width;
    picture.line([[at, top + height], [at, top + height + 5]]);
    picture.text(numberText(value), [at, top + height + 16]);
  }
  for (const value of ticks(Math.min(...y), Math.max(...y))) {
    const at = top + (y[1] - value) / (y[1] - y[0]) * height;
    picture.line([[left - 5, at], [left, at]]);
    picture.text(numberText(value), [left - 9, at], { anchor: "end" });
  }
}

/** A bar of colours with numbers at its right. */
export function scale(
  picture: Picture,
  box: Box,
  [from, to]: readonly [number, number],
  colour: (part: number) => Rgb,
): void {
  picture.fill(box, (_, y) => colour(1 - y));
  picture.frame(box);
  for (const value of ticks(from, to, 5)) {
    const at = box.top + (to - value) / (to - from) * box.height;
    picture.line([[box.left + box.width, at], [box.left + box.width + 4, at]]);
    picture.text(numberText(value), [box.left + box.width + 8, at], { anchor: "start" });
  }
}

function numberText(value: number): string {
  return String(Number(value.toFixed(6)));
}
