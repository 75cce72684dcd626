import { byId, find, setText } from "./dom.ts";
import { visible } from "./format.ts";

const WORDS = {
  connecting: "Connecting…",
  live: "Live",
  paused: "Paused",
  lost: "Reconnecting…",
  "signed-out": "Signed out",
};

/** Shows whether the page is connected to the server's event stream, and so is up to date. */
export class ConnectionView {
  readonly #state = byId("connection", HTMLElement);
  readonly #lost = byId("lost", HTMLElement);
  /** When the connection was lost or paused; null if neither. The page is out of date since then. */
  #staleSince: Date | null = null;

  /** Shows a state of the connection. @param why the server's reason if it refused the connection */
  show(state: keyof typeof WORDS, why = "No answer from the server"): void {
    this.#state.dataset["state"] = state;
    setText(this.#state, WORDS[state]);
    const isStale = state === "lost" || state === "paused";
    this.#staleSince = isStale ? (this.#staleSince ?? new Date()) : null;
    this.#lost.hidden = state !== "lost";
    setText(find(this.#lost, "strong", HTMLElement), `${visible(why)}.`);
    setText(
      find(this.#lost, "time", HTMLTimeElement),
      this.#staleSince?.toLocaleTimeString() ?? "",
    );
  }
}
