/// <reference lib="dom" />
import type { ReportTarget } from "../report_data.ts";
import { h, section } from "./dom.ts";
import { currentTheme, type Theme } from "./theme.ts";
import { readTrace, type Trace } from "./trace.ts";
import { traceSvg } from "./trace_svg.ts";
import { TraceView } from "./trace_view.ts";

const LEAD = "Cα traces, superposed.";
const NO_WEBGL = "This browser offers no WebGL, so the traces are drawn flat and cannot be turned.";

/** The 3-D view with its legend; one for the whole page, as browsers allow few WebGL contexts. */
export class StructureSection {
  readonly element: HTMLElement;
  readonly #stage = h("div", { class: "stage", id: "stage" });
  readonly #hover = h("div", { class: "hover", "aria-live": "polite" });
  readonly #message = h("p", { class: "message", hidden: "" });
  readonly #legend = h("div", { class: "legend" });
  readonly #reset = h("button", { type: "button", id: "reset-view" }, "Reset view");
  readonly #hidden = new Set<Trace["kind"]>();
  #view: TraceView | undefined;
  #target: ReportTarget | undefined;

  constructor() {
    this.element = section(
      "structure",
      "Structure",
      `${LEAD} Drag to turn, pinch or scroll to zoom, drag with two fingers or the right button to move.`,
      h("div", { class: "view-bar" }, this.#legend, this.#reset),
      this.#message,
      h("div", { class: "stage-box" }, this.#stage, this.#hover),
    );
    this.#reset.addEventListener("click", () => this.#view?.reset());
  }

  /** Shows the structures of a target; resolves when they are drawn or a message says why not. */
  async show(target: ReportTarget): Promise<void> {
    this.#target = target;
    const traces: Trace[] = [];
    const wanted: [Trace["kind"], string, string | undefined][] = [
      ["true", "True", target.trueCif],
      ["predicted", "Predicted", target.predictedCif],
    ];
    const problems: string[] = [];
    for (const [kind, label, cif] of wanted) {
      if (cif === undefined) continue;
      try {
        traces.push(await readTrace(kind, label, cif));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        problems.push(`The ${kind} structure cannot be drawn: ${reason}.`);
      }
    }
    if (target !== this.#target) return;
    this.#drawLegend(traces);
    if (traces.length > 0) await this.#drawTraces(traces, problems);
    if (target !== this.#target) return;
    this.#message.textContent = problems.join(" ");
    this.#message.hidden = problems.length === 0;
    this.element.dataset.ready = target.id;
  }

  setTheme(theme: Theme): Promise<void> | undefined {
    return this.#view?.setTheme(theme);
  }

  async #drawTraces(traces: Trace[], problems: string[]): Promise<void> {
    try {
      this.#view ??= new TraceView(this.#stage, currentTheme(), (label) => {
        this.#hover.textContent = label ?? "";
      });
    } catch {
      this.#reset.hidden = true;
      this.element.querySelector(".lead")!.textContent = LEAD;
      problems.push(NO_WEBGL);
      this.#stage.replaceChildren(traceSvg(traces));
    }
    await this.#view?.show(traces, currentTheme());
    for (const kind of this.#hidden) this.#setVisible(kind, false);
  }

  #drawLegend(traces: Trace[]): void {
    this.#legend.replaceChildren(
      ...traces.toReversed().map(({ kind, label }) => {
        const box = h("input", { type: "checkbox", id: `show-${kind}` });
        box.checked = !this.#hidden.has(kind);
        box.addEventListener("change", () => this.#setVisible(kind, box.checked));
        return h("label", {}, box, h("span", { class: `swatch ${kind}` }), label);
      }),
    );
  }

  #setVisible(kind: Trace["kind"], visible: boolean): void {
    if (visible) this.#hidden.delete(kind);
    else this.#hidden.add(kind);
    this.#view?.setVisible(kind, visible);
    for (const group of this.#stage.querySelectorAll<SVGElement>(`.trace-${kind}`)) {
      group.style.display = visible ? "" : "none";
    }
  }
}
