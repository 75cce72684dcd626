import { notify } from "./notices.ts";

/**
 * Copies the text of an element to the clipboard.
 * @param what name of the text in the notice: "The command"
 */
export async function copyText(element: HTMLElement, what: string): Promise<void> {
  // Browsers have a clipboard only for pages by https or from localhost, and may still refuse access. Then
  // the text is selected, so that a person can copy it.
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
