import type { Labels } from "../../api/labels.ts";
import { matches, type Selector } from "../../api/selector.ts";

/** Clients that are somebody's: those with one of the ids, and those with such labels. */
export interface Sites {
  ids: ReadonlySet<string>;
  /** null: labels name none. */
  selector: Selector | null;
}

/** Whether a client is one of these. @param sites null: all are */
export function areOf(sites: Sites | null, clientId: string, labels: Labels): boolean {
  if (sites === null || sites.ids.has(clientId)) return true;
  return sites.selector !== null && matches(sites.selector, labels);
}
