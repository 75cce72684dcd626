import type { Labels } from "../../api/labels.ts";
import { matches, type Selector } from "../../api/selector.ts";

/** The clients that a token may see: those listed by id, and those whose labels match the selector. */
export interface Sites {
  ids: ReadonlySet<string>;
  /** Selects further clients by their labels; null: only the clients in `ids`. */
  selector: Selector | null;
}

/** Reports whether a token may see a client. @param sites the token's clients; null: all clients */
export function areOf(sites: Sites | null, clientId: string, labels: Labels): boolean {
  if (sites === null || sites.ids.has(clientId)) return true;
  return sites.selector !== null && matches(sites.selector, labels);
}
