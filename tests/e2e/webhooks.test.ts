import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JobRecord } from "../../lib/api/jobs.ts";
import { ScheduleRunAnswer } from "../../lib/api/schedules.ts";
import { ClientRecord, DownloadRecord } from "../../lib/api/schemas.ts";
import { type WebhookEvent } from "../../lib/api/webhook-events.ts";
import { StorageSpace, WebhookRecord } from "../../lib/api/webhooks.ts";
import { ROWS_IN_A_FILE } from "../support/backend.ts";
import { Authority, openssl } from "../support/certificates.ts";
import { received, Receiver } from "../support/receiver.ts";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Webhooks of real servers over real sockets. An independent implementation verifies each signature. */

/** Starts a server whose webhooks may use addresses of this machine. */
const start = (env: Record<string, string> = {}) =>
  System.start({ WEBHOOK_ALLOW: "127.0.0.0/8", OFFLINE_AFTER: "1s", ...env });

describe("a webhook", () => {
  let system: System;
  let receiver: Receiver;
  let secret = "";

  const make = async (name: string, events: WebhookEvent[], url = receiver.url) =>
    (await system.api.webhooks.create({ name, url, events })).secret;

  beforeAll(async () => {
    system = await start();
    receiver = new Receiver();
    secret = await make("all", [
      "download.completed",
      "download.failed",
      "job.completed",
      "job.failed",
      "client.offline",
      "client.online",
    ]);
    await Bun.write(system.source("a.txt"), "hello");
    await system.startClient();
  });
  afterAll(async () => {
    receiver?.stop();
    await system?.[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    receiver.answer = () => new Response("thanks");
  });

  test("is told of downloads and jobs as REST shows them, signed", async () => {
    const id = await system.pull("a.txt");
    const done = await received(receiver, "download.completed", id);
    const record = DownloadRecord.parse(done.data);
    expect(record).toEqual(await system.api.download(id));
    expect(done.timestamp).toBe(record.completed_at!);
    expect(Receiver.verify(done, secret)).toEqual(JSON.parse(done.body));
    expect(done.headers["user-agent"]).toStartWith("file-download-system/");

    const missing = await system.pull("none.txt");
    const failed = await received(receiver, "download.failed", missing);
    expect(failed.data).toMatchObject({ status: "failed", error_code: "file_not_found" });

    const order = { clients: { all: true as const }, download: { file_path: "a.txt" } };
    const { job_id } = await system.api.createJob(order);
    const job = JobRecord.parse((await received(receiver, "job.completed", job_id)).data);
    expect(job).toMatchObject({ status: "completed", total: 1, counts: { completed: 1 } });
    expect(new Set(receiver.messages.map((one) => one.id)).size).toBe(receiver.messages.length);
  });

  test("is told when a client is new, away for long enough, and back", async () => {
    const client = await system.startClient({ id: "site-2" });
    await received(receiver, "client.online", "site-2");
    client.signal("SIGTERM");
    const left = await received(receiver, "client.offline", "site-2");
    expect(ClientRecord.parse(left.data)).toMatchObject({ connected: false });
    await client.restart();
    await waitFor(() => receiver.about("site-2").length === 3, "it to be back");
    const told = receiver.about("site-2").map(({ type }) => type);
    expect(told).toEqual(["client.online", "client.offline", "client.online"]);
    expect(receiver.about("site-2")[2]!.data).toMatchObject({ connected: true });
  });

  test("is told what became of a delivery, and of which schedule", async () => {
    using other = new Receiver();
    await make("owed", ["delivery.missing", "delivery.late", "delivery.received"], other.url);
    const job = { clients: { ids: ["site-1"] }, download: { file_path: "owed.txt" } };
    const order = { name: "nightly", cron: "30 2 29 2 *", due: { after: "1s" }, job };
    const post = async (path: string, body: object) => {
      const headers = { Authorization: `Bearer ${API_TOKEN}` };
      const init = { method: "POST", headers, body: JSON.stringify(body) };
      const answer = await fetch(`${system.url}/api/${path}`, init);
      expect(answer.ok, path).toBe(true);
      return ScheduleRunAnswer.safeParse(await answer.json()).data?.jobs[0];
    };
    await post("schedules", order);
    const ran = await post("schedules/nightly/run", {});
    const missing = await received(other, "delivery.missing");
    expect(missing.data).toMatchObject({
      schedule: "nightly",
      client_id: "site-1",
      status: "missing",
      scheduled_local: ran!.scheduled_local,
    });
    await Bun.write(system.source("owed.txt"), "here it is");
    await post("schedules/nightly/run", { scheduled_local: ran!.scheduled_local });
    expect((await received(other, "delivery.late")).data).toMatchObject({ status: "late" });
    await system.api.webhooks.remove("owed");
  });

  test("is told only of what it asks for", async () => {
    using other = new Receiver();
    await make("other", ["download.failed"], other.url);
    await received(receiver, "download.completed", await system.pull("a.txt"));
    await received(other, "download.failed", await system.pull("none.txt"));
    expect(other.messages).toHaveLength(1);
    await system.api.webhooks.remove("other");
    await expect(system.api.webhooks.get("other")).rejects.toMatchObject({
      status: 404,
      code: "webhook_not_found",
    });
  });

  test("is tested at once, and tells what went wrong", async () => {
    const good = await system.api.webhooks.test("all");
    expect(good).toMatchObject({ delivered: true, response_status: 200, error: null });
    const message = await received(receiver, "webhook.test");
    expect(WebhookRecord.parse(message.data).name).toBe("all");
    receiver.answer = () => new Response("no", { status: 418 });
    expect(await system.api.webhooks.test("all")).toMatchObject({
      delivered: false,
      response_status: 418,
      error: "the receiver answered 418",
      next_attempt_at: null,
    });
    // Messages that other tests caused may still arrive, so only the test messages are compared.
    const { attempts } = await system.api.webhooks.attempts("all", { limit: "50" });
    const tests = attempts.filter(({ type }) => type === "webhook.test");
    expect(tests.map(({ response_status }) => response_status)).toEqual([418, 200]);
  });

  test("gets a message again when an attempt is replayed", async () => {
    receiver.answer = () => new Response("no", { status: 500 });
    const id = await system.pull("a.txt");
    await received(receiver, "download.completed", id);
    const failed = await waitFor(async () => {
      const { attempts } = await system.api.webhooks.attempts("all");
      return attempts.find(({ subject }) => subject === `download/${id}`);
    }, "the attempt to be told");
    expect(failed).toMatchObject({ delivered: false, response_status: 500 });
    expect(Date.parse(failed.next_attempt_at!)).toBeGreaterThan(Date.now() - TEST_LIMIT);
    receiver.answer = () => new Response("thanks");
    const replayed = await system.api.webhooks.replay("all", failed.attempt_id);
    expect(replayed).toMatchObject({ delivered: true, message_id: failed.message_id });
    const [first, again] = receiver.about(id);
    expect([again!.id, again!.body]).toEqual([first!.id, first!.body]);
    await expect(
      system.api.webhooks.replay("all", "0198c0de-0000-7000-8000-000000000000"),
    ).rejects.toMatchObject({ status: 404, code: "not_found" });
  });

  test("has two secrets while one takes the place of the other", async () => {
    using other = new Receiver();
    const before = await make("turning", ["storage.low"], other.url);
    const { secret: after, old_secret_until } = await system.api.webhooks.rotate("turning");
    expect(after).not.toBe(before);
    expect(Date.parse(old_secret_until!)).toBeGreaterThan(Date.now());
    await system.api.webhooks.test("turning");
    for (const one of [before, after]) Receiver.verify(other.messages[0]!, one);
    expect(() => Receiver.verify(other.messages[0]!, secret)).toThrow();
    expect(JSON.stringify(await system.api.webhooks.list())).not.toContain("whsec_");
    await system.api.webhooks.remove("turning");
  });

  test("is disabled by 410, and enabled again", async () => {
    using other = new Receiver();
    await make("leaving", ["download.completed"], other.url);
    other.answer = () => new Response("", { status: 410 });
    await system.pull("a.txt");
    const gone = await waitFor(async () => {
      const webhook = await system.api.webhooks.get("leaving");
      return webhook.status === "disabled" ? webhook : null;
    }, "it to be disabled");
    expect(gone).toMatchObject({ disabled_because: "gone" });
    other.answer = () => new Response("");
    await system.api.webhooks.change("leaving", { disabled: false });
    await received(other, "download.completed", await system.pull("a.txt"));
    await system.api.webhooks.remove("leaving");
  });

  test.each([
    ["http://10.0.0.1/", "10.0.0.1 is no address of the internet"],
    ["http://[fd00::1]/", "no address of the internet"],
    ["http://169.254.169.254/latest", "no address of the internet"],
    ["ftp://example.com/", "must be a URL"],
    ["https://user:secret@example.com/", "must be without a user"],
    ["https://example.com/#x", 'must be without a "#"'],
    [`https://example.com/${"x".repeat(2_048)}`, "at most 2048"],
    ["nonsense", "must be a URL"],
  ])("that leads to %s is refused", async (url, why) => {
    const asked = system.api.webhooks.create({ name: "bad", url, events: ["job.failed"] });
    await expect(asked).rejects.toMatchObject({ status: 400, code: "invalid_request" });
    await expect(asked).rejects.toThrow(why);
    await expect(system.api.webhooks.change("all", { url })).rejects.toThrow(why);
  });

  test("needs a name of its own and known events", async () => {
    const { url } = receiver;
    const again = system.api.webhooks.create({ name: "all", url, events: ["job.failed"] });
    await expect(again).rejects.toThrow('or remove the webhook "all" first');
    for (const events of [[], ["job.unknown"], ["*"]] as unknown as WebhookEvent[][]) {
      const asked = system.api.webhooks.create({ name: "new", url, events });
      await expect(asked).rejects.toMatchObject({ code: "invalid_request" });
    }
  });
});

test("a disk that is low is told of, once, also where the server starts again", async () => {
  using receiver = new Receiver();
  const env = { ...ROWS_IN_A_FILE, WEBHOOK_ALLOW: "127.0.0.1", MIN_FREE_DISK: "999999GiB" };
  await using system = await System.start(env);
  const { url } = receiver;
  await system.api.webhooks.create({ name: "disk", url, events: ["storage.low"] });
  const low = StorageSpace.parse((await received(receiver, "storage.low")).data);
  expect(low.free_bytes).toBeLessThan(low.min_free_bytes);
  await waitFor(
    async () => (await system.api.webhooks.get("disk")).waiting === 0,
    "the record of it",
  );
  system.server.signal("SIGTERM");
  await system.server.ended();
  await system.restartServer();
  await system.api.webhooks.test("disk");
  expect(receiver.messages.map(({ type }) => type)).toEqual(["storage.low", "webhook.test"]);
});

describe.skipIf(!openssl.isThere)(`by https (${openssl.hint})`, () => {
  test("the certificate has to be of the name, and no proxy is used", async () => {
    const folder = await mkdtemp(join(tmpdir(), "fds-webhooks-"));
    const authority = await Authority.make(folder, "authority");
    const { cert, key } = await authority.sign("receiver", "serverAuth");
    const pem = { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
    using receiver = new Receiver(pem);
    using proxy = new Receiver();
    await using system = await System.start({
      // Stores files on the disk, because requests to a bucket would go through the proxy, too.
      ...ROWS_IN_A_FILE,
      WEBHOOK_ALLOW: "localhost,127.0.0.0/8",
      NODE_EXTRA_CA_CERTS: authority.cert,
      HTTP_PROXY: proxy.url,
      HTTPS_PROXY: proxy.url,
    });
    const events: WebhookEvent[] = ["job.failed"];
    const tryOut = async (name: string, host: string) => {
      const url = `https://${host}:${receiver.port}/`;
      await system.api.webhooks.create({ name, url, events });
      return system.api.webhooks.test(name);
    };
    expect(await tryOut("right", "localhost")).toMatchObject({ delivered: true });
    expect(await tryOut("wrong", "127.0.0.2")).toMatchObject({ delivered: false });
    expect(receiver.messages.map(({ headers }) => headers["host"])).toEqual([
      `localhost:${receiver.port}`,
    ]);
    expect(proxy.messages).toEqual([]);
    await rm(folder, { recursive: true });
  });
});
