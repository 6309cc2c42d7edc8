/// <reference lib="dom" />
import { OrderedSet } from "molstar/lib/mol-data/int.js";
import { Canvas3D, Canvas3DContext, DefaultCanvas3DParams } from "molstar/lib/mol-canvas3d/canvas3d.js";
import { resizeCanvas } from "molstar/lib/mol-canvas3d/util.js";
import { CIF } from "molstar/lib/mol-io/reader/cif.js";
import { EmptyLoci } from "molstar/lib/mol-model/loci.js";
import { trajectoryFromMmCIF } from "molstar/lib/mol-model-formats/structure/mmcif.js";
import { SecondaryStructureProvider } from "molstar/lib/mol-model-props/computed/secondary-structure.js";
import { Bond, Structure, StructureElement, Unit } from "molstar/lib/mol-model/structure.js";
import { CartoonRepresentationProvider } from "molstar/lib/mol-repr/structure/representation/cartoon.js";
import { PuttyRepresentationProvider } from "molstar/lib/mol-repr/structure/representation/putty.js";
import { SyncRuntimeContext } from "molstar/lib/mol-task/execution/synchronous.js";
import { ColorTheme, type LocationColor } from "molstar/lib/mol-theme/color.js";
import { SizeTheme } from "molstar/lib/mol-theme/size.js";
import { UniformSizeTheme } from "molstar/lib/mol-theme/size/uniform.js";
import { AssetManager } from "molstar/lib/mol-util/assets.js";
import { Color } from "molstar/lib/mol-util/color/index.js";
import { MarkerAction } from "molstar/lib/mol-util/marker-action.js";
import type { Theme } from "../../report/page/theme.ts";
import { bestViewpoint, extentFrom } from "../../report/page/trace.ts";

const MARGIN = 3;
const TUBE_RADIUS = 0.4;
/** Of the experimental structure. */
const GREY = "#9a9a9a";

/** A structure to draw. */
export type Drawn = {
  /** mmCIF text. */
  cif: string;
  /** Colour of a residue, from 0. */
  colorOf: (residue: number) => string;
  /** Names of the chains that are drawn. @default all */
  chains?: ReadonlySet<string>;
  /** Whether it has all atoms (a cartoon) or Cα alone (a tube). */
  cartoon: boolean;
  /** The experimental structure laid on it, mmCIF text, drawn grey; null for none. */
  experiment?: string | null;
};

type Shape =
  | ReturnType<typeof CartoonRepresentationProvider.factory>
  | ReturnType<typeof PuttyRepresentationProvider.factory>;

/** A prediction in 3-D; residues are told when the pointer is on them, and can be marked. */
export class StructureView {
  readonly #container: HTMLElement;
  readonly #context: Canvas3DContext;
  readonly #canvas3d: Canvas3D;
  readonly #canvas: HTMLCanvasElement;
  readonly #assets = new AssetManager();
  #shown: { structure: Structure; shape: Shape; beside?: Shape } | undefined;
  #run = 0;

