import { describe, expect, test } from "bun:test";
import type { WebhookEvent } from "../../../lib/api/webhook-events.ts";
import type { Repository } from "../../../lib/server/database/repository.ts";
import type { Delivery } from "../../../lib/server/schedule.ts";
import { plainJob } from "../../support/jobs.ts";
import { type Backend, openedTwice } from "./backend.ts";
import { client, failed, id, queued } from "./samples.ts";
import { FAR, NOW, other, outboxOf, webhook } from "./webhook-samples.ts";

/** Tests that every repository has to pass: webhooks, and which events they get. */
export function webhooksContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} keeps webhooks`, () => {
    let rows: Repository;
    let others: Repository;
    const { end } = outboxOf(() => rows);

    openedTwice(makeBackend, (...opened) => {
      [rows, others] = opened;
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
      const made = plainJob({ jobId: id(90), createdAt: NOW });
      await rows.jobs.draft(made);
      let job = await rows.jobs.publish(made.jobId);
      for (const status of ["completed", "running", "failed", "running", "stopped"] as const) {
        job = (await rows.jobs.replace({ ...job, status, endedAt: NOW }))!;
      }
      const told = await rows.outbox.unwritten(9);
      // The webhook did not subscribe to job.failed, so that message is missing.
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
  });
}
