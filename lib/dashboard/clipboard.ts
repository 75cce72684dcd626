import { notify } from "./notices.ts";

/** Copies the text of an element. @param what name of the text, for the notice */
export async function copyText(element: HTMLElement, what: string): Promise<void> {
  // Browsers allow the clipboard only for pages with https or on this machine, and not always.
  const isCopied = await (navigator.clipboard as Clipboard | undefined)
    ?.writeText(element.textContent)
    .then(
      () => true,
      () => false,
    );
  if (isCopied) return notify("done", `${what} is copied`);
  getSelection()?.selectAllChildren(element);
  notify("done", `${what} is marked, copy it with Ctrl-C`);
}
