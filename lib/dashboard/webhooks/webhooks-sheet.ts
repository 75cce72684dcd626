import type { WebhookAttempt, WebhookRecord } from "../../api/webhooks.ts";
import { api } from "../api.ts";
import { copyText } from "../clipboard.ts";
import { arrange, byId, setText } from "../dom.ts";
import { visible } from "../format.ts";
import { WebhookForm } from "./webhook-form.ts";
import { type WebhookAction, WebhookRow } from "./webhook-row.ts";

/** Number of a webhook's latest attempts that are shown. */
const SHOWN_ATTEMPTS = 20;

/** The dialog in which admins manage webhooks. */
export class WebhooksSheet {
  readonly #dialog = byId("webhooks", HTMLDialogElement);
  readonly #list = byId("webhook-list", HTMLElement);
  readonly #message = byId("webhook-said", HTMLElement);
  readonly #secret = byId("webhook-secret", HTMLElement);
  readonly #secretText = byId("webhook-secret-text", HTMLElement);
  readonly #rows = new Map<string, WebhookRow>();
  /** True while an action runs. Clicks are ignored meanwhile. */
  #isBusy = false;
  /** Resolves when the list of webhooks has been loaded, after the dialog was opened. Actions wait for it. */
  #opening: Promise<unknown> = Promise.resolve();

  constructor() {
    byId("webhooks-open", HTMLButtonElement).addEventListener("click", () => this.#open());
    byId("webhooks-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    byId("webhook-secret-copy", HTMLButtonElement).addEventListener("click", () => {
      void copyText(this.#secretText, "The secret");
    });
    // A webhook's secret is shown only once, so closing the dialog removes it from the page.
    this.#dialog.addEventListener("close", () => this.#showSecret(null));
    void new WebhookForm((order) =>
      this.#runAlone(async () => {
        this.#showSecret(await api.createWebhook(order));
        await this.#load();
        return `${order.name} is told from now on`;
      }),
    );
  }

  #open(): void {
    this.#say("Loading…", "wait");
    this.#dialog.showModal();
    this.#opening = this.#run(async () => {
      await this.#load();
      return "";
    });
  }

  async #load(): Promise<void> {
    const { webhooks } = await api.webhooks();
    const names = new Set(webhooks.map(({ name }) => name));
    for (const name of this.#rows.keys()) if (!names.has(name)) this.#rows.delete(name);
    arrange(
      this.#list,
      webhooks.map((webhook) => this.#rowOf(webhook).element),
    );
    byId("webhooks-empty", HTMLElement).hidden = webhooks.length > 0;
  }

  #rowOf(webhook: WebhookRecord): WebhookRow {
    const existing = this.#rows.get(webhook.name);
    existing?.show(webhook);
    const row =
      existing ??
      new WebhookRow(webhook, {
        onAction: (action, current) => void this.#runAlone(() => this.#act(action, current)),
        onReplay: (attempt, current) =>
          void this.#runAlone(() =>
            this.#reportAttempt(
              current,
              api.replayWebhookAttempt(current.name, attempt.attempt_id),
            ),
          ),
      });
    this.#rows.set(webhook.name, row);
    return row;
  }

  /** Runs an action on a webhook. @returns its result as a sentence */
  async #act(action: WebhookAction, webhook: WebhookRecord): Promise<string> {
    const { name } = webhook;
    switch (action) {
      case "test":
        return this.#reportAttempt(webhook, api.testWebhook(name));
      case "attempts":
        await this.#showAttempts(webhook, !this.#rowOf(webhook).areAttemptsShown);
        return "";
      case "rotate":
        this.#showSecret(await api.rotateWebhookSecret(name));
        await this.#load();
        return `${name} has another secret; for 24 h the one before signs too`;
      case "switch": {
        const disabled = webhook.status === "active";
        await api.changeWebhook(name, { disabled });
        await this.#load();
        return disabled ? `${name} is told nothing more` : `${name} is told from now on`;
      }
      case "remove":
        await api.deleteWebhook(name);
        await this.#load();
        return `${name} is removed`;
    }
  }

  async #reportAttempt(webhook: WebhookRecord, attempt: Promise<WebhookAttempt>): Promise<string> {
    const { delivered, response_status: status, duration_ms: ms, error } = await attempt;
    await this.#load();
    if (this.#rows.get(webhook.name)?.areAttemptsShown) await this.#showAttempts(webhook, true);
    if (delivered) return `Delivered to ${webhook.name}: ${status} after ${ms} ms`;
    throw new Error(`Not delivered to ${webhook.name}: ${error}`);
  }

  async #showAttempts(webhook: WebhookRecord, areShown: boolean): Promise<void> {
    const list = areShown ? await api.webhookAttempts(webhook.name, SHOWN_ATTEMPTS) : null;
    this.#rowOf(webhook).showAttempts(list && list.attempts);
  }

  #showSecret(issued: { name: string; secret: string } | null): void {
    this.#secret.hidden = issued === null;
    setText(this.#secretText, issued?.secret ?? "");
    setText(byId("webhook-secret-of", HTMLElement), issued ? visible(issued.name) : "");
  }

  #say(words: string, kind: "done" | "failed" | "wait"): void {
    this.#message.dataset["kind"] = kind;
    setText(this.#message, words);
  }

  /** Runs an action, unless another one is running. @returns whether it succeeded */
  async #runAlone(work: () => Promise<string>): Promise<boolean> {
    if (this.#isBusy) return false;
    this.#isBusy = true;
    await this.#opening;
    const isDone = await this.#run(work);
    this.#isBusy = false;
    return isDone;
  }

  /**
   * Runs work and shows its result inside the dialog, because the dialog would cover a notice.
   * @returns whether it succeeded
   */
  async #run(work: () => Promise<string>): Promise<boolean> {
    try {
      this.#say(await work(), "done");
      return true;
    } catch (error) {
      this.#say(error instanceof Error ? error.message : String(error), "failed");
      return false;
    }
  }
}
