/// <reference lib="dom" />
import { Canvas3D, Canvas3DContext, DefaultCanvas3DParams } from "molstar/lib/mol-canvas3d/canvas3d.js";
import { resizeCanvas } from "molstar/lib/mol-canvas3d/util.js";
import { StructureElement, StructureProperties } from "molstar/lib/mol-model/structure.js";
import type { Representation } from "molstar/lib/mol-repr/representation.js";
import { PuttyRepresentationProvider } from "molstar/lib/mol-repr/structure/representation/putty.js";
import { ColorTheme } from "molstar/lib/mol-theme/color.js";
import { UniformColorTheme } from "molstar/lib/mol-theme/color/uniform.js";
import { SizeTheme } from "molstar/lib/mol-theme/size.js";
import { UniformSizeTheme } from "molstar/lib/mol-theme/size/uniform.js";
import { AssetManager } from "molstar/lib/mol-util/assets.js";
import { Color } from "molstar/lib/mol-util/color/index.js";
import { MarkerAction } from "molstar/lib/mol-util/marker-action.js";
import type { Theme } from "./theme.ts";
import { bestViewpoint, extentFrom, type Trace } from "./trace.ts";

/** Radius of a trace in Å. */
const TUBE_RADIUS = 0.36;

/** Space around the traces in Å. */
const MARGIN = 2;

/** Ambient occlusion costs much on software drivers and tells little about two tubes. */
const POSTPROCESSING = {
  ...DefaultCanvas3DParams.postprocessing,
  occlusion: { name: "off" as const, params: {} },
};

type Tube = ReturnType<typeof PuttyRepresentationProvider.factory>;

/** The superposed traces as tubes in a Mol* canvas. */
export class TraceView {
  readonly #container: HTMLElement;
  readonly #context: Canvas3DContext;
  readonly #canvas3d: Canvas3D;
  readonly #resizes: ResizeObserver;
  readonly #canvas: HTMLCanvasElement;
  #tubes: { trace: Trace; tube: Tube }[] = [];
  #marked: Representation.Loci | undefined;
  #run = 0;

