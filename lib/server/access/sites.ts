import type { Labels } from "../../api/labels.ts";
import { matches, type Selector } from "../../api/selector.ts";

/** The clients that a token may see: those with one of the ids, and those whose labels match. */
export interface Sites {
  ids: ReadonlySet<string>;
  /** null: no clients by labels. */
  selector: Selector | null;
}

/** Whether a client is among those. @param sites null: all clients are */
export function areOf(sites: Sites | null, clientId: string, labels: Labels): boolean {
  if (sites === null || sites.ids.has(clientId)) return true;
  return sites.selector !== null && matches(sites.selector, labels);
}
