import { ApiCallError } from "../rest/api-errors.ts";
import { paint } from "../terminal/terminal.ts";
import { formatMoment } from "../terminal/times.ts";
import { type Command, type CommandContext, print } from "./command.ts";

/** The command `fds dashboard`, which prints a link that signs a browser in. */
export const dashboard: Command = {
  words: "",
  wordCount: [0, 0],
  summary: "a link to the dashboard that signs a browser in",
  flags: {},
  notes: `The link is good once and for 15 minutes, for whoever has it: it signs in as the token that it was made
with. It leads to the server by the address that this program calls.`,
  examples: [
    "dashboard",
    "dashboard --server https://files.example.com",
    'open "$(fds dashboard)"',
  ],
  async run(context) {
    const { url, expires_at } = await createLink(context);
    const validity = expires_at === null ? [] : [`good once, until ${formatMoment(expires_at)}`];
    print(context, {
      value: { url, expires_at },
      shown: (coloured) => [url, ...validity.map((text) => paint(text, "dim", coloured))],
      raw: () => [url],
    });
  },
};

/**
 * Returns a URL that opens the dashboard and signs the browser in. If the server requires no tokens, the URL
 * has no sign-in code, as every browser has access.
 */
async function createLink({ api, interruptions }: CommandContext) {
  try {
    const { code, expires_at } = await api.signInCode(interruptions.signal);
    return { url: `${api.server}/#code=${code}`, expires_at };
  } catch (error) {
    if (!(error instanceof ApiCallError && error.code === "not_found")) throw error;
    return { url: `${api.server}/`, expires_at: null };
  }
}
