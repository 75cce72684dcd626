import { expect, setDefaultTimeout, test } from "bun:test";
import { type WebhookEvent } from "../../lib/api/webhook-events.ts";
import { NO_POSTGRES, Postgres } from "../support/postgres.ts";
import { received, Receiver } from "../support/receiver.ts";
import { ServerGroup } from "../support/server-group.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Webhooks of several servers: which server sends a message, and what happens when that server dies. */

test.skipIf(NO_POSTGRES !== "")(
  `of several servers one tells each event${NO_POSTGRES}`,
  async () => {
    using receiver = new Receiver();
    await using postgres = await Postgres.start();
    await using group = await ServerGroup.start({
      count: 2,
      databaseUrl: await postgres.makeDatabase(),
      env: { WEBHOOK_ALLOW: "127.0.0.1", OFFLINE_AFTER: "5s" },
    });
    const { api } = group.at(0);
    const events: WebhookEvent[] = [
      "download.completed",
      "job.completed",
      "delivery.received",
      "client.offline",
      "client.online",
    ];
    const { secret } = await api.webhooks.create({ name: "ops", url: receiver.url, events });
    await Bun.write(group.source("file"), "content");
    group.balancer.prefer(group.at(1).port);
    const client = await group.startClient();
    await received(receiver, "client.online", "site-1");

    const ids: string[] = [];
    for (let n = 0; n < 12; n++) {
      const order = { client_id: "site-1", file_path: "file" };
      ids.push((await group.at(n % 2).api.startDownload(order)).download_id);
    }
    for (const id of ids) {
      Receiver.verify(await received(receiver, "download.completed", id), secret);
    }

    // A schedule that one server runs causes one message each for its job and its delivery.
    const headers = { Authorization: `Bearer ${API_TOKEN}` };
    const post = (path: string, body: object) =>
      fetch(`${group.at(1).url}/api/${path}`, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
    const job = { clients: { all: true }, download: { file_path: "file" } };
    expect((await post("schedules", { name: "nightly", cron: "30 2 29 2 *", job })).status).toBe(
      201,
    );
    expect((await post("schedules/nightly/run", {})).status).toBe(202);
    for (const type of ["job.completed", "delivery.received"]) {
      await received(receiver, type, "nightly");
    }

    // A client that reconnects to the other server is not reported as offline.
    group.balancer.prefer(group.at(0).port);
    await group.reconnect();
    client.signal("SIGKILL");
    await received(receiver, "client.offline", "site-1");
    await client.restart();
    await waitFor(() => receiver.messages.length === ids.length + 3 + 3, "it to be back");
    const told = receiver.messages.filter(({ data }) => "hostname" in data);
    expect(told.map(({ type }) => type)).toEqual([
      "client.online",
      "client.offline",
      "client.online",
    ]);
    expect(new Set(receiver.messages.map(({ id }) => id)).size).toBe(receiver.messages.length);
  },
);
