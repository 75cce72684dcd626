import { describe, expect, test } from "bun:test";
import type { WebhookEvent } from "../../../lib/api/webhook-events.ts";
import type { Repository } from "../../../lib/server/database/repository.ts";
import type { Delivery } from "../../../lib/server/schedule.ts";
import type { Attempt, Message, Webhook } from "../../../lib/server/webhook.ts";
import { type Backend, openedTwice } from "./backend.ts";
import { client, completed, failed, id, queued } from "./samples.ts";

const NOW = 1_700_000_000_000;
const FAR = NOW + 60_000;

const webhook: Webhook = {
  webhookId: id(70),
  name: "ops",
  url: "https://example.com/ü?a=1",
  events: ["download.completed", "download.failed", "job.completed", "job.stopped"],
  secret: "whsec_c2VjcmV0",
  oldSecret: null,
  oldSecretUntil: null,
  disabledAt: null,
  disabledBecause: null,
  createdAt: NOW,
  createdBy: "API_TOKEN",
};

const other: Webhook = { ...webhook, webhookId: id(71), name: "pager", events: ["client.offline"] };

/** What every implementation of a repository is held to, of webhooks and of what waits for them. */
export function webhooksContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} keeps webhooks`, () => {
    let rows: Repository;
    let others: Repository;

    openedTwice(makeBackend, (...opened) => {
      [rows, others] = opened;
    });

    /** Makes a download end. */
    async function end(n: number, state: typeof completed | typeof failed = completed) {
      const { revision } = await rows.insertDownload(queued(n));
      const savedPath = state.status === "completed" && { savedPath: `site-1/${n}` };
      const next = { ...state, ...savedPath, downloadId: id(n), revision, clientId: "site-1" };
      return (await rows.replaceDownload(next))!;
    }

    /** Writes the bodies of all messages. @returns them */
    async function written(): Promise<Message[]> {
      const messages = await rows.outbox.unwritten(1_000);
      for (const { messageId } of messages) await rows.outbox.write(messageId, "{}");
      return messages;
    }

    const claim = (from: Repository, now = NOW, until = FAR) =>
      from.outbox.claim(webhook.webhookId, now, until);

    const attemptOf = ({ messageId, type, subject, attempts }: Message): Attempt => ({
      attemptId: id(attempts),
      messageId,
      webhookId: webhook.webhookId,
      type,
      subject,
      number: attempts,
      at: NOW,
      durationMs: 12,
      delivered: false,
      responseStatus: 500,
      error: "it said 'no'",
      nextAt: NOW + 5,
    });

    test("a webhook comes back as it was made, and its name is its own", async () => {
      expect(await rows.webhooks.insert(webhook)).toBe(true);
      expect(await rows.webhooks.insert({ ...other, name: "ops" })).toBe(false);
      expect(await rows.webhooks.insert(other)).toBe(true);
      expect(await others.webhooks.get("ops")).toStrictEqual(webhook);
      expect(await others.webhooks.get("nobody")).toBeNull();
      expect(await others.webhooks.list("", 9)).toStrictEqual([webhook, other]);
      expect(await others.webhooks.list("ops", 9)).toStrictEqual([other]);
      expect(await others.webhooks.list("", 1)).toStrictEqual([webhook]);
    });

    test("a webhook is changed, disabled, enabled and removed", async () => {
      await rows.webhooks.insert(webhook);
      expect(await rows.webhooks.change("nobody", { url: "https://a.example" })).toBeNull();
      expect(await rows.webhooks.change("ops", {})).toStrictEqual(webhook);
      const events: WebhookEvent[] = ["storage.low"];
      const changed = { ...webhook, url: "https://b.example", events };
      expect(await rows.webhooks.change("ops", { url: changed.url, events })).toStrictEqual(
        changed,
      );

      expect(await rows.webhooks.disableGone(webhook.webhookId, webhook.url, NOW)).toBe(false);
      expect(await others.webhooks.active()).toStrictEqual([changed]);
      expect(await rows.webhooks.disableGone(webhook.webhookId, changed.url, NOW)).toBe(true);
      expect(await others.webhooks.active()).toEqual([]);
      expect(await rows.webhooks.get("ops")).toMatchObject({
        disabledAt: NOW,
        disabledBecause: "gone",
      });
      expect(await rows.webhooks.change("ops", { disabled: null })).toStrictEqual(changed);
      const disabled = { at: NOW, because: "asked" as const };
      expect(await rows.webhooks.change("ops", { disabled })).toMatchObject({
        disabledBecause: "asked",
      });

      expect(await rows.webhooks.remove("ops")).toMatchObject({ webhookId: webhook.webhookId });
      expect(await rows.webhooks.remove("ops")).toBeNull();
    });

    test("a secret that is replaced stays beside the new one", async () => {
      await rows.webhooks.insert(webhook);
      const rotated = await rows.webhooks.rotate("ops", "whsec_bmV1", FAR);
      expect(rotated).toStrictEqual({
        ...webhook,
        secret: "whsec_bmV1",
        oldSecret: webhook.secret,
        oldSecretUntil: FAR,
      });
      expect(await others.webhooks.get("ops")).toStrictEqual(rotated);
    });

    test("what ends is written for those who ask, once, in the change itself", async () => {
      await end(1);
      expect(await rows.outbox.unwritten(9)).toEqual([]);
      await rows.webhooks.insert(webhook);
      await rows.webhooks.insert(other);
      const done = await end(2);
      await end(3, failed);
      await rows.replaceDownload({ ...failed, ...(await rows.getDownload(id(3)))! });
      expect(await rows.replaceDownload({ ...done, revision: 1 })).toBeNull();
      const { revision } = await rows.insertDownload(queued(4));
      await rows.replaceDownload({ ...queued(4), revision, notBefore: 9 });

      const messages = await others.outbox.unwritten(9);
      expect(messages).toStrictEqual([
        {
          messageId: expect.stringMatching(/^msg_[0-9a-f]{32}$/),
          webhookId: webhook.webhookId,
          type: "download.completed",
          subject: `download/${id(2)}`,
          at: done.completedAt,
          attempts: 0,
          body: null,
        },
        expect.objectContaining({ type: "download.failed", subject: `download/${id(3)}` }),
      ]);
      expect(await others.outbox.unwritten(1)).toHaveLength(1);
      expect(new Set(messages.map(({ messageId }) => messageId)).size).toBe(2);
      await rows.webhooks.change("ops", { disabled: { at: NOW, because: "asked" } });
      await end(5);
      expect(await rows.outbox.unwritten(9)).toHaveLength(2);
    });

    test("a job tells each time that it ends", async () => {
      await rows.webhooks.insert(webhook);
      const made = {
        jobId: id(90),
        name: null,
        status: "running" as const,
        selection: { all: true as const },
        membership: "snapshot" as const,
        order: {
          filePath: "a",
          set: null,
          checksum: "md5" as const,
          rateLimit: null,
          ifOffline: "wait" as const,
        },
        download: {},
        createdAt: NOW,
        createdBy: null,
        createdWith: null,
        expiresAt: null,
        endedAt: null,
        maxConcurrent: null,
        spreadMs: 0,
        spreadFrom: 0,
        stopWhen: null,
        rerun: null,
        unsettled: false,
        keep: null,
        occurrence: null,
        revision: 1,
      };
      await rows.jobs.draft(made);
      let job = await rows.jobs.publish(made.jobId);
      for (const status of ["completed", "running", "failed", "running", "stopped"] as const) {
        job = (await rows.jobs.replace({ ...job, status, endedAt: NOW }))!;
      }
      const told = await rows.outbox.unwritten(9);
      // It did not ask for job.failed.
      expect(told.map(({ type }) => type)).toEqual(["job.completed", "job.stopped"]);
      expect(told[0]).toMatchObject({ subject: `job/${id(90)}`, at: NOW });
    });

    test("a delivery tells what becomes of it, each time that this is another", async () => {
      const events = ["missing", "late", "partial", "received"].map(
        (status) => `delivery.${status}` as WebhookEvent,
      );
      await rows.webhooks.insert({ ...webhook, events });
      let delivery: Delivery = {
        scheduleId: id(60),
        clientId: "site-1",
        localTime: "2026-02-01T02:30:00",
        timeZone: "UTC",
        scheduledAt: NOW,
        dueAt: NOW + 1,
        jobId: id(90),
        status: "expected",
        downloadId: null,
        files: 0,
        bytes: 0,
        revision: 0,
      };
      await rows.deliveries.insert([delivery]);
      const before = Date.now();
      for (const status of ["running", "missing", "missing", "partial", "late"] as const) {
        const change = { delivery, state: { ...delivery, status } };
        delivery = (await rows.deliveries.change([change]))[0]!;
      }
      const told = await others.outbox.unwritten(9);
      expect(told.map(({ type }) => type)).toEqual([
        "delivery.missing",
        "delivery.partial",
        "delivery.late",
      ]);
      for (const { subject, at } of told) {
        expect(subject).toBe(`delivery/${id(60)}/2026-02-01T02:30:00/site-1`);
        expect(Math.abs(at - before)).toBeLessThan(600_000);
      }
    });

    test("a client is told of when it is new, away, and back", async () => {
      await rows.webhooks.insert({ ...webhook, events: ["client.online", "client.offline"] });
      const first = client("site-1", { connectedAt: NOW });
      await rows.registerClient(first, null);
      await rows.outbox.clientIsAway("site-1", NOW - 1, NOW);
      await rows.outbox.clientIsAway("nobody", NOW, NOW);
      const again = { ...first, connectedAt: NOW + 10 };
      await rows.registerClient(again, first);
      await rows.clientsSeen(new Map([["site-1", FAR]]));
      await rows.outbox.clientIsAway("site-1", NOW + 15, NOW + 20);
      await others.outbox.clientIsAway("site-1", NOW + 15, NOW + 30);
      await rows.registerClient({ ...first, connectedAt: NOW + 40 }, again);
      await rows.revokeClient("site-1", NOW + 50);
      await rows.outbox.clientIsAway("site-1", NOW + 60, NOW + 60);
      const told = await rows.outbox.unwritten(9);
      expect(told.map(({ type, at }) => [type, at - NOW])).toEqual([
        ["client.online", 0],
        ["client.offline", 20],
        ["client.online", 40],
      ]);
      expect(told.every(({ subject }) => subject === "client/site-1")).toBe(true);
    });

    test("a low storage is told of once, until there was room", async () => {
      await rows.webhooks.insert({ ...webhook, events: ["storage.low"] });
      await rows.outbox.storageIsLow(NOW, '{"free":1}');
      await others.outbox.storageIsLow(NOW + 1, '{"free":2}');
      expect(await others.outbox.lowStorage()).toBe('{"free":1}');
      await rows.outbox.storageHasRoom();
      expect(await others.outbox.lowStorage()).toBeNull();
      await rows.outbox.storageIsLow(NOW + 2, '{"free":3}');
      const told = await rows.outbox.unwritten(9);
      expect(told.map(({ type, subject, at }) => [type, subject, at - NOW])).toEqual([
        ["storage.low", "storage", 0],
        ["storage.low", "storage", 2],
      ]);
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
      // What an earlier attempt says late counts no more.
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
      const none = { waiting: 100, over: 100, before: 0 };
      const { webhookId } = webhook;
      const trim = (bounds: object, latest = FAR) =>
        rows.outbox.trim(webhookId, { ...none, ...bounds }, latest);
      expect(await trim({})).toEqual({ givenUp: 0, isMore: false });
      await rows.outbox.record({ ...attemptOf((await claim(rows))!), nextAt: NOW }, true);
      expect(await trim({ waiting: 4 })).toEqual({ givenUp: 2, isMore: false });
      expect(await rows.outbox.countWaiting(webhookId)).toBe(4);
      expect(await claim(rows)).toMatchObject({ messageId: messages[2]!.messageId });

      await trim({ over: 1 });
      expect(await rows.outbox.claimAgain(messages[0]!.messageId, FAR)).toBeNull();
      expect(await rows.webhooks.attempts(webhookId, undefined, 9)).toEqual([]);
      expect(await rows.outbox.claimAgain(messages[1]!.messageId, FAR)).not.toBeNull();

      // The clock was put back by a year.
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
