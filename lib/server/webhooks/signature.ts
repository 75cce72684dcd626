import { createHmac, randomBytes } from "node:crypto";

/* Signatures of Standard Webhooks: HMAC-SHA256 of id, time and body, as `v1,<base64>`. */

const PREFIX = "whsec_";
const SECRET_BYTES = 32;

/** A new secret: `whsec_`, and random bytes in base64. */
export function newWebhookSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString("base64");
}

export interface Signed {
  /** The `webhook-id`. */
  id: string;
  /** Seconds since 1970. */
  timestamp: number;
  body: string;
  /** Each secret makes a signature: two of them during a rotation. */
  secrets: readonly string[];
}

/** The headers by which a receiver authenticates a message. */
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
