import { BUILD } from "../util/build.ts";
import { api } from "./api.ts";
import type { Site } from "./board.ts";
import { clientCommand, installCommand, isUnencrypted } from "./client-command.ts";
import { copyText } from "./clipboard.ts";
import { byId, setText } from "./dom.ts";
import { notify } from "./notices.ts";

/** Placeholder for the enrolment key in the displayed command, until a key is made. */
const NO_KEY_YET = "…";

/**
 * The form that gives an admin the command to connect a new site, with an enrolment key for that site only.
 */
export class AddSite {
  readonly #form = byId("add-site", HTMLFormElement);
  readonly #toggle = byId("add-site-toggle", HTMLButtonElement);
  readonly #id = byId("new-site", HTMLInputElement);
  readonly #root = byId("new-root", HTMLInputElement);
  readonly #command = byId("command", HTMLElement);
  /**
   * The last enrolment key that this form made, and the client id for which it was made. Null before a key is
   * made, and again once that client has connected.
   */
  #issuedKey: { id: string; key: string } | null = null;
  #sites: Site[] = [];
  /**
   * True after the person opened the form, false after the person closed it. Otherwise null: the form is then
   * open while there are no sites.
   */
  #isOpen: boolean | null = null;
  #needsKey = true;

  /**
   * Prepares the form. If the server is run from its sources, the shown command runs the client from its
   * sources, too. Otherwise it installs the built program.
   * @param onMake called when the form is sent. It has to run the given function and to show its errors. The
   *   function makes a key if one is needed, and copies the command.
   */
  constructor(onMake: (work: () => Promise<void>) => void) {
    if (BUILD !== null) {
      this.#root.placeholder = "/srv/exports";
      setText(byId("command-heading", HTMLElement), "Run this at the site, beside the program:");
    }
    this.#toggle.addEventListener("click", () => {
      this.#isOpen = this.#form.hidden === true;
      this.render(this.#sites);
      if (this.#isOpen) this.#id.focus();
    });
    this.#form.addEventListener("input", () => this.render(this.#sites));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      onMake(() => this.#make());
    });
  }

  /** Sets whether new clients need an enrolment key. A server without sign-in requires none. */
  set needsKey(needsKey: boolean) {
    this.#needsKey = needsKey;
  }

  /** Draws the form. @param sites all sites that the server knows */
  render(sites: Site[]): void {
    this.#sites = sites;
    const hasSites = sites.length > 0;
    this.#noteConnected();
    this.#form.hidden = !(this.#isOpen ?? !hasSites);
    this.#toggle.ariaExpanded = String(!this.#form.hidden);
    this.#toggle.hidden = !hasSites;
    byId("no-site", HTMLElement).hidden = hasSites;
    // While there are no sites, a narrow page shows this form near the top, just below the overview.
    byId("board", HTMLElement).classList.toggle("without-sites", !hasSites);
    const isKnown = sites.some(({ client }) => client.client_id === this.#id.value);
    // With a key for a known site that never enrolled, another machine could connect under the site's name.
    // For a site that has enrolled, such a key is useless.
    this.#id.setCustomValidity(isKnown ? "There is a site of this name already" : "");
    setText(this.#command, this.#commandText());
    const words = this.#needsKey ? "Copy, with a fresh key" : "Copy";
    setText(byId("make-key", HTMLElement), words);
    setText(byId("key-note", HTMLElement), this.#note());
  }

  #commandText(): string {
    const id = this.#id.value;
    const key = this.#issuedKey?.id === id ? this.#issuedKey.key : NO_KEY_YET;
    const root = this.#root.value.trim();
    const page = new URL(location.href);
    const client = { id, root, page, key: this.#needsKey ? key : null };
    return BUILD === null ? clientCommand(client) : installCommand(client);
  }

  #note(): string {
    const encryptionNote = isUnencrypted(new URL(location.href))
      ? " Nothing is encrypted on its way here."
      : "";
    return this.#needsKey
      ? `The key is good for this name, once and for a week. It is shown this once.${encryptionNote}`
      : encryptionNote;
  }

  async #make(): Promise<void> {
    const id = this.#id.value;
    if (this.#needsKey && this.#issuedKey?.id !== id) {
      const { enrolment_key } = await api.createEnrolmentKey({ name: nameFor(id), ids: id });
      this.#issuedKey = { id, key: enrolment_key };
      this.render(this.#sites);
    }
    await copyText(this.#command, "The command");
  }

  /** If the client for which the form made a key has connected, shows a notice and closes the form. */
  #noteConnected(): void {
    const id = this.#issuedKey?.id;
    if (!this.#sites.some(({ client }) => client.client_id === id && client.connected)) return;
    notify("done", `${id} is connected`);
    this.#issuedKey = null;
    this.#isOpen = null;
  }
}

/** Returns an unused name for an enrolment key, made of the site's id and the present time. */
function nameFor(id: string): string {
  return `page-${id.toLowerCase().slice(0, 40)}-${Date.now().toString(36)}`;
}
