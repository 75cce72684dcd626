import type { Site } from "./board.ts";

export interface SiteChoice {
  /** Text for no selection; null: a site must be selected. */
  none: string | null;
  /** The selected site, which may not be known yet; null: none. */
  chosen: string | null;
}

/**
 * Offers the sites in a select element, connected ones first. The selection is kept, and so is a list that
 * somebody may have opened.
 */
export function offerSites(
  select: HTMLSelectElement,
  sites: Site[],
  { none, chosen }: SiteChoice,
): void {
  const known = sites.map(({ client }) => `${client.client_id} ${client.connected}`);
  const key = [...known, chosen].join("\n");
  const isInUse = select === document.activeElement && select.length > 1;
  if (select.dataset["sites"] === key || isInUse) return;
  select.dataset["sites"] = key;
  const ids = (connected: boolean) =>
    sites
      .filter(({ client }) => client.connected === connected)
      .map((site) => site.client.client_id);
  const isUnknown = chosen !== null && !sites.some((site) => site.client.client_id === chosen);
  const groups = [
    group("Online", ids(true)),
    group("Offline", ids(false)),
    group("Not known", isUnknown ? [chosen] : []),
  ];
  select.replaceChildren(
    ...(none === null ? [] : [new Option(none, "")]),
    ...groups.filter((element) => element.childElementCount > 0),
  );
  if (chosen !== null) select.value = chosen;
}

function group(label: string, ids: string[]): HTMLOptGroupElement {
  const element = document.createElement("optgroup");
  element.label = label;
  element.append(...ids.map((id) => new Option(id, id)));
  return element;
}
