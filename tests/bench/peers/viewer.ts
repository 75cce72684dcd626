import { argv } from "node:process";

/*
 * Acts as a viewer who requests everything that a viewer may see, as fast as the server answers: all lists,
 * all counts and all past events. Arguments: the server's URL, the token, the number of simultaneous calls,
 * the number of simultaneous event streams. After each message from the parent process, sends the number of
 * answers so far.
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

/** How long an event stream is read before the next one is opened, in ms. */
const READ_FOR = 2_000;

let answers = 0;
process.on("message", () => process.send?.(answers));

/** Makes a call and reads the whole answer. */
async function ask(path: string, signal?: AbortSignal): Promise<void> {
  const headers = { Authorization: `Bearer ${token}`, "Last-Event-ID": "0" };
  const response = await fetch(url + path, { headers, signal });
  for await (const _ of response.body ?? []);
  answers++;
}

/** Repeats a call for ever, also after errors, such as the time limit of an event stream. */
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
