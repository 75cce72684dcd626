import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlRepository } from "../../../lib/server/database/sql.ts";
import type { Repository } from "../../../lib/server/database/repository.ts";
import { Metrics } from "../../../lib/server/metrics/metrics.ts";
import type { Webhook } from "../../../lib/server/webhook.ts";
import type { Answer, PostRequest } from "../../../lib/server/webhooks/post.ts";
import { Sender } from "../../../lib/server/webhooks/sender.ts";
import { waitAfter } from "../../../lib/server/webhooks/retries.ts";
import { Trimming } from "../../../lib/server/webhooks/trimming.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { TEST_LIMIT, waitFor } from "../../support/wait.ts";
import { client, completed, id, queued } from "../database/samples.ts";

setDefaultTimeout(TEST_LIMIT);

const TAKEN: Answer = { status: 200, error: null, reached: true, retryAfterMs: null };
const REFUSED: Answer = { ...TAKEN, status: 500 };
const UNREACHED: Answer = {
  status: null,
  error: "nobody listens",
  reached: false,
  retryAfterMs: null,
};

const webhook: Webhook = {
  webhookId: id(70),
  name: "ops",
  url: "https://example.com/",
  events: ["download.completed", "client.online", "client.offline"],
  secret: "whsec_c2VjcmV0",
  oldSecret: null,
  oldSecretUntil: null,
  disabledAt: null,
  disabledBecause: null,
  createdAt: 0,
  createdBy: null,
};

let folder: string;
let rows: Repository;
let lines: string[];
let metrics: Metrics;
let senders: Sender[];
/** Time until the next attempt of a message, in ms. */
let waitMs: number;
/** Every posted message: what it is about, and its URL. */
let posted: { about: string; to: string }[];
/** Returns the receiver's answer to a posted message. */
let answer: (about: string, posted: PostRequest, signal: AbortSignal) => Answer | Promise<Answer>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-sender-"));
  rows = await openSqlRepository(`sqlite://${folder}/state.db`);
  await rows.webhooks.insert(webhook);
  [lines, posted, senders] = [[], [], []];
  answer = () => TAKEN;
  waitMs = 60_000;
  metrics = new Metrics();
});
afterEach(async () => {
  await Promise.all(senders.map((sender) => sender.stop()));
  await rows.close();
  await rm(folder, { recursive: true });
});

const logger = () =>
  new Logger({ level: "info", format: "json", write: (line) => void lines.push(line) });

function start(from = rows): Sender {
  const sender = new Sender({
    webhooks: from.webhooks,
    outbox: from.outbox,
    bodyOf: async ({ type, subject }) => JSON.stringify({ about: `${subject} ${type}` }),
    post: async (message, signal) => {
      const { about } = JSON.parse(message.body) as { about: string };
      posted.push({ about, to: message.url.href });
      return answer(about, message, signal);
    },
    // Keeps the real number of attempts, and shortens the waits between them.
    wait: (attempts, retryAfterMs) =>
      waitAfter(attempts, retryAfterMs) === null ? null : Math.min(waitMs, 60_000),
    metrics,
    version: "1.0.0",
    logger: logger(),
  });
  senders.push(sender);
  sender.wake();
  return sender;
}

/** Inserts a download that is completed. @returns the subject and type of its message */
async function end(n: number): Promise<string> {
  const { revision } = await rows.insertDownload(queued(n));
  const own = { downloadId: id(n), clientId: "site-1", savedPath: `site-1/${n}`, revision };
  const completedAt = Date.now();
  await rows.replaceDownload({ ...completed, ...own, completedAt });
  return `download/${id(n)} download.completed`;
}

const attempts = () => rows.webhooks.attempts(webhook.webhookId, undefined, 1_000);
const waiting = () => rows.outbox.countWaiting(webhook.webhookId);
const untilDelivered = () => waitFor(async () => (await waiting()) === 0, "nothing to wait");