  /**
   * @param onHover Told of the residue under the pointer (from 0), undefined for none.
   * @throws {Error} If the browser has no WebGL.
   */
  constructor(container: HTMLElement, theme: Theme, onHover: (residue: number | undefined) => void) {
    this.#container = container;
    const canvas = this.#canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Predicted structure");
    container.append(canvas);
    try {
      this.#context = Canvas3DContext.fromCanvas(canvas, this.#assets, { powerPreference: "default" });
    } catch (error) {
      canvas.remove();
      throw error;
    }
    this.#canvas3d = Canvas3D.create(this.#context, {
      renderer: { ...DefaultCanvas3DParams.renderer, ...this.#colors(theme) },
      postprocessing: { ...DefaultCanvas3DParams.postprocessing, occlusion: { name: "off" as const, params: {} } },
      camera: { ...DefaultCanvas3DParams.camera, helper: { axes: { name: "off", params: {} } } },
      cameraClipping: { radius: 0, far: false, minNear: 1 },
      cameraFog: { name: "on", params: { intensity: 25 } },
      cameraResetDurationMs: 300,
    });
    this.#resize();
    new ResizeObserver(() => this.#resize()).observe(container);
    this.#canvas3d.interaction.hover.subscribe(({ current: { loci } }) => {
      const location = StructureElement.Loci.is(loci) ? StructureElement.Loci.getFirstLocation(loci) : undefined;
      onHover(location && residueOf(location));
    });
    this.#canvas3d.animate();
  }

  /**
   * Draws a structure in place of another.
   *
   * @param keepView Whether the camera stays where it is.
   */
  async show({ cif, colorOf, chains, cartoon, experiment }: Drawn, keepView = false): Promise<void> {
    const run = ++this.#run;
    const structure = await this.#read(cif, cartoon, chains);
    const shape = await this.#shape(structure, colorOf, cartoon);
    const beside = experiment
      ? await this.#shape(await this.#read(experiment, true, chains), () => GREY, true)
      : undefined;
    const made = beside ? [shape, beside] : [shape];
    if (run !== this.#run) return made.forEach((one) => one.destroy()); // another call came in between
    for (const old of [this.#shown?.shape, this.#shown?.beside]) {
      if (!old) continue;
      this.#canvas3d.remove(old);
      old.destroy();
    }
    this.#shown = { structure, shape, beside };
    for (const one of made) this.#canvas3d.add(one);
    this.#canvas3d.commit(true);
    if (!keepView) this.reset(0);
  }

  /** Marks residues (from 0) as chosen; none takes the marks away. */
  mark(residues: ReadonlySet<number>): void {
    this.#markAs(residues, MarkerAction.Select, MarkerAction.Deselect);
  }

  /** Lights up residues for a moment; none puts the light out. */
  highlight(residues: ReadonlySet<number>): void {
    this.#markAs(residues, MarkerAction.Highlight, MarkerAction.RemoveHighlight);
  }

  /** Changes to the colours of another theme. */
  setTheme(theme: Theme): void {
    this.#canvas3d.setProps({ renderer: this.#colors(theme) });
    this.#canvas3d.requestDraw();
  }

  /** Goes back to the best viewpoint. */
  reset(durationMs = 300): void {
    if (!this.#shown) return;
    const traces = [{
      kind: "predicted" as const,
      label: "",
      structure: this.#shown.structure,
      chains: chainsOf(this.#shown.structure),
    }];
    const viewpoint = bestViewpoint(traces);
    const { camera, boundingSphere } = this.#canvas3d;
    const { width, height } = extentFrom(viewpoint, traces);
    const aspect = this.#container.clientWidth / this.#container.clientHeight;
    const fitted = aspect > 1 ? Math.max(height, width / aspect) / 2 : Math.max(height * aspect, width) / 2;
    const snapshot = camera.getInvariantFocus(viewpoint.center, fitted + MARGIN, viewpoint.up, viewpoint.direction);
    this.#canvas3d.requestCameraReset({ durationMs, snapshot: { ...snapshot, radius: boundingSphere.radius } });
  }

  /** Reads a structure, with its secondary structure for a cartoon. */
  async #read(cif: string, cartoon: boolean, chains?: ReadonlySet<string>): Promise<Structure> {
    const whole = await readStructure(cif);
    const structure = chains ? Structure.create(whole.units.filter((unit) => chains.has(chainOf(unit)))) : whole;
    if (cartoon) {
      await SecondaryStructureProvider.attach({ runtime: SyncRuntimeContext, assetManager: this.#assets }, structure);
    }
    return structure;
  }

  async #shape(structure: Structure, colorOf: (residue: number) => string, cartoon: boolean): Promise<Shape> {
    const context = {
      webgl: this.#canvas3d.webgl,
      colorThemeRegistry: ColorTheme.createRegistry(),
      sizeThemeRegistry: SizeTheme.createRegistry(),
    };
    const color = {
      factory: () => color,
      granularity: "group" as const,
      color: ((location) => {
        const at = Bond.isLocation(location)
          ? StructureElement.Location.create(
            location.aStructure,
            location.aUnit,
            location.aUnit.elements[location.aIndex],
          )
          : location;
        if (!StructureElement.Location.is(at)) return Color(0x888888);
        return Color.fromHexStyle(colorOf(residueOf(at) ?? 0));
      }) as LocationColor,
      props: {},
      description: "by residue",
    };
    if (cartoon) {
      const shape = CartoonRepresentationProvider.factory(context, CartoonRepresentationProvider.getParams);
      shape.setTheme({ color, size: UniformSizeTheme({ structure }, { value: 1 }) });
      await shape.createOrUpdate({ ...CartoonRepresentationProvider.defaultValues, quality: "high" }, structure).run();
      return shape;
    }
    const shape = PuttyRepresentationProvider.factory(context, PuttyRepresentationProvider.getParams);
    shape.setTheme({ color, size: UniformSizeTheme({ structure }, { value: TUBE_RADIUS }) });
    await shape.createOrUpdate(
      { ...PuttyRepresentationProvider.defaultValues, sizeFactor: 1, quality: "high" },
      structure,
    ).run();
    return shape;
  }

  #markAs(residues: ReadonlySet<number>, on: MarkerAction, off: MarkerAction): void {
    if (!this.#shown) return;
    const { structure, shape } = this.#shown;
    const all = lociOf(structure, undefined);
    this.#canvas3d.mark({ repr: shape, loci: all }, off);
    if (residues.size > 0) this.#canvas3d.mark({ repr: shape, loci: lociOf(structure, residues) }, on);
    this.#canvas3d.requestDraw();
  }

  #colors({ surface, ink }: Theme) {
    return {
      backgroundColor: Color.fromHexStyle(surface),
      selectColor: Color.fromHexStyle(ink),
      highlightColor: Color(0xd81b60),
    };
  }

  #resize(): void {
    resizeCanvas(this.#canvas, this.#container, this.#context.pixelScale);
    this.#context.syncPixelScale();
    this.#canvas3d.requestResize();
  }
}

async function readStructure(cif: string): Promise<Structure> {
  const parsed = await CIF.parseText(cif).run();
  if (parsed.isError) throw new SyntaxError(parsed.message);
  const trajectory = await trajectoryFromMmCIF(parsed.result.blocks[0]).run();
  return Structure.ofModel(trajectory.representative);
}

/** The authors' name of a unit's chain. */
function chainOf(unit: Unit): string {
  if (!Unit.isAtomic(unit)) return "";
  return unit.model.atomicHierarchy.chains.auth_asym_id.value(unit.chainIndex[unit.elements[0]]);
}

/** Index of a location's residue in the model. */
function residueOf({ unit, element }: StructureElement.Location): number | undefined {
  return Unit.isAtomic(unit) ? unit.residueIndex[element] : undefined;
}

function lociOf(structure: Structure, residues: ReadonlySet<number> | undefined) {
  const elements = structure.units.flatMap((unit) => {
    if (!Unit.isAtomic(unit)) return [];
    const indices: number[] = [];
    for (let k = 0; k < unit.elements.length; k++) {
      if (!residues || residues.has(unit.residueIndex[unit.elements[k]])) indices.push(k);
    }
    return indices.length ? [{ unit, indices: OrderedSet.ofSortedArray(indices as never) }] : [];
  });
  return elements.length ? StructureElement.Loci(structure, elements as never) : EmptyLoci;
}

function chainsOf(structure: Structure): [number, number, number][][] {
  return structure.units.filter(Unit.isAtomic).map((unit) =>
    Array.from(unit.polymerElements, (element): [number, number, number] => {
      const [x, y, z] = unit.conformation.position(element, [0, 0, 0] as never);
      return [x, y, z];
    })
  );
}
