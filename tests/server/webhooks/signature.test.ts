import { describe, expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import { newWebhookSecret, signedHeaders } from "../../../lib/server/webhooks/signature.ts";

const now = () => Math.floor(Date.now() / 1000);

describe("a signature", () => {
  test("is that of the specification's own libraries", () => {
    const headers = signedHeaders({
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
      timestamp: 1_614_265_330,
      body: '{"test": 2432232314}',
      secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    });
    expect(headers).toEqual({
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });

  test("is taken by a verifier of others, and no changed message is", () => {
    const secret = newWebhookSecret();
    const body = JSON.stringify({ type: "job.failed", data: { name: "Küche 'ü' 🍳" } });
    const headers = signedHeaders({ id: "msg_1", timestamp: now(), body, secrets: [secret] });
    const verifier = new Webhook(secret);
    expect(verifier.verify(body, headers)).toEqual(JSON.parse(body));
    expect(() => verifier.verify(`${body} `, headers)).toThrow();
    expect(() => verifier.verify(body, { ...headers, "webhook-id": "msg_2" })).toThrow();
    expect(() => new Webhook(newWebhookSecret()).verify(body, headers)).toThrow();
  });

  test("of two secrets is taken by who has either", () => {
    const secrets = [newWebhookSecret(), newWebhookSecret()];
    const headers = signedHeaders({ id: "msg_1", timestamp: now(), body: "{}", secrets });
    for (const secret of secrets) expect(new Webhook(secret).verify("{}", headers)).toEqual({});
  });
});

test("a secret has 32 random bytes, within what the specification asks for", () => {
  const secrets = Array.from({ length: 20 }, newWebhookSecret);
  expect(new Set(secrets).size).toBe(20);
  for (const secret of secrets) {
    expect(secret).toStartWith("whsec_");
    expect(Buffer.from(secret.slice(6), "base64")).toHaveLength(32);
  }
});
