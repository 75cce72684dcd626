import { byId } from "./dom.ts";
import { visible } from "./format.ts";

/** How long a notice stays, in ms; failures stay longer. */
const SHOWN_MS = { done: 5_000, failed: 12_000 };

/** Shows the result of an action, for a while or until it is clicked. Screen readers read it out. */
export function notify(kind: keyof typeof SHOWN_MS, text: string): void {
  const notice = document.createElement("p");
  notice.className = `notice ${kind}`;
  const words = document.createElement("bdi");
  words.textContent = visible(text);
  notice.append(words);
  notice.addEventListener("click", () => notice.remove());
  const notices = byId("notices", HTMLElement);
  // Replaces an earlier notice with the same text.
  for (const other of [...notices.children]) {
    if (other.textContent === notice.textContent) other.remove();
  }
  notices.append(notice);
  // Only a few at a time.
  if (notices.childElementCount > 3) notices.firstElementChild?.remove();
  setTimeout(() => notice.remove(), SHOWN_MS[kind]);
}

/** Shows an error as a notice. */
export function notifyFailure(error: unknown): void {
  notify("failed", error instanceof Error ? error.message : String(error));
}
