import { notify } from "./notices.ts";

/**
 * Copies what an element shows.
 * @param what it is, in words
 */
export async function copyText(element: HTMLElement, what: string): Promise<void> {
  // Browsers give the clipboard to pages of https and of this machine alone, and not always.
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
