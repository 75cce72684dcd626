import { createHmac, randomBytes } from "node:crypto";

/* Signatures as Standard Webhooks has them: HMAC-SHA256 of id, time and body, `v1,<base64>`. */

const PREFIX = "whsec_";
const SECRET_BYTES = 32;

/** A new secret: `whsec_`, and random bytes in base64. */
export function newWebhookSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString("base64");
}

export interface Signed {
  /** `webhook-id` */
  id: string;
  /** Seconds since 1970. */
  timestamp: number;
  body: string;
  /** Each signs by itself: two while one takes the place of the other. */
  secrets: readonly string[];
}

/** The headers by which a receiver knows a message. */
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
