import type { Program } from "../support/programs.ts";
import { DIRECTIONS, type Direction, PERFECT } from "../support/proxy/conditions.ts";
import type { Random } from "../support/random.ts";
import type { System } from "../support/system.ts";
import type { Site } from "./site.ts";
import type { World } from "./world.ts";

const KiB = 1024;
const SECOND = 1000;

/** Something that goes wrong, and is over when it resolves. */
export type Fault<Target> = (target: Target, world: World, random: Random) => Promise<unknown>;

/** Pieces of the flow that are as long as this hold bytes of a file, but for a header or two. */
const PAYLOAD = 16 * KiB;
/** What was ended is started again at most this long after, in ms. */
const AWAY = 3_000;
/** A bit flips at most this far on in the flow, in bytes. */
const FLIP_WITHIN = 256 * KiB;

/** What happens to any site. */
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

/** What happens to a site whose client may die. */
export const CLIENT_FAULTS: Record<string, Fault<Site>> = {
  ...SITE_FAULTS,
  "client killed": ({ client }, world, random) => endClient(client, "SIGKILL", world, random),
  "client stopped": ({ client }, world, random) => endClient(client, "SIGTERM", world, random),
};

/** What happens to the server, and with it to everybody. */
export const SERVER_FAULTS: Record<string, Fault<System>> = {
  "server killed": (system, world, random) => endServer(system, "SIGKILL", world, random),
  "server stopped": (system, world, random) => endServer(system, "SIGTERM", world, random),
};

/** What happens to the server's disk. */
export const DISK_FAULTS: Record<string, Fault<System>> = {
  "disk full": (_, world, random) =>
    world.whileFull(random.pick([0, 64 * KiB, 900 * KiB]), () =>
      world.rest(random.int(2, 8) * SECOND),
    ),
};

/** Nothing passes for a while; now and then for so long that both sides must notice by themselves. */
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
  // It may take long to be registered again: other things go wrong meanwhile.
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
