import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { watch } from "../support/leaks.ts";
import { upgradeRequest } from "../support/raw-websocket.ts";
import { type Version, writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { tell } from "./effort.ts";
import { spawn } from "../support/spawn.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Floods of connections, made here or by the tool slowhttptest. Meanwhile three sites deliver, and afterwards
 * no resources may be left. All floods run at once on servers of their own, as they mostly wait.
 */

const MiB = 1024 * 1024;
const SITES = ["site-1", "site-2", "site-3"];

/** A server with three sites that must be able to deliver during a flood. */
class Sites implements AsyncDisposable {
  private constructor(
    readonly system: System,
    private readonly wanted: Version,
  ) {}

  static async start(): Promise<Sites> {
    const system = await System.start();
    try {
      const wanted = await writeRandom(system.source("data.bin"), 16 * MiB);
      for (const id of SITES) await system.startClient({ id });
      return new Sites(system, wanted);
    } catch (error) {
      await system[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Downloads a file from each site at the same time, and expects each to succeed in its first attempt. */
  async expectThreePulls(): Promise<void> {
    const { system } = this;
    const pulls = await Promise.all(SITES.map((id) => system.pull("data.bin", id)));
    expect(await system.api.health()).toMatchObject({ connected_clients: SITES.length });
    for (const id of pulls) {
      const record = await system.ended(id);
      await system.expectDelivered(record, this.wanted);
      expect(record.attempts).toBe(1);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.system[Symbol.asyncDispose]();
  }
}

const UPGRADE = upgradeRequest();

test.concurrent.each([
  ["connections that say nothing", ""],
  ["upgrades that are never ended", UPGRADE.slice(0, -2)],
  ["clients that never register", UPGRADE],
])("a flood of 500 %s is cut off", async (_, said) => {
  await using sites = await Sites.start();
  const { system } = sites;
  const footprint = await watch(system.server);
  const sockets = await Promise.all(Array.from({ length: 500 }, () => open(system.port, said)));
  try {
    await sites.expectThreePulls();
    await waitFor(() => sockets.every(isGone), "all of them to be cut off");
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  tell(await footprint.expectNoLeak());
  await system.expectTidy();
});

async function open(port: number, said: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  // The server may reset the connection, which the test expects.
  socket.on("error", () => socket.destroy());
  await new Promise((resolve) => socket.on("connect", resolve).on("close", resolve));
  socket.write(said);
  socket.resume();
  return socket;
}

function isGone(socket: Socket): boolean {
  return socket.destroyed || socket.readableEnded;
}

const isThere = Bun.which("slowhttptest") !== null;

/** Flags of slowhttptest for each attack. Each attack takes at most 20 s, with 200 connections. */
const ATTACKS: Record<string, { path: string; flags: string[] }> = {
  "a head that never ends": { path: "/health", flags: ["-H", "-i", "3", "-x", "24"] },
  "a body that dribbles": {
    path: "/api/session",
    flags: ["-B", "-i", "3", "-s", "8192", "-x", "10", "-t", "POST"],
  },
  "an answer that is hardly read": {
    path: "/openapi.json",
    flags: ["-X", "-n", "3", "-w", "512", "-y", "1024", "-z", "32", "-k", "3"],
  },
  "a thousand ranges": { path: "/", flags: ["-R", "-a", "10", "-b", "3000"] },
};

describe.skipIf(!isThere)(
  isThere ? "slowhttptest with" : "slowhttptest (needs it: apt-get install slowhttptest) with",
  () => {
    test.concurrent.each(Object.entries(ATTACKS))("%s", async (_, { path, flags }) => {
      await using sites = await Sites.start();
      const { system } = sites;
      const footprint = await watch(system.server);
      const often = ["-c", "200", "-r", "200", "-l", "20"];
      const attack = spawn(["slowhttptest", ...flags, ...often, "-u", `${system.url}${path}`], {
        stdout: "pipe",
        stderr: "ignore",
      });
      const told = attack.stdout.text();
      await sites.expectThreePulls();
      expect(await attack.exited).toBe(0);
      const text = Bun.stripANSI(await told);
      expect(text).toMatch(/service available: +YES/);
      expect(text).not.toMatch(/service available: +NO/);
      tell(await footprint.expectNoLeak());
      await system.expectTidy();
    });
  },
);
