import type { LabelChanges, Labels } from "../../api/labels.ts";
import type { ClientRecord } from "../../api/schemas.ts";
import { cloneOf, find, setText } from "../dom.ts";
import { changesBetween, LabelTextError, labelWords, readLabels } from "./label-text.ts";

/** Shows the labels of a site in its row. */
export function showLabels(row: HTMLElement, { labels }: ClientRecord): void {
  const list = find(row, ".label-list", HTMLElement);
  const words = labelWords(labels);
  const key = words.join(" ");
  if (list.dataset["labels"] === key) return;
  list.dataset["labels"] = key;
  list.replaceChildren(...words.flatMap((word) => [chip(word), " "]));
  setText(find(row, ".edit-labels", HTMLElement), words.length === 0 ? "Label…" : "Edit");
}

function chip(word: string): HTMLElement {
  const element = document.createElement("span");
  element.className = "chip";
  element.textContent = word;
  return element;
}

/** Edits the labels of one site at a time, as text, where they stand. */
export class LabelEditor {
  #close: () => void = () => undefined;

  /** @param onSave called with what has to change; @returns whether it was done */
  constructor(
    private readonly onSave: (clientId: string, labels: LabelChanges) => Promise<boolean>,
  ) {}

  /** @param row of the site */
  open({ client_id, labels }: ClientRecord, row: HTMLElement): void {
    this.#close();
    const form = cloneOf("label-form");
    const place = find(row, ".labels", HTMLElement);
    const input = find(form, "input", HTMLInputElement);
    input.ariaLabel = `Labels of ${client_id}`;
    input.value = labelWords(labels).join(" ");
    const close = () => {
      const hadFocus = form.contains(document.activeElement);
      form.remove();
      place.hidden = false;
      if (hadFocus) find(row, ".edit-labels", HTMLElement).focus();
    };
    this.#close = close;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#save(client_id, labels, form).then((isDone) => isDone && close());
    });
    form.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") close();
    });
    find(form, ".label-cancel", HTMLElement).addEventListener("click", close);
    place.hidden = true;
    place.after(form);
    input.focus();
  }

  /** @param before the labels when the editing began: what others changed since then stays */
  async #save(clientId: string, before: Labels, form: HTMLElement): Promise<boolean> {
    const input = find(form, "input", HTMLInputElement);
    const why = find(form, ".error", HTMLElement);
    const say = (words: string) => {
      setText(why, words);
      input.ariaInvalid = String(words !== "");
    };
    try {
      const changes = changesBetween(before, readLabels(input.value));
      say("");
      if (changes === null) return true;
      input.readOnly = true;
      return await this.onSave(clientId, changes);
    } catch (error) {
      if (!(error instanceof LabelTextError)) throw error;
      say(error.message);
      return false;
    } finally {
      input.readOnly = false;
    }
  }
}
