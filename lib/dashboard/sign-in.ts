import type { NewSession } from "../api/schemas.ts";
import { api } from "./api.ts";
import { byId, setText } from "./dom.ts";

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

  /** Shows the form, unless the address carries the code of a link that still works. */
  async show(): Promise<void> {
    const code = takeCode();
    if (code !== null && (await this.#signIn({ code }))) return;
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

/** Takes the code of a link out of the address, so that it stays in no bookmark. */
export function takeCode(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code !== null) history.replaceState(null, "", location.pathname);
  return code;
}
