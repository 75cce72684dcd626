import { BUILD } from "../util/build.ts";
import { api } from "./api.ts";
import type { Site } from "./board.ts";
import { clientCommand, installCommand, isInTheClear } from "./client-command.ts";
import { copyText } from "./clipboard.ts";
import { byId, setText } from "./dom.ts";
import { notify } from "./notices.ts";

/** Shown in the command until there is a key. */
const NO_KEY_YET = "…";

/** Shows an admin the command that connects another site, with an enrolment key made for that site only. */
export class AddSite {
  readonly #form = byId("add-site", HTMLFormElement);
  readonly #toggle = byId("add-site-toggle", HTMLButtonElement);
  readonly #id = byId("new-site", HTMLInputElement);
  readonly #root = byId("new-root", HTMLInputElement);
  readonly #command = byId("command", HTMLElement);
  /** The client that is expected to connect, and the key made for it. */
  #expected: { id: string; key: string } | null = null;
  #sites: Site[] = [];
  /** null: open only while there are no sites. */
  #isOpen: boolean | null = null;
  #needsKey = true;

  /**
   * The command and its default folder depend on how this server was started: from its sources, or as the
   * program of `bun run build`.
   * @param onMake runs the work that makes a key and copies the command; shows its errors
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

  /** @param needsKey whether clients need an enrolment token or key */
  set needsKey(needsKey: boolean) {
    this.#needsKey = needsKey;
  }

  /** @param sites that are known */
  render(sites: Site[]): void {
    this.#sites = sites;
    const hasSites = sites.length > 0;
    this.#welcome();
    this.#form.hidden = !(this.#isOpen ?? !hasSites);
    this.#toggle.ariaExpanded = String(!this.#form.hidden);
    this.#toggle.hidden = !hasSites;
    byId("no-site", HTMLElement).hidden = hasSites;
    // On a narrow page, the next thing to do comes first.
    byId("board", HTMLElement).classList.toggle("without-sites", !hasSites);
    const isKnown = sites.some(({ client }) => client.client_id === this.#id.value);
    // No key is made here that would hand a site's name to another machine.
    this.#id.setCustomValidity(isKnown ? "There is a site of this name already" : "");
    setText(this.#command, this.#commandText());
    const words = this.#needsKey ? "Copy, with a fresh key" : "Copy";
    setText(byId("make-key", HTMLElement), words);
    setText(byId("key-note", HTMLElement), this.#note());
  }

  #commandText(): string {
    const id = this.#id.value;
    const key = this.#expected?.id === id ? this.#expected.key : NO_KEY_YET;
    const root = this.#root.value.trim();
    const page = new URL(location.href);
    const client = { id, root, page, key: this.#needsKey ? key : null };
    return BUILD === null ? clientCommand(client) : installCommand(client);
  }

  #note(): string {
    const clear = isInTheClear(new URL(location.href))
      ? " Nothing is encrypted on its way here."
      : "";
    return this.#needsKey
      ? `The key is good for this name, once and for a week. It is shown this once.${clear}`
      : clear;
  }

  async #make(): Promise<void> {
    const id = this.#id.value;
    if (this.#needsKey && this.#expected?.id !== id) {
      const { enrolment_key } = await api.createEnrolmentKey({ name: nameFor(id), ids: id });
      this.#expected = { id, key: enrolment_key };
      this.render(this.#sites);
    }
    await copyText(this.#command, "The command");
  }

  /** Reports that the expected site has connected. */
  #welcome(): void {
    const id = this.#expected?.id;
    if (!this.#sites.some(({ client }) => client.client_id === id && client.connected)) return;
    notify("done", `${id} is connected`);
    this.#expected = null;
    this.#isOpen = null;
  }
}

/** A name for an enrolment key that was not used before. */
function nameFor(id: string): string {
  return `page-${id.toLowerCase().slice(0, 40)}-${Date.now().toString(36)}`;
}
