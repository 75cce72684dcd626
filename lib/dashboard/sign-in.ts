import type { NewSession, SessionEnd } from "../api/schemas.ts";
import { api } from "./api.ts";
import { byId, setText } from "./dom.ts";

/** Why the sign-in form is shown. `left`: somebody signed out in this browser. */
export type SignInReason = SessionEnd | "left";

const WORDS: Record<SignInReason, string> = {
  left: "You are signed out.",
  signed_out:
    "Your session was ended: signed out elsewhere, or the server's API_TOKEN is another one.",
  expired: "Your session has expired.",
  revoked: "Your session was ended: the token that it was begun with is revoked.",
};

/** Session storage key by which a reloaded page finds the reason. */
const KEPT = "sign-in-reason";

/**
 * Reloads the page, so that nothing is left that the next person should not see.
 * @param reason shown afterwards
 */
export function leave(reason: SignInReason): void {
  sessionStorage.setItem(KEPT, reason);
  // After signing out, the next person must not see what was shown; otherwise it is kept for signing in
  // again.
  if (reason === "left") history.replaceState(null, "", location.pathname);
  location.reload();
}

/** The sign-in form, for the token or the code of a link. */
export class SignInForm {
  readonly #section = byId("sign-in", HTMLElement);
  readonly #token = byId("token", HTMLInputElement);
  readonly #error = byId("sign-in-error", HTMLElement);

  /** @param onSignedIn called when a session has begun */
  constructor(private readonly onSignedIn: () => void) {
    byId("sign-in-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#signIn({ token: this.#token.value });
    });
  }

  /**
   * Shows the form, unless the address has the code of a link that still works.
   * @param ended why the session of this browser has ended, if it had one
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

/** Removes the code of a link from the address, so that it is not bookmarked. */
export function takeCode(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code !== null) history.replaceState(null, "", location.pathname);
  return code;
}
