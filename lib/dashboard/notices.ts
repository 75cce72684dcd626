import { byId } from "./dom.ts";
import { visible } from "./format.ts";

/** How long a notice stays, in ms; one of a failure longer. */
const SHOWN_MS = { done: 5_000, failed: 12_000 };

/**
 * Shows the result of an action, for a while or until it is clicked. A screen reader reads it out.
 */
export function notify(kind: keyof typeof SHOWN_MS, text: string): void {
  const notice = document.createElement("p");
  notice.className = `notice ${kind}`;
  const words = document.createElement("bdi");
  words.textContent = visible(text);
  notice.append(words);
  notice.addEventListener("click", () => notice.remove());
  const notices = byId("notices", HTMLElement);
  // A notice with the same text takes the place of the one before.
  for (const other of [...notices.children]) {
    if (other.textContent === notice.textContent) other.remove();
  }
  notices.append(notice);
  // A few at once are enough.
  if (notices.childElementCount > 3) notices.firstElementChild?.remove();
  setTimeout(() => notice.remove(), SHOWN_MS[kind]);
}

/** Tells a person of anything thrown, as a failure. */
export function notifyFailure(error: unknown): void {
  notify("failed", error instanceof Error ? error.message : String(error));
}
