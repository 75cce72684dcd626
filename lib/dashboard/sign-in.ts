import type { NewSession, SessionEnd } from "../api/schemas.ts";
import { api } from "./api.ts";
import { byId, setText } from "./dom.ts";

/**
 * Why the sign-in form is shown: why the session has ended, or `left` if a person signed out in this browser.
 */
export type SignInReason = SessionEnd | "left";

const WORDS: Record<SignInReason, string> = {
  left: "You are signed out.",
  signed_out:
    "Your session was ended: signed out elsewhere, or the server's API_TOKEN is another one.",
  expired: "Your session has expired.",
  revoked: "Your session was ended: the token that it was begun with is revoked.",
};

/** Key in sessionStorage for the reason that the reloaded page shows above the sign-in form. */
const REASON_KEY = "sign-in-reason";

/**
 * Reloads the page after its session has ended, so that the next person cannot see the data on the page.
 * @param reason the reason that is shown above the sign-in form
 */
export function reloadToSignIn(reason: SignInReason): void {
  sessionStorage.setItem(REASON_KEY, reason);
  // If a person signs out, the filters are removed from the URL, so that the next person does not see them.
  // If the session has ended by itself, the filters are kept for the time after the next sign-in.
  if (reason === "left") history.replaceState(null, "", location.pathname);
  location.reload();
}

/** The sign-in form. It takes an API token, or the one-time code in the URL of a sign-in link. */
export class SignInForm {
  readonly #section = byId("sign-in", HTMLElement);
  readonly #token = byId("token", HTMLInputElement);
  readonly #error = byId("sign-in-error", HTMLElement);

  /** @param onSignedIn called after each successful sign-in */
  constructor(private readonly onSignedIn: () => void) {
    byId("sign-in-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#signIn({ token: this.#token.value });
    });
  }

  /**
   * Signs in by the one-time code in the page's URL, if there is a valid one. Otherwise shows the form.
   * @param ended why the session of this browser has ended; null if it had none
   */
  async show(ended: SessionEnd | null): Promise<void> {
    const reason = sessionStorage.getItem(REASON_KEY) ?? ended ?? "";
    sessionStorage.removeItem(REASON_KEY);
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

/**
 * Removes a sign-in code from the page's URL, so that it is not bookmarked.
 * @returns the code; null if there is none
 */
export function takeCode(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code !== null) history.replaceState(null, "", location.pathname);
  return code;
}
