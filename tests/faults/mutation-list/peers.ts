import type { Mutation } from "./mutation.ts";
import {
  ADDRESSES,
  CLIENT_DOCTOR,
  RULES,
  SESSION_TIME,
  UNREGISTERED,
  WAITING_ROOM,
} from "./tests.ts";

/** Mutations of connections, owner's rules and webhooks: who may do what. */
export const PEERS: readonly Mutation[] = [
  {
    name: "strangers-read-all-at-once",
    breaks: "E: who has not registered holds next to nothing",
    file: "lib/server/http/waiting-room.ts",
    find: `  enter(guest: G, address: string): void {
    guest.pause();`,
    replace: `  enter(guest: G, address: string): void {`,
    caughtBy: {
      [WAITING_ROOM]: "waits for its turn where as many are read as may be",
      [UNREGISTERED]: "are not kept in memory",
    },
  },
  {
    name: "any-answer-of-an-old-connection",
    breaks: "F: what a client left behind when its line broke is no second machine",
    file: "lib/server/clients/presence-check.ts",
    find: `if (this.#pending?.nonce !== payload) return;`,
    replace: `if (!this.#pending) return;`,
    caughtBy: { [SESSION_TIME]: "it is what the client left behind, and ends" },
  },
  {
    name: "question-takes-the-connection",
    breaks: "C: a client that runs stays connected while somebody asks whether it may register",
    file: "lib/server/clients/clients.ts",
    find: `const enrols = await this.#registrar.probe(message, session.remoteAddress);`,
    replace: `const enrols = (await this.#letIn(session, { ...message, type: "register" })) !== null;`,
    caughtBy: { [CLIENT_DOCTOR]: "of a client that is connected, which stays so" },
  },
  {
    name: "question-uses-up-the-key",
    breaks: "an enrolment key is good until somebody enrols with it",
    file: "lib/server/clients/registrar.ts",
    find: `    // A probe records no client, so its id is never counted as a new one.`,
    replace: `    if (admission.usedKey) await this.options.enrolmentKeys.use(admission.usedKey);`,
    caughtBy: { [CLIENT_DOCTOR]: "of one with an enrolment key, which is not used up" },
  },
  {
    name: "names-that-windows-reads-otherwise",
    breaks: "nothing leaves a site but what its owner lets out",
    file: "lib/client/owner-rules/rules.ts",
    find: `    return !this.isWindows || paths`,
    replace: `    return true || paths`,
    caughtBy: { [RULES]: "stays: Windows takes it for something else" },
  },
  {
    name: "one-address-of-a-name-checked",
    breaks: "nothing private is reached: each address of a name may be what is connected to",
    file: "lib/server/webhooks/destinations.ts",
    find: `const refused = addresses.find((`,
    replace: `const refused = addresses.slice(0, 1).find((`,
    caughtBy: { [ADDRESSES]: "is refused, by name" },
  },
];
