import { byId } from "./dom.ts";
import { visible } from "./format.ts";

/** How long a notice of each kind is shown, in ms. */
const SHOWN_MS = { done: 5_000, failed: 12_000 };

/**
 * Shows the result of an action as a notice, for some seconds or until a click. Screen readers read it out.
 */
export function notify(kind: keyof typeof SHOWN_MS, text: string): void {
  const notice = document.createElement("p");
  notice.className = `notice ${kind}`;
  const words = document.createElement("bdi");
  words.textContent = visible(text);
  notice.append(words);
  notice.addEventListener("click", () => notice.remove());
  const notices = byId("notices", HTMLElement);
  // An earlier notice with the same text is removed.
  for (const other of [...notices.children]) {
    if (other.textContent === notice.textContent) other.remove();
  }
  notices.append(notice);
  // At most three notices are shown at a time. The oldest is removed.
  if (notices.childElementCount > 3) notices.firstElementChild?.remove();
  setTimeout(() => notice.remove(), SHOWN_MS[kind]);
}

/** Shows an error as a notice. */
export function notifyFailure(error: unknown): void {
  notify("failed", error instanceof Error ? error.message : String(error));
}