  /**
   * @param container Box that the canvas fills.
   * @param onHover Told what lies under the pointer, `undefined` for nothing.
   * @throws {Error} If the browser has no WebGL.
   */
  constructor(container: HTMLElement, theme: Theme, onHover: (label: string | undefined) => void) {
    this.#container = container;
    const canvas = this.#canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Superposed Cα traces of the predicted and the true structure");
    container.append(canvas);
    try {
      this.#context = Canvas3DContext.fromCanvas(canvas, new AssetManager(), { powerPreference: "default" });
    } catch (error) {
      canvas.remove();
      throw error;
    }
    this.#canvas3d = Canvas3D.create(this.#context, {
      renderer: { ...DefaultCanvas3DParams.renderer, backgroundColor: colorOf(theme.surface) },
      postprocessing: POSTPROCESSING,
      camera: { ...DefaultCanvas3DParams.camera, helper: { axes: { name: "off", params: {} } } },
      cameraClipping: { radius: 0, far: false, minNear: 1 },
      cameraFog: { name: "on", params: { intensity: 20 } },
      cameraResetDurationMs: 300,
    });
    this.#resize();
    this.#resizes = new ResizeObserver(() => this.#resize());
    this.#resizes.observe(container);
    this.#canvas3d.interaction.hover.subscribe(({ current }) => this.#hover(current, onHover));
    this.#canvas3d.animate();
  }

  /** Draws the traces, in place of others, seen from the best viewpoint. */
  async show(traces: Trace[], theme: Theme): Promise<void> {
    const run = ++this.#run;
    const tubes = traces.map((trace) => ({ trace, tube: makeTube(this.#canvas3d) }));
    for (const { trace, tube } of tubes) await paint(tube, trace, theme);
    // Another call came in between: its traces are the ones to show.
    if (run !== this.#run) return tubes.forEach(({ tube }) => tube.destroy());
    this.#clear();
    this.#tubes = tubes;
    for (const { tube } of tubes) this.#canvas3d.add(tube);
    this.#canvas3d.commit(true);
    this.reset(0);
  }

  /** Shows or hides one trace. */
  setVisible(kind: Trace["kind"], visible: boolean): void {
    for (const { trace, tube } of this.#tubes) {
      if (trace.kind === kind) tube.setState({ visible, pickable: visible });
    }
    this.#canvas3d.syncVisibility();
  }

  /** Changes to the colours of another theme. */
  async setTheme(theme: Theme): Promise<void> {
    this.#canvas3d.setProps({ renderer: { backgroundColor: colorOf(theme.surface) } });
    for (const { trace, tube } of this.#tubes) {
      await paint(tube, trace, theme);
      this.#canvas3d.update(tube);
    }
    this.#canvas3d.requestDraw();
  }

  /** Goes back to the best viewpoint within so many milliseconds. */
  reset(durationMs = 300): void {
    const traces = this.#tubes.map(({ trace }) => trace);
    if (traces.length === 0) return;
    const viewpoint = bestViewpoint(traces);
    const { camera, boundingSphere } = this.#canvas3d;
    const { width, height } = extentFrom(viewpoint, traces);
    const aspect = this.#container.clientWidth / this.#container.clientHeight;
    // The camera fits a circle of this radius into the shorter side of the canvas.
    const fitted = aspect > 1 ? Math.max(height, width / aspect) / 2 : Math.max(height * aspect, width) / 2;
    const { center, up, direction } = viewpoint;
    const snapshot = camera.getInvariantFocus(center, fitted + MARGIN, up, direction);
    this.#canvas3d.requestCameraReset({ durationMs, snapshot: { ...snapshot, radius: boundingSphere.radius } });
  }

  #clear(): void {
    for (const { tube } of this.#tubes) {
      this.#canvas3d.remove(tube);
      tube.destroy();
    }
    this.#tubes = [];
  }

  #resize(): void {
    resizeCanvas(this.#canvas, this.#container, this.#context.pixelScale);
    this.#context.syncPixelScale();
    this.#canvas3d.requestResize();
  }

  #hover(current: Representation.Loci, onHover: (label: string | undefined) => void): void {
    const { loci } = current;
    const owner = this.#tubes.find(({ tube }) => tube === current.repr);
    if (this.#marked) this.#canvas3d.mark(this.#marked, MarkerAction.RemoveHighlight);
    this.#marked = undefined;
    if (!owner || !StructureElement.Loci.is(loci)) return onHover(undefined);
    const location = StructureElement.Loci.getFirstLocation(loci);
    if (!location) return onHover(undefined);
    this.#marked = current;
    this.#canvas3d.mark(current, MarkerAction.Highlight);
    const name = StructureProperties.atom.label_comp_id(location);
    onHover(`${owner.trace.label}: ${name} ${StructureProperties.residue.auth_seq_id(location)}`);
  }
}

function makeTube(canvas3d: Canvas3D): Tube {
  const context = {
    webgl: canvas3d.webgl,
    colorThemeRegistry: ColorTheme.createRegistry(),
    sizeThemeRegistry: SizeTheme.createRegistry(),
  };
  return PuttyRepresentationProvider.factory(context, PuttyRepresentationProvider.getParams);
}

async function paint(tube: Tube, trace: Trace, theme: Theme): Promise<void> {
  const value = colorOf(trace.kind === "predicted" ? theme.predicted : theme.truth);
  tube.setTheme({
    color: UniformColorTheme({ structure: trace.structure }, { value, saturation: 0, lightness: 0 }),
    size: UniformSizeTheme({ structure: trace.structure }, { value: TUBE_RADIUS }),
  });
  const params = { ...PuttyRepresentationProvider.defaultValues, sizeFactor: 1, quality: "high" as const };
  await tube.createOrUpdate(params, trace.structure).run();
}

function colorOf(css: string): Color {
  return Color.fromHexStyle(css);
}
