import { describe, expect, test } from "bun:test";
import type { Repository } from "../../../lib/server/database/repository.ts";
import type { Message } from "../../../lib/server/webhook.ts";
import { type Backend, openedTwice } from "./backend.ts";
import { client, id } from "./samples.ts";
import { attemptOf, claim, FAR, NOW, other, outboxOf, webhook } from "./webhook-samples.ts";

/** Tests that every repository has to pass: messages that wait for webhooks. */
export function outboxContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} keeps webhooks`, () => {
    let rows: Repository;
    let others: Repository;
    const { end, written } = outboxOf(() => rows);

    openedTwice(makeBackend, (...opened) => {
      [rows, others] = opened;
    });

    test("a body is written once, and nothing is sent before it is", async () => {
      await rows.webhooks.insert(webhook);
      await end(1);
      await end(2);
      const [first, second] = await rows.outbox.unwritten(9);
      expect(await claim(rows)).toBeNull();
      await rows.outbox.write(first!.messageId, '{"n":1}');
      await others.outbox.write(first!.messageId, '{"n":2}');
      await rows.outbox.write(second!.messageId, null);
      expect(await rows.outbox.unwritten(9)).toEqual([]);
      expect(await claim(rows)).toStrictEqual({ ...first!, attempts: 1, body: '{"n":1}' });
      expect(await claim(rows)).toBeNull();
    });

    test("each message is taken by one, and again when nobody says what became of it", async () => {
      await rows.webhooks.insert(webhook);
      for (let n = 0; n < 20; n++) await end(n);
      const messages = await written();
      const taken = await Promise.all(messages.flatMap(() => [claim(rows), claim(others)]));
      const ids = taken.flatMap((message) => message?.messageId ?? []);
      expect(new Set(ids).size).toBe(ids.length);
      for (let next = await claim(rows); next; next = await claim(rows)) ids.push(next.messageId);
      expect(ids.toSorted()).toEqual(messages.map(({ messageId }) => messageId).toSorted());
      expect(await claim(rows, FAR - 1)).toBeNull();
      expect(await claim(rows, FAR)).toMatchObject({ attempts: 2 });
      expect(await rows.outbox.claim(other.webhookId, FAR, FAR)).toBeNull();
    });

    test("of one subject the earlier message goes first, and holds up no other", async () => {
      await rows.webhooks.insert({ ...webhook, events: ["client.online", "client.offline"] });
      for (const clientId of ["site-1", "site-2"]) {
        await rows.registerClient(client(clientId, { connectedAt: NOW }), null);
      }
      await rows.outbox.clientIsAway("site-1", NOW, NOW);
      await written();
      const first = (await claim(rows))!;
      expect(first).toMatchObject({ subject: "client/site-1", type: "client.online" });
      expect(await claim(rows)).toMatchObject({ subject: "client/site-2" });
      expect(await claim(rows)).toBeNull();
      await rows.outbox.record(attemptOf(first), true);
      expect(await claim(rows, NOW + 4)).toBeNull();
      const again = (await claim(rows, NOW + 5))!;
      expect(again).toMatchObject({ messageId: first.messageId, attempts: 2 });
      await rows.outbox.record({ ...attemptOf(again), delivered: true, nextAt: null }, true);
      expect(await claim(rows)).toMatchObject({
        subject: "client/site-1",
        type: "client.offline",
      });
    });

    test("attempts come back, newest first, and make their message wait, fail or be over", async () => {
      await rows.webhooks.insert(webhook);
      await end(1);
      await written();
      const first = (await claim(rows))!;
      const attempt = attemptOf(first);
      await rows.outbox.record(attempt, true);
      expect(await others.outbox.nextDueAt()).toBe(NOW + 5);
      const second = (await claim(rows, NOW + 5))!;
      // The late result of an earlier attempt leaves the message's due time as it is.
      await rows.outbox.record({ ...attempt, attemptId: id(8), nextAt: NOW }, true);
      expect(await claim(rows, NOW + 5)).toBeNull();
      const last = { ...attemptOf(second), responseStatus: null, nextAt: null };
      await rows.outbox.record(last, false);
      expect(await others.outbox.nextDueAt()).toBeNull();
      expect(await others.outbox.countWaiting(webhook.webhookId)).toBe(0);
      const { webhookId } = webhook;
      expect(await others.webhooks.attempts(webhookId, id(8), 9)).toStrictEqual([last, attempt]);
      expect(await others.webhooks.attempts(webhookId, undefined, 1)).toHaveLength(1);
      expect(await others.webhooks.attempts(other.webhookId, undefined, 9)).toEqual([]);
      expect(await others.webhooks.attempt(webhookId, attempt.attemptId)).toStrictEqual(attempt);
      expect(await others.webhooks.attempt(other.webhookId, attempt.attemptId)).toBeNull();

      expect(await rows.outbox.claimAgain(first.messageId, FAR)).toStrictEqual(first);
      expect(await rows.outbox.claimAgain("msg_none", FAR)).toBeNull();
      expect(await others.outbox.nextDueAt()).toBe(FAR);
    });

    test("what met no receiver is hurried once there is one, and nothing else", async () => {
      await rows.webhooks.insert(webhook);
      for (let n = 1; n <= 3; n++) await end(n);
      await written();
      const [unreached, refused, underWay] = [
        (await claim(rows))!,
        (await claim(rows))!,
        (await claim(rows))!,
      ];
      await rows.outbox.record({ ...attemptOf(unreached), nextAt: FAR }, false);
      await rows.outbox.record({ ...attemptOf(refused), attemptId: id(9), nextAt: FAR }, true);
      expect(await rows.outbox.hurry(webhook.webhookId, NOW)).toBe(false);
      expect(await claim(rows)).toMatchObject({ messageId: unreached.messageId });
      expect(await claim(rows)).toBeNull();
      expect(underWay.attempts).toBe(1);
    });

    test("a message that no change made is taken by whoever adds it", async () => {
      await rows.webhooks.insert(webhook);
      const message: Message = {
        messageId: "msg_test",
        webhookId: webhook.webhookId,
        type: "webhook.test",
        subject: "webhook/ops",
        at: NOW,
        attempts: 10,
        body: "{}",
      };
      await rows.outbox.add(message, FAR);
      expect(await claim(rows)).toBeNull();
      expect(await claim(rows, FAR)).toStrictEqual({ ...message, attempts: 11 });
    });

    test("the outbox is bounded by number and by age, and what goes takes its attempts along", async () => {
      await rows.webhooks.insert(webhook);
      for (let n = 0; n < 6; n++) await end(n);
      const messages = await written();
      const none = { waiting: 100, ended: 100, before: 0 };
      const { webhookId } = webhook;
      const trim = (bounds: object, latest = FAR) =>
        rows.outbox.trim(webhookId, { ...none, ...bounds }, latest);
      expect(await trim({})).toEqual({ givenUp: 0, isMore: false });
      await rows.outbox.record({ ...attemptOf((await claim(rows))!), nextAt: NOW }, true);
      expect(await trim({ waiting: 4 })).toEqual({ givenUp: 2, isMore: false });
      expect(await rows.outbox.countWaiting(webhookId)).toBe(4);
      expect(await claim(rows)).toMatchObject({ messageId: messages[2]!.messageId });

      await trim({ ended: 1 });
      expect(await rows.outbox.claimAgain(messages[0]!.messageId, FAR)).toBeNull();
      expect(await rows.webhooks.attempts(webhookId, undefined, 9)).toEqual([]);
      expect(await rows.outbox.claimAgain(messages[1]!.messageId, FAR)).not.toBeNull();

      // A message whose due time is impossibly late, as after the clock was set back, becomes due at once.
      expect(await claim(rows, NOW, FAR + 1)).toMatchObject({ messageId: messages[3]!.messageId });
      await trim({});
      expect(await claim(rows, 1)).toMatchObject({ messageId: messages[3]!.messageId });

      expect(await trim({ before: Number.MAX_SAFE_INTEGER })).toEqual({
        givenUp: 5,
        isMore: false,
      });
      expect(await rows.outbox.countWaiting(webhookId)).toBe(0);
    });

    test("what waits for a webhook that is no more is found and forgotten", async () => {
      await rows.webhooks.insert(webhook);
      for (let n = 0; n < 3; n++) await end(n);
      await written();
      await rows.outbox.record(attemptOf((await claim(rows))!), true);
      expect(await rows.outbox.orphans()).toEqual([]);
      await rows.webhooks.remove("ops");
      expect(await rows.outbox.nextDueAt()).toBeNull();
      expect(await others.outbox.orphans()).toEqual([webhook.webhookId]);
      expect(await others.outbox.forget(webhook.webhookId)).toBe(false);
      expect(await others.outbox.orphans()).toEqual([]);
      expect(await rows.webhooks.attempts(webhook.webhookId, undefined, 9)).toEqual([]);
    });
  });
}
