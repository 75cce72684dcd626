import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { History } from "../support/history.ts";
import { NO_POSTGRES, Postgres } from "../support/postgres.ts";
import { ServerGroup } from "../support/server-group.ts";
import { type Version, writeRandom } from "../support/sources.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { MiB } from "./stage.ts";

setDefaultTimeout(TEST_LIMIT);

const SIZE = 16 * MiB;

/*
 * Row 50 of the fault table: the network between servers and Postgres loses all packets. Connections stay
 * open, so a server only notices missing answers.
 */
describe.skipIf(NO_POSTGRES !== "")(
  `a network that loses all between servers and Postgres${NO_POSTGRES}`,
  () => {
    let postgres: Postgres;
    let ways: CuttingProxy[];
    let group: ServerGroup;
    let history: History;
    let wanted: Version;

    beforeAll(async () => {
      postgres = await Postgres.start();
      ways = await Promise.all([1, 2].map(() => CuttingProxy.start(postgres.port)));
      const databaseUrl = await postgres.makeDatabase();
      const name = new URL(databaseUrl).pathname.slice(1);
      const databaseUrls = ways.map(({ port }) => postgres.urlOf(name, port));
      group = await ServerGroup.start({ count: 2, databaseUrl, databaseUrls });
      history = await History.begin(databaseUrl);
      wanted = await writeRandom(group.source("file"), SIZE);
      group.balancer.prefer(group.at(0).port);
      await group.startClient();
    });
    afterAll(async () => {
      await history?.[Symbol.asyncDispose]();
      await group?.[Symbol.asyncDispose]();
      for (const way of ways) await way[Symbol.asyncDispose]();
      await postgres?.[Symbol.asyncDispose]();
    });

    const statusOf = async (n: number, path: "/health" | "/live") =>
      (await fetch(group.at(n).url + path)).status;

    /**
     * Waits until a server's health is 503 and its log says that the database does not answer.
     * @param known the number of log lines before
     */
    async function noticed(n: number, known: number): Promise<void> {
      await waitFor(async () => (await statusOf(n, "/health")) === 503, "the health to tell");
      const told = () => group.at(n).program.log().slice(known);
      await waitFor(
        () => told().some(({ message }) => message.startsWith("the database does not answer")),
        "a statement to be given up",
      );
    }

    for (const old of ["late", "lost"] as const) {
      for (const silent of [[0], [0, 1]]) {
        const who = silent.length === 1 ? "one of two servers" : "all servers";
        test(`row 50: ${who} noticed, and goes on; what was on the way is ${old}`, async () => {
          const running = await group.pullHalf(SIZE);
          const known = group.members.map(({ program }) => program.log().length);
          for (const n of silent) ways[n]?.goSilent();
          group.network.release("up");
          // The request is sent while Postgres does not answer, and may get lost: its download is made
          // once, or never.
          const asking = group.at(0).api.startDownload({ client_id: "site-1", file_path: "file" });
          const asked = asking.then(({ download_id }) => [download_id]);
          asked.catch(() => undefined);
          for (const n of silent) {
            await noticed(n, known[n] ?? 0);
            expect(await statusOf(n, "/live")).toBe(200);
          }
          for (const n of [0, 1]) {
            if (!silent.includes(n)) expect(await statusOf(n, "/health")).toBe(200);
          }
          for (const n of silent) {
            ways[n]?.speakAgain();
            if (old === "late") ways[n]?.arriveLate();
          }
          for (const n of silent) {
            await waitFor(async () => (await statusOf(n, "/health")) === 200, "its health");
          }
          const ids = [running, ...(await asked.catch(() => []))];
          for (const id of ids) await group.expectDelivered(await group.ended(id), wanted);
          // REST calls may fail for a moment after the health is good, until a delayed statement has been
          // answered.
          const all = await waitFor(
            () =>
              group
                .at(1)
                .api.downloads({ limit: "1000" })
                .catch(() => null),
            "calls to be answered",
          );
          for (const { download_id, status } of all.downloads) {
            if (status !== "completed") ids.push(download_id);
          }
          for (const id of ids) await group.expectDelivered(await group.ended(id), wanted);
          await waitFor(async () => (await group.parts()).length === 0, "the parts to go");
          await history.expectOneOwnerAtATime();
          // A new download shows that everything works again, hints between the servers included.
          const { download_id } = await group
            .at(1)
            .api.startDownload({ client_id: "site-1", file_path: "file" });
          await group.expectDelivered(await group.ended(download_id), wanted);
        });
      }
    }
  },
);
