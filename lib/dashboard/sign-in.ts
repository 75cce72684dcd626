import type { NewSession, SessionEnd } from "../api/schemas.ts";
import { api } from "./api.ts";
import { byId, setText } from "./dom.ts";

/** Why a page asks who is there: `left`: somebody signed out in this browser. */
export type SignInReason = SessionEnd | "left";

const WORDS: Record<SignInReason, string> = {
  left: "You are signed out.",
  signed_out:
    "Your session was ended: signed out elsewhere, or the server's API_TOKEN is another one.",
  expired: "Your session has expired.",
  revoked: "Your session was ended: the token that it was begun with is revoked.",
};

/** Where a page that is loaded anew finds why. */
const KEPT = "sign-in-reason";

/**
 * Loads the page anew: a fresh one holds nothing that the next person should not see.
 * @param reason what it will say
 */
export function leave(reason: SignInReason): void {
  sessionStorage.setItem(KEPT, reason);
  // What was shown is nothing to whoever comes after; it stays for who signs in again.
  if (reason === "left") history.replaceState(null, "", location.pathname);
  location.reload();
}

/** The form that a person signs in with, by the token or by the code of a link. */
export class SignInForm {
  readonly #section = byId("sign-in", HTMLElement);
  readonly #token = byId("token", HTMLInputElement);
  readonly #error = byId("sign-in-error", HTMLElement);

  /** @param onSignedIn called once a session has begun */
  constructor(private readonly onSignedIn: () => void) {
    byId("sign-in-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#signIn({ token: this.#token.value });
    });
  }

  /**
   * Shows the form, unless the address carries the code of a link that still works.
   * @param ended why the session of this browser is good no more, if it has one
   */
  async show(ended: SessionEnd | null): Promise<void> {
    const reason = sessionStorage.getItem(KEPT) ?? ended ?? "";
    sessionStorage.removeItem(KEPT);
    const code = takeCode();
    if (code !== null && (await this.#signIn({ code }))) return;
    setText(byId("sign-in-why", HTMLElement), isReason(reason) ? WORDS[reason] : "");
    this.#section.hidden = false;
    this.#token.focus();
  }

  async #signIn(credentials: NewSession): Promise<boolean> {
    setText(this.#error, "");
    try {
      await api.signIn(credentials);
    } catch (error) {
      setText(this.#error, error instanceof Error ? error.message : String(error));
      return false;
    }
    this.#token.value = "";
    this.#section.hidden = true;
    this.onSignedIn();
    return true;
  }
}

function isReason(text: string): text is SignInReason {
  return Object.hasOwn(WORDS, text);
}

/** Takes the code of a link out of the address, so that it stays in no bookmark. */
export function takeCode(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code !== null) history.replaceState(null, "", location.pathname);
  return code;
}
