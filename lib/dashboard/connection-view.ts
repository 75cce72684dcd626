import { byId, find, setText } from "./dom.ts";

const WORDS = {
  connecting: "Connecting…",
  live: "Live",
  lost: "Reconnecting…",
  "signed-out": "Signed out",
};

/** Whether what the page shows is how things are. */
export class ConnectionView {
  readonly #state = byId("connection", HTMLElement);
  readonly #lost = byId("lost", HTMLElement);
  #lostSince: Date | null = null;

  show(state: keyof typeof WORDS): void {
    this.#state.dataset["state"] = state;
    setText(this.#state, WORDS[state]);
    this.#lostSince = state === "lost" ? (this.#lostSince ?? new Date()) : null;
    this.#lost.hidden = this.#lostSince === null;
    setText(find(this.#lost, "time", HTMLTimeElement), this.#lostSince?.toLocaleTimeString() ?? "");
  }
}
