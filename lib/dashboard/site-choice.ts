import type { Site } from "./board.ts";

export interface SiteChoice {
  /** Text of the option that selects no site; null if a site must be selected. */
  noneLabel: string | null;
  /** Client id of the selected site, which need not be among the known sites; null if none is selected. */
  chosen: string | null;
}

/**
 * Fills a select element with the sites, connected ones first. Does nothing while the element has the focus,
 * as a person may have its list open.
 */
export function offerSites(
  select: HTMLSelectElement,
  sites: Site[],
  { noneLabel, chosen }: SiteChoice,
): void {
  const siteKeys = sites.map(({ client }) => `${client.client_id} ${client.connected}`);
  const key = [...siteKeys, chosen].join("\n");
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
    ...(noneLabel === null ? [] : [new Option(noneLabel, "")]),
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
