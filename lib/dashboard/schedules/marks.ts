import type { DeliveryStatus } from "../../api/deliveries.ts";
import { byId } from "../dom.ts";

const SVG = "http://www.w3.org/2000/svg";

/** One shape for each status, to be cloned, as hundreds are drawn at a time. */
const shapes = new Map<DeliveryStatus, SVGElement>();

/** The shape of a status, from the page's symbols. Its meaning is also in a text. */
export function markOf(status: DeliveryStatus): Node {
  const shape = shapes.get(status) ?? shapeOf(status);
  shapes.set(status, shape);
  return shape.cloneNode(true);
}

function shapeOf(status: DeliveryStatus): SVGElement {
  const symbol = byId(`mark-${status}`, SVGSymbolElement);
  const shape = document.createElementNS(SVG, "svg");
  shape.setAttribute("class", "mark");
  shape.setAttribute("viewBox", symbol.getAttribute("viewBox") ?? "");
  shape.setAttribute("aria-hidden", "true");
  shape.append(...[...symbol.children].map((part) => part.cloneNode(true)));
  return shape;
}
