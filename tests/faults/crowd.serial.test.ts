import { expect, setDefaultTimeout, test } from "bun:test";
import { stayConnected } from "../../lib/client/reconnect.ts";
import { Roots } from "../../lib/client/owner-rules/roots.ts";
import { Logger } from "../../lib/util/logger.ts";
import { TokenBucket } from "../../lib/util/token-bucket.ts";
import { NO_POSTGRES, Postgres } from "../support/postgres.ts";
import { writeRandom } from "../support/sources.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { ServerGroup } from "../support/server-group.ts";
import { seedCount } from "./seeds.ts";
import { KiB, MiB } from "./stage.ts";

setDefaultTimeout(3 * TEST_LIMIT);

const CLIENTS = 1000;
/** The number of clients in the test with three servers. `FAULT_SEEDS=1000` makes it 1,000. */
const CLIENTS_OF_THREE = seedCount(60);
/** The number of clients that are asked for a file. It exceeds the server's download slots. */
const ASKED = 100;

/** Many real clients in this process, each with its own connection to the server. */
class Crowd implements AsyncDisposable {
  /** Each client's first wait after a broken connection, in seconds, read from its log. */
  readonly waits: number[] = [];
  /** The number of registrations of all clients together. */
  registrations = 0;
  readonly #stopping = new AbortController();
  readonly #connected: Promise<void>[];

  /** Starts the clients. @param url of the server @param count the number of clients */
  constructor(url: string, roots: Roots, count: number) {
    this.#connected = Array.from({ length: count }, (_, n) => this.#start(url, roots, n));
  }

  #start(url: string, roots: Roots, n: number): Promise<void> {
    let registered = false;
    const write = (line: string) => {
      const isRegistered = /registered as/.test(line);
      registered ||= isRegistered;
      if (isRegistered) this.registrations++;
      const [, seconds] = /next try in ([\d.]+) s/.exec(line) ?? [];
      if (!registered || seconds === undefined) return;
      this.waits.push(Number(seconds));
      registered = false;
    };
    const keys = { key: `the key of client ${n}` };
    return stayConnected(
      {
        id: `site-${n}`,
        serverUrl: new URL(`${url.replace("http", "ws")}/ws`),
        keys,
        isKeyNew: false,
        prepareKeys: async () => keys,
        takeNewKey: async () => {},
        enrolToken: ENROLL_TOKEN,
        version: "1.0.0",
        timeZone: null,
        chunkSize: MiB,
        rateLimit: new TokenBucket(null),
        dailyLimit: null,
        compress: true,
        onRequestEnded: async () => {},
        roots,
        proxy: null,
        tlsToUse: async () => ({}),
        logger: new Logger({ level: "info", format: "json", write }),
      },
      this.#stopping.signal,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#connected);
  }
}

test("row 34: 1,000 clients reconnect at once", async () => {
  await using system = await System.start();
  const wanted = await writeRandom(system.source("file"), 200 * KiB);
  await using crowd = new Crowd(system.url, await Roots.open([system.source("")]), CLIENTS);
  const allThere = async () => (await system.api.health()).connected_clients === CLIENTS;
  await waitFor(allThere, "all clients to be there", TEST_LIMIT);

  const ids = await Promise.all(
    Array.from({ length: ASKED }, (_, n) => system.pull("file", `site-${n}`)),
  );
  // While a busy machine registered the clients, some connections may have broken. Their waits are dropped.
  crowd.waits.length = 0;
  system.server.signal("SIGKILL");
  await system.restartServer();
  await waitFor(allThere, "all clients to be back", TEST_LIMIT);

  // The waits are spread over 0 to 1 s (full jitter), and the log has them in tenths of a second. Each
  // fifth of that range must have enough waits. The least likely is the first one, below 0.15 s: about 150
  // of 1,000 waits. The limit of 80 is six standard deviations below that.
  expect(crowd.waits).toHaveLength(CLIENTS);
  const fifths = [0, 0, 0, 0, 0];
  for (const wait of crowd.waits) fifths[Math.min(4, Math.floor(Math.round(wait * 10) / 2))]!++;
  expect(Math.min(...fifths)).toBeGreaterThan(0.08 * CLIENTS);

  for (const id of ids) await system.expectDelivered(await system.ended(id), wanted);
  await system.expectTidy();
});

test.skipIf(NO_POSTGRES !== "")(
  `row 34: the clients of one of three servers come to the others at once${NO_POSTGRES}`,
  async () => {
    await using postgres = await Postgres.start();
    const databaseUrl = await postgres.makeDatabase();
    await using group = await ServerGroup.start({ count: 3, databaseUrl });
    const wanted = await writeRandom(group.source("file"), 200 * KiB);
    const roots = await Roots.open([group.source("")]);
    await using crowd = new Crowd(group.balancer.url, roots, CLIENTS_OF_THREE);
    const registered = (times: number) => () => crowd.registrations >= times * CLIENTS_OF_THREE;
    await waitFor(registered(1), "all clients to be there", TEST_LIMIT);
    const asking = Array.from({ length: Math.min(ASKED, CLIENTS_OF_THREE) }, (_, n) =>
      group.at(n % 3).api.startDownload({ client_id: `site-${n}`, file_path: "file" }),
    );
    const asked = await Promise.all(asking);
    // All clients are connected to server 0, the balancer's first choice.
    group.at(0).program.signal("SIGKILL");
    await waitFor(registered(2), "all clients to be with another server", TEST_LIMIT);
    for (const { download_id } of asked) {
      await group.expectDelivered(await group.ended(download_id, group.at(1)), wanted);
    }
    expect(await group.parts()).toEqual([]);
  },
);
