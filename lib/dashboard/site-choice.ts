import type { Site } from "./board.ts";

/**
 * Offers the sites in a list to choose from, those online first, and keeps what is chosen.
 * @param any the words for none of them; null: one has to be chosen
 */
export function offerSites(select: HTMLSelectElement, sites: Site[], any: string | null): void {
  const key = sites.map(({ client }) => `${client.client_id} ${client.connected}`).join("\n");
  if (select.dataset["sites"] === key) return;
  select.dataset["sites"] = key;
  const { value } = select;
  const group = (label: string, connected: boolean) => {
    const element = document.createElement("optgroup");
    element.label = label;
    const members = sites.filter(({ client }) => client.connected === connected);
    element.append(...members.map(({ client }) => new Option(client.client_id, client.client_id)));
    return element;
  };
  const groups = [group("Online", true), group("Offline", false)];
  select.replaceChildren(
    ...(any === null ? [] : [new Option(any, "")]),
    ...groups.filter((element) => element.childElementCount > 0),
  );
  if (value !== "") select.value = value;
}
