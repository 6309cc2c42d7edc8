/** Pictures of pixels with lines and letters, made without a browser. */
import { encodePng } from "./png.ts";
import { BASELINE, CAP_HEIGHT, glyphOf } from "./hershey_simplex.ts";

/** Red, green and blue, 0 to 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** A point in pixels, from the upper left corner. */
export type Point = readonly [x: number, y: number];

/** A rectangle in pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** How a text stands. */
export interface TextOptions {
  /** Height of capitals, pixels. @default 9 */
  readonly size?: number;
  /** Which part of the text stands at the point. @default "middle" */
  readonly anchor?: "start" | "middle" | "end";
  /** Whether it reads upwards. @default false */
  readonly upwards?: boolean;
}

export const BLACK: Rgb = [0, 0, 0];

/** A picture, white at first. */
export class Picture {
  readonly width: number;
  readonly height: number;
  readonly #rgba: Uint8Array;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.#rgba = new Uint8Array(4 * width * height).fill(255);
  }

  /** Fills a box by the colours that its pixels have, told their place in it from 0 to 1; null leaves one as it is. */
  fill({ left, top, width, height }: Box, colour: (x: number, y: number) => Rgb | null): void {
    for (let j = 0; j < height; j++) {
      for (let i = 0; i < width; i++) {
        const rgb = colour((i + 0.5) / width, (j + 0.5) / height);
        if (rgb) this.#blend(left + i, top + j, rgb, 1);
      }
    }
  }

  /** Draws lines from point to point, smooth at their edges. */
  line(points: readonly Point[], colour: Rgb = BLACK, width = 1): void {
    const reach = width / 2 + 1;
    const cover = new Map<number, number>(); // of each pixel the most that one line covers, so that joints do not darken
    for (let i = 0; i + 1 < points.length; i++) {
      const [[x0, y0], [x1, y1]] = [points[i], points[i + 1]];
      const [dx, dy] = [x1 - x0, y1 - y0];
      const squared = dx * dx + dy * dy;
      const [fromY, toY] = [Math.floor(Math.min(y0, y1) - reach), Math.ceil(Math.max(y0, y1) + reach)];
      const [fromX, toX] = [Math.floor(Math.min(x0, x1) - reach), Math.ceil(Math.max(x0, x1) + reach)];
      for (let y = Math.max(0, fromY); y <= Math.min(this.height - 1, toY); y++) {
        for (let x = Math.max(0, fromX); x <= Math.min(this.width - 1, toX); x++) {
          const [px, py] = [x + 0.5 - x0, y + 0.5 - y0];
          const t = squared > 0 ? Math.min(1, Math.max(0, (px * dx + py * dy) / squared)) : 0;
          const part = Math.min(1, width / 2 + 0.5 - Math.hypot(px - t * dx, py - t * dy));
          const at = y * this.width + x;
          if (part > (cover.get(at) ?? 0)) cover.set(at, part);
        }
      }
    }
    for (const [at, part] of cover) this.#blend(at % this.width, Math.floor(at / this.width), colour, part);
  }

  /** Draws the border of a box. */
  frame({ left, top, width, height }: Box): void {
    const [right, bottom] = [left + width - 0.5, top + height - 0.5];
    const corners: Point[] = [[left - 0.5, top - 0.5], [right, top - 0.5], [right, bottom], [left - 0.5, bottom]];
    this.line([...corners, corners[0]]);
  }

  /** Writes a text whose middle height is at a point. */
  text(text: string, [x, y]: Point, { size = 9, anchor = "middle", upwards = false }: TextOptions = {}): void {
    const scale = size / CAP_HEIGHT;
    const glyphs = Array.from(text, glyphOf);
    const whole = scale * glyphs.reduce((sum, { width }) => sum + width, 0);
    let along = anchor === "start" ? 0 : anchor === "end" ? -whole : -whole / 2;
    for (const { width, strokes } of glyphs) {
      for (const stroke of strokes) {
        const points = stroke.map(([gx, gy]): Point => {
          const [a, b] = [along + scale * gx, scale * (gy - BASELINE + CAP_HEIGHT / 2)];
          return upwards ? [x + b, y - a] : [x + a, y + b];
        });
        this.line(points, BLACK, Math.max(1, size / 9));
      }
      along += scale * width;
    }
  }

  /** The picture as a PNG file. */
  png(): Uint8Array<ArrayBuffer> {
    return encodePng(this.#rgba, this.width, this.height);
  }

  #blend(x: number, y: number, colour: Rgb, part: number): void {
    const at = 4 * (y * this.width + x);
    for (let c = 0; c < 3; c++) this.#rgba[at + c] += Math.round((colour[c] - this.#rgba[at + c]) * part);
  }
}

/** Even numbers of steps 1, 2 or 5 times a power of ten, at most about `most` of them. */
export function ticks(from: number, to: number, most = 6): number[] {
  const rough = (to - from) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough)!;
  const first = Math.ceil(from / step - 1e-9);
  return Array.from({ length: Math.floor(to / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}
