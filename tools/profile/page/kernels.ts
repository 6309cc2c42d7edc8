/// <reference lib="dom" />
import { formatNumber, h, section, tableBox } from "../../report/page/dom.ts";
import type { Grouping, KernelRow, ProfileData } from "../profile_data.ts";

const SHOWN = 60;

interface Column {
  readonly title: string;
  readonly text: (row: KernelRow) => string;
  /** What rows are sorted by, largest first; rows without it come last. */
  readonly value: (row: KernelRow) => number | null;
}

const percent = (part: number | null) => part === null ? "–" : `${formatNumber(100 * part, 1)} %`;
const numeric = (title: string, value: (row: KernelRow) => number | null, digits: number): Column => ({
  ...{ title, value },
  text: (row) => formatNumber(value(row), digits),
});

function columns({ clock }: ProfileData): Column[] {
  const timed = (value: (row: KernelRow) => number) => (row: KernelRow) => clock === "none" ? null : value(row);
  const clocked = clock === "wall" ? " (CPU’s clock)" : "";
  return [
    numeric("Count", ({ count }) => count, 0),
    numeric(`Total ms${clocked}`, timed(({ totalMs }) => totalMs), 3),
    numeric(`Min ms${clocked}`, timed(({ minMs }) => minMs), 3),
    numeric(`Median ms${clocked}`, timed(({ medianMs }) => medianMs), 3),
    { title: "Share", value: timed(({ share }) => share), text: (row) => percent(timed(({ share }) => share)(row)) },
    numeric("GFLOP", ({ flops }) => flops === null ? null : flops / 1e9, 3),
    numeric("MB", ({ bytesRead, bytesWritten }) => (bytesRead + bytesWritten) / 1e6, 2),
    numeric("GFLOP/s", ({ gflops }) => gflops, 2),
    numeric("GB/s", ({ gbs }) => gbs, 2),
    numeric("FLOP/B", ({ intensity }) => intensity, 2),
    { title: "Of roof", value: ({ roofShare }) => roofShare, text: ({ roofShare }) => percent(roofShare) },
  ];
}

const GROUPINGS: readonly [Grouping, string][] = [
  ["kernel", "By kernel"],
  ["module", "By module"],
  ["place", "By place"],
];

/** The table of kernels, whose rows can be put together and sorted otherwise. */
export function kernelSection(data: ProfileData): HTMLElement {
  const cells = columns(data);
  let by: Grouping = "kernel", sortBy = cells[1], all = false;
  const slot = h("div", {});
  const buttons = GROUPINGS.map(([grouping, label]) => {
    const button = h("button", { type: "button", "data-by": grouping }, label);
    button.addEventListener("click", () => {
      by = grouping;
      show();
    });
    return button;
  });
  const more = h("button", { type: "button", class: "more" }, "All rows");
  more.addEventListener("click", () => {
    all = true;
    show();
  });
  const show = () => {
    GROUPINGS.forEach(([grouping], i) => buttons[i].setAttribute("aria-pressed", String(grouping === by)));
    const rows = data.rows[by].toSorted((a, b) => (sortBy.value(b) ?? -1) - (sortBy.value(a) ?? -1));
    more.hidden = all || rows.length <= SHOWN;
    slot.replaceChildren(tableBox(
      "Kernels",
      h(
        "tr",
        {},
        h("th", { class: "name" }, "Kernel"),
        ...cells.map((column) => {
          const button = h("button", { type: "button" }, column.title);
          button.addEventListener("click", () => {
            sortBy = column;
            show();
          });
          return h("th", column === sortBy ? { "aria-sort": "descending" } : {}, button);
        }),
      ),
      ...rows.slice(0, all ? rows.length : SHOWN).map((row) =>
        h("tr", {}, h("td", { class: "name" }, nameOf(row, by)), ...cells.map(({ text }) => h("td", {}, text(row))))
      ),
    ));
  };
  show();
  return section(
    "kernels",
    "Kernels",
    "Times of all profiled steps. Operations count two for a multiply-add; bytes are the sizes of the tensors bound. " +
      "“Of roof” compares with what the adapter reached in probes of multiply-adds and copies at the same FLOP/B; " +
      "it passes 100 % where what a kernel reads still lies in a cache.",
    h("div", { class: "chooser" }, ...buttons, more),
    slot,
  );
}

/** A row's name: the kernel, with its place where rows are by place. */
export function nameOf({ kernel, place, phase }: KernelRow, by: Grouping): string {
  return by === "kernel" ? kernel : `${phase ? `${phase} ` : ""}${place}: ${kernel}`;
}