describe("the sender", () => {
  test("delivers what waits, each message once, however many servers there are", async () => {
    const wanted = [];
    for (let n = 0; n < 40; n++) wanted.push(await end(n));
    const others = await openSqlRepository(`sqlite://${folder}/state.db`);
    start();
    start(others);
    await untilDelivered();
    expect(posted.map(({ about }) => about).toSorted()).toEqual(wanted.toSorted());
    for (const sender of senders.splice(0)) await sender.stop();
    await others.close();
  });

  test("sends a few at once, and a refused one holds up no other", async () => {
    let [most, now] = [0, 0];
    const refused = await end(0);
    for (let n = 1; n < 20; n++) await end(n);
    const full = Promise.withResolvers<void>();
    answer = async (about) => {
      most = Math.max(most, ++now);
      if (now === 4) full.resolve();
      await full.promise;
      now--;
      return about === refused ? REFUSED : TAKEN;
    };
    start();
    await waitFor(
      async () => (await waiting()) === 1 && (await attempts()).length >= 20,
      "the rest",
    );
    expect(most).toBe(4);
    const failure = (await attempts()).find(({ delivered }) => !delivered);
    expect(failure).toMatchObject({
      number: 1,
      responseStatus: 500,
      error: "the receiver answered 500",
    });
    expect(failure!.nextAt! - failure!.at).toBeGreaterThanOrEqual(60_000);
  });

  test("keeps the order of what is about one subject, over refusals", async () => {
    const first = client("site-1", { connectedAt: 1 });
    await rows.registerClient(first, null);
    for (let n = 1; n <= 3; n++) {
      await rows.outbox.clientIsAway("site-1", n * 10, n * 10);
      await rows.registerClient({ ...first, connectedAt: n * 10 + 1 }, first);
    }
    const seen = new Set<string>();
    let [most, now] = [0, 0];
    answer = async (_, { headers }) => {
      most = Math.max(most, ++now);
      await Bun.sleep(5);
      now--;
      const messageId = headers["webhook-id"]!;
      const isNew = !seen.has(messageId);
      seen.add(messageId);
      return isNew ? REFUSED : TAKEN;
    };
    waitMs = 1;
    start();
    await untilDelivered();
    expect(most).toBe(1);
    const taken = (await attempts()).filter(({ delivered }) => delivered).toReversed();
    expect(taken.map(({ type }) => type)).toEqual([
      "client.online",
      ...["client.offline", "client.online"],
      ...["client.offline", "client.online"],
      ...["client.offline", "client.online"],
    ]);
  });

  test("leaves a receiver alone that nobody reaches, and hurries once it is there", async () => {
    for (let n = 0; n < 30; n++) await end(n);
    // After one success, messages that found no receiver at their first attempt are due at once.
    let isThere = false;
    answer = () => (isThere ? TAKEN : UNREACHED);
    start();
    await waitFor(async () => (await attempts()).length >= 1, "the first attempt");
    expect(await waiting()).toBe(30);
    expect((await attempts()).length).toBeLessThan(8);
    isThere = true;
    await untilDelivered();
    const told = lines.map((line) => (JSON.parse(line) as { message: string }).message);
    expect(told.filter((line) => line.startsWith("a webhook is not reached"))).toHaveLength(1);
    expect(told).toContain("a webhook is reached again");
  });

  test("disables a webhook whose receiver is gone, and goes on when it is enabled", async () => {
    await end(1);
    answer = () => ({ ...TAKEN, status: 410 });
    const sender = start();
    await waitFor(async () => (await rows.webhooks.get("ops"))?.disabledAt != null, "410");
    await end(2);
    expect((await attempts()).map(({ nextAt }) => nextAt)).toEqual([null]);
    answer = () => TAKEN;
    await rows.webhooks.change("ops", { disabled: null });
    const third = await end(3);
    sender.wake();
    await waitFor(() => posted.some(({ about }) => about === third), "the third");
    expect(posted).toHaveLength(2);
  });

  test("gives a message up after ten attempts", async () => {
    await end(1);
    answer = () => REFUSED;
    waitMs = 1;
    start();
    await untilDelivered();
    expect((await attempts()).map(({ number }) => number)).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect((await attempts())[0]).toMatchObject({ delivered: false, nextAt: null });
    expect(lines.join()).toContain("a message was given up");
    expect(metrics.webhookAttempts).toEqual({ delivered: 0, failed: 10 });
  });

  test("signs with both secrets while one takes the place of the other", async () => {
    const seen: string[] = [];
    answer = (_, { headers }) => {
      seen.push(headers["webhook-signature"]!);
      return TAKEN;
    };
    await rows.webhooks.rotate("ops", "whsec_bmV1", Date.now() + 60_000);
    await end(1);
    const sender = start();
    await untilDelivered();
    await rows.webhooks.rotate("ops", "whsec_bmV1ZXI", Date.now() - 1);
    await end(2);
    sender.wake();
    await waitFor(() => seen.length === 2, "the second");
    expect(seen.map((signatures) => signatures.split(" ").length)).toEqual([2, 1]);
  });

  test("cuts off what is on its way when it stops, for whoever comes next", async () => {
    await end(1);
    answer = (_, __, signal) =>
      new Promise((resolve) => {
        const cut = { ...UNREACHED, error: "cut" };
        signal.addEventListener("abort", () => resolve(cut), { once: true });
      });
    const sender = start();
    await waitFor(() => posted.length === 1, "the first attempt");
    await sender.stop();
    expect(await waiting()).toBe(1);
    answer = () => TAKEN;
    start();
    await untilDelivered();
  });

  test("does nothing at a hint where there is no webhook", async () => {
    await rows.webhooks.remove("ops");
    let reads = 0;
    const counting = new Proxy(rows.webhooks, {
      get: (target, name) => {
        reads++;
        const found = Reflect.get(target, name) as unknown;
        return typeof found === "function" ? found.bind(target) : found;
      },
    });
    const sender = start({ ...rows, webhooks: counting, outbox: rows.outbox } as Repository);
    await waitFor(() => reads > 0, "the first look");
    for (let n = 0; n < 100; n++) sender.hint();
    await Bun.sleep(0);
    expect(reads).toBe(1);
  });
});

test("an outbox that grows too large loses the oldest, and says so", async () => {
  for (let n = 0; n < 250; n++) await end(n);
  const trimming = new Trimming({
    webhooks: rows.webhooks,
    outbox: rows.outbox,
    inTurn: (piece) => piece(),
    logger: logger(),
  });
  await trimming.trim({ waiting: 20, ended: 10 });
  expect(await waiting()).toBe(20);
  expect(JSON.parse(lines[0]!)).toMatchObject({ level: "warn", name: "ops", lost: 230 });
  start();
  await untilDelivered();
  expect(posted).toHaveLength(20);
  expect(posted.at(-1)!.about).toContain(id(249));
});
