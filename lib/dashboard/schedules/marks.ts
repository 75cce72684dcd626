import type { DeliveryStatus } from "../../api/deliveries.ts";

const SVG = "http://www.w3.org/2000/svg";

/** Width and height of a status mark, in px. */
export const MARK_PX = 16;

/**
 * SVG path data of each status mark, relative to its upper left corner, so that one path can hold many marks.
 */
const SHAPES = {
  missing: "m4 4l8 8m0-8l-8 8",
  partial: "m13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 1 1 11 0zm-6.4-4.6v9.2m-1.7-8.6v8m-1.5-6.6v5.2",
  late: "m13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 1 1 11 0zm-5.5-3.2v3.2l2.2 1.6",
  running: "m8 3v9m-3.5-3.5l3.5 3.5 3.5-3.5",
  expected: "m11 8a3 3 0 1 1-6 0 3 3 0 1 1 6 0z",
  skipped: "m4.5 8h7",
  received: "m3.5 8.5l3 3 6-7",
} satisfies Record<DeliveryStatus, string>;

/**
 * Returns the mark of a status as an image. Screen readers skip the image, because the name of the status is
 * shown beside it.
 */
export function markOf(status: DeliveryStatus): SVGElement {
  const mark = newMarks("mark");
  mark.setAttribute("viewBox", `0 0 ${MARK_PX} ${MARK_PX}`);
  drawMarks(mark, [status], MARK_PX, MARK_PX);
  return mark;
}

/** Returns an empty SVG image to draw marks in. */
export function newMarks(className: string): SVGElement {
  const marks = document.createElementNS(SVG, "svg");
  marks.setAttribute("class", className);
  marks.setAttribute("aria-hidden", "true");
  return marks;
}

/**
 * Draws the marks of a row side by side, with one SVG path for each status. One image for each mark would
 * take the browser five times as long.
 * @param statuses the status in each column; undefined leaves the column empty
 * @param columnWidth width of a column, in px
 * @param height height of the row, in px
 */
export function drawMarks(
  marks: SVGElement,
  statuses: readonly (DeliveryStatus | undefined)[],
  columnWidth: number,
  height: number,
): void {
  const paths = new Map<DeliveryStatus, string>();
  const [left, top] = [(columnWidth - MARK_PX) / 2, (height - MARK_PX) / 2];
  for (const [column, status] of statuses.entries()) {
    if (status === undefined) continue;
    const at = `M${column * columnWidth + left} ${top}`;
    paths.set(status, (paths.get(status) ?? "") + at + SHAPES[status]);
  }
  marks.replaceChildren(
    ...paths.entries().map(([status, d]) => {
      const path = document.createElementNS(SVG, "path");
      path.dataset["status"] = status;
      path.setAttribute("d", d);
      return path;
    }),
  );
}
