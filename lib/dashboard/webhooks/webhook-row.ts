import type { WebhookAttempt, WebhookRecord } from "../../api/webhooks.ts";
import { arrange, cloneOf, find, setText, setTime } from "../dom.ts";
import { formatWhen, visible } from "../format.ts";

export type WebhookAction = "test" | "attempts" | "rotate" | "switch" | "remove";

export interface WebhookRowOptions {
  onAction: (action: WebhookAction, webhook: WebhookRecord) => void;
  onReplay: (attempt: WebhookAttempt, webhook: WebhookRecord) => void;
}

/**
 * Texts of buttons that act only on a second click. The first click shows the text, and the text goes when
 * the button loses the focus.
 */
const CONFIRM_TEXTS = { rotate: "Really make another?", remove: "Really remove?" };

/** A row of the list of webhooks. On request it also shows the latest attempts to deliver messages. */
export class WebhookRow {
  readonly element = cloneOf("webhook-row");
  #webhook: WebhookRecord;

  constructor(
    webhook: WebhookRecord,
    private readonly options: WebhookRowOptions,
  ) {
    this.#webhook = webhook;
    for (const button of this.element.querySelectorAll<HTMLButtonElement>("[data-action]")) {
      const words = button.textContent;
      const action = button.dataset["action"] as WebhookAction;
      const confirmText = action === "rotate" || action === "remove" ? CONFIRM_TEXTS[action] : null;
      button.addEventListener("blur", () => confirmText !== null && setText(button, words));
      button.addEventListener("click", () => {
        if (confirmText !== null && button.textContent !== confirmText)
          return setText(button, confirmText);
        if (confirmText !== null) setText(button, words);
        this.options.onAction(action, this.#webhook);
      });
    }
    this.show(webhook);
  }

  get areAttemptsShown(): boolean {
    return !this.#attempts.hidden;
  }

  show(webhook: WebhookRecord): void {
    this.#webhook = webhook;
    const { name, url, events, status, disabled_because: why, waiting } = webhook;
    const part = (selector: string) => find(this.element, selector, HTMLElement);
    this.element.dataset["state"] = status;
    setText(part(".webhook-name"), visible(name));
    const disabledText = why === "gone" ? "Disabled: the receiver answered 410" : "Disabled";
    setText(part(".webhook-status"), status === "active" ? "Active" : disabledText);
    setText(part(".webhook-waiting"), waiting === 0 ? "" : `${waiting} waiting`);
    setText(part(".webhook-url"), visible(url));
    setText(part(".webhook-events"), events.join(", "));
    setText(part('[data-action="switch"]'), status === "active" ? "Disable" : "Enable");
  }

  /** Shows the latest attempts to deliver messages. @param attempts newest first; null hides them */
  showAttempts(attempts: WebhookAttempt[] | null): void {
    this.#attempts.hidden = attempts === null;
    const button = find(this.element, '[data-action="attempts"]', HTMLButtonElement);
    button.ariaExpanded = String(attempts !== null);
    const rows = (attempts ?? []).map((attempt) => this.#rowOf(attempt));
    arrange(find(this.#attempts, "ul", HTMLElement), rows);
    setText(
      find(this.#attempts, "p", HTMLElement),
      rows.length === 0 ? "Nothing was sent yet." : "",
    );
  }

  get #attempts(): HTMLElement {
    return find(this.element, ".webhook-attempts", HTMLElement);
  }

  #rowOf(attempt: WebhookAttempt): HTMLElement {
    const row = cloneOf("webhook-attempt");
    const { delivered, response_status: status, error, at, next_attempt_at: next } = attempt;
    row.dataset["state"] = delivered ? "delivered" : "failed";
    setText(
      find(row, ".attempt-result", HTMLElement),
      delivered ? `Delivered, ${status}` : "Failed",
    );
    setText(find(row, ".attempt-type", HTMLElement), attempt.type);
    setTime(find(row, "time", HTMLTimeElement), at, formatWhen(at, Date.now()));
    const retryNote = next === null ? "" : `, again at ${new Date(next).toLocaleString()}`;
    setText(
      find(row, ".attempt-error", HTMLElement),
      error === null ? "" : visible(error) + retryNote,
    );
    const replay = find(row, "button", HTMLButtonElement);
    replay.ariaLabel = `Send again: ${attempt.type} of ${attempt.subject}`;
    replay.addEventListener("click", () => this.options.onReplay(attempt, this.#webhook));
    return row;
  }
}
