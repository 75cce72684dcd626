import type { ClientChange } from "../../api/labels.ts";
import type { ClientRecord } from "../../api/schemas.ts";
import { byId, cloneOf, find, setText } from "../dom.ts";
import { changesBetween, LabelTextError, labelWords, readLabels } from "./label-text.ts";

/** Shows the labels of a site. @param row element of the site's row in the list of sites */
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

/** The form for a site's labels and time zone. It opens in the site's row, for one site at a time. */
export class LabelEditor {
  #close: () => void = () => undefined;

  /** @param onSave sends the changes to the server; returns whether that succeeded */
  constructor(
    private readonly onSave: (clientId: string, change: ClientChange) => Promise<boolean>,
  ) {}

  /** Opens the form for a site. @param row element of the site's row in the list of sites */
  open(client: ClientRecord, row: HTMLElement): void {
    this.#close();
    offerTimeZones();
    const { client_id, labels, time_zone } = client;
    const form = cloneOf("label-form");
    const labelsElement = find(row, ".labels", HTMLElement);
    const input = find(form, "input", HTMLInputElement);
    const zone = find(form, ".zone", HTMLInputElement);
    input.ariaLabel = `Labels of ${client_id}`;
    input.value = labelWords(labels).join(" ");
    zone.ariaLabel = `Time zone of ${client_id}`;
    zone.value = time_zone;
    const close = () => {
      const hadFocus = form.contains(document.activeElement);
      form.remove();
      labelsElement.hidden = false;
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
    labelsElement.hidden = true;
    labelsElement.after(form);
    input.focus();
  }

  /**
   * Saves only what the person changed, so that changes made by others meanwhile are kept.
   * @param before the site's record when the form was opened
   * @returns true if the form can be closed
   */
  async #save(before: ClientRecord, form: HTMLElement): Promise<boolean> {
    const input = find(form, "input", HTMLInputElement);
    const zone = find(form, ".zone", HTMLInputElement).value.trim();
    const errorElement = find(form, ".error", HTMLElement);
    const say = (words: string) => {
      setText(errorElement, words);
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

/** Fills the list of suggested time zones with those that the browser knows. Others can be typed. */
function offerTimeZones(): void {
  const list = byId("time-zones", HTMLDataListElement);
  if (list.childElementCount > 0) return;
  list.append(...Intl.supportedValuesOf("timeZone").map((zone) => new Option(zone, zone)));
}
