import type { ClientChange } from "../../api/labels.ts";
import type { ClientRecord } from "../../api/schemas.ts";
import { byId, cloneOf, find, setText } from "../dom.ts";
import { changesBetween, LabelTextError, labelWords, readLabels } from "./label-text.ts";

/** Shows the labels of a site in its row. */
export function showLabels(row: HTMLElement, { labels }: ClientRecord): void {
  const list = find(row, ".label-list", HTMLElement);
  const words = labelWords(labels);
  const key = words.join(" ");
  if (list.dataset["labels"] === key) return;
  list.dataset["labels"] = key;
  list.replaceChildren(...words.flatMap((word) => [chip(word), " "]));
  setText(find(row, ".edit-labels", HTMLElement), words.length === 0 ? "Labels…" : "Edit");
}

function chip(word: string): HTMLElement {
  const element = document.createElement("span");
  element.className = "chip";
  element.textContent = word;
  return element;
}

/** Edits the labels and the time zone of one site at a time, in its row. */
export class LabelEditor {
  #close: () => void = () => undefined;

  /** @param onSave saves the changes; @returns whether it succeeded */
  constructor(
    private readonly onSave: (clientId: string, change: ClientChange) => Promise<boolean>,
  ) {}

  /** @param row the site's row */
  open(client: ClientRecord, row: HTMLElement): void {
    this.#close();
    offerTimeZones();
    const { client_id, labels, time_zone } = client;
    const form = cloneOf("label-form");
    const place = find(row, ".labels", HTMLElement);
    const input = find(form, "input", HTMLInputElement);
    const zone = find(form, ".zone", HTMLInputElement);
    input.ariaLabel = `Labels of ${client_id}`;
    input.value = labelWords(labels).join(" ");
    zone.ariaLabel = `Time zone of ${client_id}`;
    zone.value = time_zone;
    const close = () => {
      const hadFocus = form.contains(document.activeElement);
      form.remove();
      place.hidden = false;
      if (hadFocus) find(row, ".edit-labels", HTMLElement).focus();
    };
    this.#close = close;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#save(client, form).then((isDone) => isDone && close());
    });
    form.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") close();
    });
    find(form, ".label-cancel", HTMLElement).addEventListener("click", close);
    place.hidden = true;
    place.after(form);
    input.focus();
  }

  /** @param before the site when editing began, so that later changes by others are kept */
  async #save(before: ClientRecord, form: HTMLElement): Promise<boolean> {
    const input = find(form, "input", HTMLInputElement);
    const zone = find(form, ".zone", HTMLInputElement).value.trim();
    const why = find(form, ".error", HTMLElement);
    const say = (words: string) => {
      setText(why, words);
      input.ariaInvalid = String(words !== "");
    };
    try {
      const labels = changesBetween(before.labels, readLabels(input.value));
      say("");
      const change: ClientChange = {
        ...(labels !== null && { labels }),
        ...(zone !== before.time_zone && { time_zone: zone === "" ? null : zone }),
      };
      if (Object.keys(change).length === 0) return true;
      input.readOnly = true;
      return await this.onSave(before.client_id, change);
    } catch (error) {
      if (!(error instanceof LabelTextError)) throw error;
      say(error.message);
      return false;
    } finally {
      input.readOnly = false;
    }
  }
}

/** Offers the zones that the browser knows; a site may report another one. */
function offerTimeZones(): void {
  const list = byId("time-zones", HTMLDataListElement);
  if (list.childElementCount > 0) return;
  list.append(...Intl.supportedValuesOf("timeZone").map((zone) => new Option(zone, zone)));
}
