/// <reference lib="dom" />
import { h, section } from "../../report/page/dom.ts";
import type { PlotSection } from "../../report/page/plots.ts";
import { currentTheme, type Theme } from "../../report/page/theme.ts";
import type { KindData } from "../attention_data.ts";
import { chooser, Overview, slider, switcher } from "./controls.ts";
import { Maps, rangeOf, type SquareMap } from "./maps.ts";

/** More pictures than this are no overview. */
const PICTURES = 120;

/** A map of attention to be drawn. */
export interface AttentionDrawing {
  readonly map: SquareMap;
  /** Values of the first and the last colour. */
  readonly limits: [number, number];
  /** The kind it is of. */
  readonly kind: KindData;
}

/** What differs between sections. */
export interface KindSectionOptions {
  readonly id: string;
  readonly heading: string;
  readonly lead: string;
  /** The kinds, with a name for each where there are several. */
  readonly kinds: readonly { readonly kind: KindData; readonly name: string }[];
  /** Numbers of the blocks. */
  readonly blocks: readonly number[];
  /** What a row is: "residue", "sequence". */
  readonly rowName: string;
  /** Caption of the mean over rows. */
  readonly meanCaption: string;
  /** Names of rows. */
  rowLabel(row: number): string;
  /** Caption of a single row's map. */
  sliceCaption(row: number, kind: KindData): string;
  /** Draws a map. */
  draw(element: HTMLElement, drawing: AttentionDrawing, theme: Theme): void;
  /** Figures that stand beside the maps. */
  readonly beside?: { readonly figure: HTMLElement; draw(theme: Theme): void; readonly plots: readonly HTMLElement[] };
  /** Order of rows and columns in small pictures. @default as they are */
  readonly order?: readonly number[];
  /** Whether colours begin at 0. */
  fromZero(): boolean;
}

/** Maps of one kind of attention (or two), with what chooses among them. */
export function kindSection(options: KindSectionOptions): PlotSection {
  const { id, kinds, blocks, beside } = options;
  const all = kinds.map(({ kind }) => new Maps(kind));
  const { heads } = all[0];
  const { rows } = kinds[0].kind;
  const state = { kind: 0, block: 0, head: 0, row: middle(rows.length) };
  const layerNames = blocks.map((block) => `layer ${block}`);
  const headNames = heads.map((head) => head === "mean" ? "mean of heads" : `head ${head}`);

  const meanPlot = h("div", { class: "plot map", id: `${id}-mean` });
  const slicePlot = h("div", { class: "plot map", id: `${id}-slice` });
  const sliceCaption = h("figcaption", {});
  const drawMap = (element: HTMLElement, map: SquareMap, theme: Theme) => {
    const [low, high] = rangeOf(map);
    const from = options.fromZero() || low === high ? 0 : low;
    options.draw(element, { map, limits: [from, high], kind: kinds[state.kind].kind }, theme);
  };
  const drawMean = (theme: Theme) => drawMap(meanPlot, all[state.kind].mean(state.block, heads[state.head]), theme);
  const drawSlice = (theme: Theme) => {
    if (rows.length === 0) return;
    sliceCaption.textContent = options.sliceCaption(rows[state.row], kinds[state.kind].kind);
    drawMap(slicePlot, all[state.kind].slice(state.block, state.row, heads[state.head]), theme);
  };

  const overview = blocks.length * heads.length <= PICTURES
    ? new Overview(layerNames, headNames.map((name) => name.replace(" of heads", "")), (block, head) => {
      Object.assign(state, { block, head });
      layer.set(block);
      headChooser.set(head);
      redraw();
    })
    : undefined;
  const drawOverview = (theme: Theme) =>
    overview?.draw(
      (block, head) => arranged(all[state.kind].mean(block, heads[head]), options.order),
      options.fromZero(),
      theme,
    );
  const redraw = () => {
    overview?.mark(state.block, state.head);
    drawMean(currentTheme());
    drawSlice(currentTheme());
  };
  const layer = chooser("Layer", blocks.map(String), (block) => {
    state.block = block;
    redraw();
  });
  const headChooser = chooser("Head", heads.map(String), (head) => {
    state.head = head;
    redraw();
  });
  const controls: HTMLElement[] = [layer.element, headChooser.element];
  if (rows.length > 1) {
    controls.push(slider(capital(options.rowName), rows.map(options.rowLabel), state.row, (row) => {
      state.row = row;
      drawSlice(currentTheme());
    }));
  }
  if (kinds.length > 1) {
    controls.unshift(switcher("Kind", kinds.map(({ name }) => name), (kind) => {
      state.kind = kind;
      drawOverview(currentTheme());
      redraw();
    }));
  }
  const figures = [h("figure", {}, h("figcaption", {}, options.meanCaption), meanPlot)];
  if (rows.length > 0) figures.push(h("figure", {}, sliceCaption, slicePlot));
  if (beside) figures.push(beside.figure);
  const element = section(
    id,
    options.heading,
    options.lead,
    h(
      "div",
      { class: "choose" },
      h("div", { class: "controls" }, ...controls),
      overview &&
        h(
          "figure",
          { class: "all" },
          h("figcaption", {}, `All layers and heads, mean over ${options.rowName}s; choose one to see it large`),
          overview.element,
        ),
    ),
    h("div", { class: "maps" }, ...figures),
  );
  return {
    element,
    plots: [meanPlot, slicePlot, ...beside?.plots ?? []],
    draw(theme) {
      overview?.mark(state.block, state.head);
      drawOverview(theme);
      drawMean(theme);
      drawSlice(theme);
      beside?.draw(theme);
    },
  };
}

function arranged(map: SquareMap, order: readonly number[] | undefined): SquareMap {
  return order ? order.map((row) => order.map((column) => map[row][column])) : map;
}

function middle(count: number): number {
  return Math.floor(count / 2);
}

function capital(text: string): string {
  return text[0].toUpperCase() + text.slice(1);
}
