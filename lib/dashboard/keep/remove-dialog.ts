import { nameOfDownload } from "../../api/download-name.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { formatSize } from "../../util/sizes.ts";
import { byId, setText } from "../dom.ts";
import { formatCount, visible } from "../format.ts";

/** The dialog that asks for confirmation before a download's content is removed for good. */
export class RemoveDialog {
  readonly #dialog = byId("remove-content", HTMLDialogElement);
  #resolve: ((isConfirmed: boolean) => void) | null = null;

  constructor() {
    byId("remove-yes", HTMLButtonElement).addEventListener("click", () => this.#close(true));
    byId("remove-no", HTMLButtonElement).addEventListener("click", () => this.#close(false));
    this.#dialog.addEventListener("close", () => this.#answer(false));
  }

  /** Opens the dialog. @returns true if the person confirmed the removal */
  ask(download: DownloadRecord): Promise<boolean> {
    this.#answer(false);
    const { client_id, files_total, total_size } = download;
    const size = formatSize(total_size ?? 0);
    const count = files_total === null ? "" : `${formatCount(files_total)} files, `;
    setText(byId("remove-what", HTMLElement), visible(nameOfDownload(download)));
    setText(byId("remove-about", HTMLElement), `${count}${size}, of ${visible(client_id)}`);
    this.#dialog.showModal();
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  #close(isConfirmed: boolean): void {
    this.#answer(isConfirmed);
    this.#dialog.close();
  }

  #answer(isConfirmed: boolean): void {
    this.#resolve?.(isConfirmed);
    this.#resolve = null;
  }
}
