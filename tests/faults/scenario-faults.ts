import type { Program } from "../support/programs.ts";
import type { Direction } from "../support/proxy/conditions.ts";
import type { Proxy } from "../support/proxy.ts";
import type { Random } from "../support/random.ts";
import type { System } from "../support/system.ts";

/** What a fault can be made with. */
export interface Scene {
  system: System;
  /** Between the client and the server. */
  proxy: Proxy;
  client: Program;
  random: Random;
}

/** What breaks at a moment, and what a person, a service manager or time then mends. */
export interface Fault {
  strike: (scene: Scene) => void;
  mend: (scene: Scene) => Promise<unknown>;
}

/** A stall is over long before anybody takes the other for dead, in ms. */
const LONGEST_STALL = 300;

/** Every fault that the generator of scenarios knows. */
export const FAULTS = {
  "the socket is closed": {
    strike: ({ proxy }) => proxy.cut("fin"),
    mend: async () => undefined,
  },
  "the socket is reset": {
    strike: ({ proxy }) => proxy.cut("rst"),
    mend: async () => undefined,
  },
  "the client is killed": {
    strike: ({ client }) => client.signal("SIGKILL"),
    mend: ({ client }) => client.restart(),
  },
  "the server is killed": {
    strike: ({ system }) => system.server.signal("SIGKILL"),
    mend: ({ system }) => system.restartServer(),
  },
  "both are killed": {
    strike: ({ system, client }) => {
      system.server.signal("SIGKILL");
      client.signal("SIGKILL");
    },
    mend: ({ system, client }) => Promise.all([system.restartServer(), client.restart()]),
  },
  "nothing gets through for a while": stall("up", "down"),
  "nothing comes from the client for a while": stall("up"),
  "nothing comes from the server for a while": stall("down"),
  "the link becomes slow": {
    strike: ({ proxy, random }) => {
      proxy.shape({ delay: random.int(1, 50), jitter: 20, bytesPerSecond: 4 * 1024 * 1024 });
    },
    mend: async () => undefined,
  },
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

function stall(...directions: Direction[]): Fault {
  return {
    strike: ({ proxy }) => directions.forEach((direction) => proxy.hold(direction)),
    mend: async ({ proxy, random }) => {
      await Bun.sleep(random.int(0, LONGEST_STALL));
      for (const direction of directions) proxy.release(direction);
    },
  };
}
