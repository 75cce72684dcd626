import type { Program } from "../support/programs.ts";
import { DIRECTIONS, type Direction, PERFECT } from "../support/proxy/conditions.ts";
import type { Random } from "../support/random.ts";
import type { System } from "../support/system.ts";
import type { Site } from "./site.ts";
import type { World } from "./world.ts";

const KiB = 1024;
const SECOND = 1000;

/** A fault: something that goes wrong. Resolves when the fault is over. */
export type Fault<Target> = (target: Target, world: World, random: Random) => Promise<unknown>;

/**
 * Minimum length of a piece of the data stream in which a bit is flipped, in bytes. Such a piece contains
 * hardly anything but bytes of a file.
 */
const PAYLOAD = 16 * KiB;
/** Maximum time until an ended program is started again, in ms. */
const AWAY = 3_000;
/** Maximum number of bytes that are forwarded before a bit is flipped. */
const FLIP_WITHIN = 256 * KiB;

/** Faults that may happen to any site. */
export const SITE_FAULTS: Record<string, Fault<Site>> = {
  "connection closed": async ({ proxy }) => proxy.cut("fin"),
  "connection reset": async ({ proxy }) => proxy.cut("rst"),
  "one direction black": ({ proxy }, world, random) => {
    const direction = random.pick(DIRECTIONS);
    return blackout(world, random, [direction], proxy);
  },
  "both directions black": ({ proxy }, world, random) => {
    return blackout(world, random, DIRECTIONS, proxy);
  },
  "slow line": async ({ proxy }, world, random) => {
    proxy.shape({ bytesPerSecond: random.int(64 * KiB, 1024 * KiB) });
    await world.rest(random.int(1, 10) * SECOND);
    proxy.shape(PERFECT);
  },
  "long line": async ({ proxy }, world, random) => {
    proxy.shape({ delay: random.int(25, 150), jitter: random.int(0, 50) });
    await world.rest(random.int(1, 10) * SECOND);
    proxy.shape(PERFECT);
  },
  "bit flipped": async ({ proxy }, _, random) => {
    const bit = random.int(0, 7);
    void proxy.after("up", random.int(0, FLIP_WITHIN), (next) => {
      if (next.length >= PAYLOAD) next[next.length >> 1]! ^= 1 << bit;
    });
  },
  "source changed": async ({ sources }, world, random) => {
    await random.pick(sources).change(random, () => world.rest(random.int(100, 3 * SECOND)));
  },
};

/** Faults that may happen to a site whose client may be killed. */
export const CLIENT_FAULTS: Record<string, Fault<Site>> = {
  ...SITE_FAULTS,
  "client killed": ({ client }, world, random) => endClient(client, "SIGKILL", world, random),
  "client stopped": ({ client }, world, random) => endClient(client, "SIGTERM", world, random),
};

/** Faults of the server process. They affect all sites. */
export const SERVER_FAULTS: Record<string, Fault<System>> = {
  "server killed": (system, world, random) => endServer(system, "SIGKILL", world, random),
  "server stopped": (system, world, random) => endServer(system, "SIGTERM", world, random),
};

/** Faults of the server's disk. */
export const DISK_FAULTS: Record<string, Fault<System>> = {
  "disk full": (_, world, random) =>
    world.whileFull(random.pick([0, 64 * KiB, 900 * KiB]), () =>
      world.rest(random.int(2, 8) * SECOND),
    ),
};

/**
 * Lets no bytes pass for a while, sometimes for so long that both sides must detect the dead connection by a
 * timeout.
 */
async function blackout(
  world: World,
  random: Random,
  directions: readonly Direction[],
  proxy: Site["proxy"],
): Promise<void> {
  for (const direction of directions) proxy.hold(direction);
  await world.rest(random.pick([1, 2, 3, 5, 8, 60]) * SECOND);
  for (const direction of directions) proxy.release(direction);
}

async function endClient(
  client: Program,
  signal: NodeJS.Signals,
  world: World,
  random: Random,
): Promise<void> {
  client.signal(signal);
  await world.rest(random.int(0, AWAY));
  // Does not wait until the client is connected. Other faults may happen before that.
  await client.launch();
}

async function endServer(
  system: System,
  signal: NodeJS.Signals,
  world: World,
  random: Random,
): Promise<void> {
  system.server.signal(signal);
  await world.rest(random.int(0, AWAY));
  await system.restartServer();
}
