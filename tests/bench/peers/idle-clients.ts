import { randomBytes } from "node:crypto";
import { stayConnected } from "../../../lib/client/reconnect.ts";
import { Roots } from "../../../lib/client/owner-rules/roots.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { TokenBucket } from "../../../lib/util/token-bucket.ts";

/*
 * Runs many clients in one process. Each has a connection and a key of its own, and reconnects like a real
 * client. Arguments: the server's WebSocket URL, the enrolment token, the clients' root folder, the number of
 * the first client, the number of clients.
 */

/** Number of clients that connect at the same time at the start. */
const BATCH = 25;
/** Pause between two batches of clients, in ms. */
const EVERY = 50;

const [url = "", enrolToken = "", folder = "", first = "", count = ""] = process.argv.slice(2);

const shared = {
  serverUrl: new URL(url),
  enrolToken,
  version: "bench",
  timeZone: null,
  chunkSize: 1024 * 1024,
  rateLimit: new TokenBucket(null),
  compress: true,
  roots: await Roots.open([folder]),
  dailyLimit: null,
  onRequestEnded: async () => {},
  proxy: null,
  tlsToUse: async () => ({}),
  logger: new Logger({ level: "error", format: "json", write: () => {} }),
};
const never = new AbortController().signal;
for (let n = 0; n < Number(count); n++) {
  const keys = { key: randomBytes(32).toString("base64url") };
  const own = {
    id: `idle-${Number(first) + n}`,
    keys,
    isKeyNew: false,
    prepareKeys: async () => keys,
  };
  void stayConnected({ ...shared, ...own, takeNewKey: async () => {} }, never);
  if (n % BATCH === BATCH - 1) await Bun.sleep(EVERY);
}
