import { createHmac, randomBytes } from "node:crypto";

/* Signatures by the Standard Webhooks specification: HMAC-SHA256 of id, time and body, as `v1,<base64>`. */

const PREFIX = "whsec_";
const SECRET_BYTES = 32;

/** Returns a new signing secret: `whsec_`, followed by random bytes in base64. */
export function newWebhookSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString("base64");
}

export interface Signed {
  /** The value of the header `webhook-id`. */
  id: string;
  /** Time of sending, in seconds since 1970. */
  timestamp: number;
  body: string;
  /** Secrets, each of which signs the message. During a rotation these are the new and the old secret. */
  secrets: readonly string[];
}

/** Returns the headers by which a receiver authenticates a webhook message. */
export function signedHeaders({ id, timestamp, body, secrets }: Signed): Record<string, string> {
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(PREFIX.length), "base64");
    return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
  });
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": signatures.join(" "),
  };
}
