import { argv } from "node:process";

/*
 * Somebody with a token who asks for everything that a viewer may see, as fast as the server lets
 * them: every list from its first row to its last, every count, and all that ever happened.
 * Arguments: the server's URL, the token, how many calls at once, how many streams of events at once.
 * Says how many calls were answered when asked, and goes on.
 */

const [url = "", token = "", atOnce = "", streams = ""] = argv.slice(2);

const PATHS = [
  "/api/clients",
  "/api/downloads?limit=1000",
  "/api/downloads?limit=1000&status=queued",
  "/api/downloads?limit=1000&status=failed&open=true",
  "/api/downloads?limit=1000&status=cancelled&client_id=idle-1",
  "/api/totals?since=2000-01-01T00:00:00Z",
  "/metrics",
  "/openapi.json",
  "/api/session",
];

/** How long a stream of events is read before another one is begun, in ms. */
const READ_FOR = 2_000;

let answers = 0;
process.on("message", () => process.send?.(answers));

/** Reads an answer to its end. */
async function ask(path: string, signal?: AbortSignal): Promise<void> {
  const headers = { Authorization: `Bearer ${token}`, "Last-Event-ID": "0" };
  const response = await fetch(url + path, { headers, signal });
  for await (const _ of response.body ?? []);
  answers++;
}

/** Asks again and again; an answer that breaks off is one, too. */
async function goOn(next: () => Promise<void>): Promise<never> {
  for (;;) await next().catch(() => Bun.sleep(10));
}

for (let n = 0; n < Number(atOnce); n++) {
  let at = n;
  void goOn(() => ask(PATHS[at++ % PATHS.length] ?? ""));
}
for (let n = 0; n < Number(streams); n++) {
  void goOn(() => ask("/api/events", AbortSignal.timeout(READ_FOR)));
}
