import { WEBHOOK_EVENTS, type WebhookEvent } from "../../api/webhook-events.ts";
import type { NewWebhook } from "../../api/webhooks.ts";
import { byId } from "../dom.ts";

/** Events that are ticked at first in the form for a new webhook. */
const DEFAULT_EVENTS: ReadonlySet<WebhookEvent> = new Set([
  "download.failed",
  "job.failed",
  "job.stopped",
  "delivery.missing",
  "client.offline",
  "storage.low",
]);

/** The form that creates a webhook. */
export class WebhookForm {
  readonly #form = byId("new-webhook", HTMLFormElement);
  readonly #name = byId("new-webhook-name", HTMLInputElement);
  readonly #url = byId("new-webhook-url", HTMLInputElement);
  readonly #events = byId("new-webhook-events", HTMLElement);

  /** @param onMake creates a webhook; returns whether that succeeded */
  constructor(private readonly onMake: (order: NewWebhook) => Promise<boolean>) {
    this.#events.append(...WEBHOOK_EVENTS.map(boxOf));
    this.#form.addEventListener("input", () => this.#check());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#make();
    });
    this.#check();
  }

  #chosen(): WebhookEvent[] {
    const chosen = new FormData(this.#form).getAll("event");
    return WEBHOOK_EVENTS.filter((event) => chosen.includes(event));
  }

  #check(): void {
    const [first] = this.#events.querySelectorAll("input");
    first?.setCustomValidity(this.#chosen().length === 0 ? "Tick at least one event" : "");
  }

  async #make(): Promise<void> {
    const [name, url] = [this.#name.value, this.#url.value];
    if (!(await this.onMake({ name, url, events: this.#chosen() }))) return;
    this.#form.reset();
    this.#check();
  }
}

function boxOf(event: WebhookEvent): HTMLElement {
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.name = "event";
  box.value = event;
  box.defaultChecked = DEFAULT_EVENTS.has(event);
  label.append(box, ` ${event}`);
  return label;
}
