import { afterAll, beforeAll } from "bun:test";
import { ClientDoctor } from "./client-doctor.ts";
import { System } from "./system.ts";

export let system: System;
/** The doctor of clients of that server. */
export let doctor: ClientDoctor;

/** Starts a server with a client that is well, and one that is revoked, before the tests of a file. */
export function useClientDoctor(): void {
  beforeAll(async () => {
    system = await System.start();
    doctor = new ClientDoctor(system);
    await system.startClient();
    const revoked = await system.startClient({ id: "revoked" });
    await revoked[Symbol.asyncDispose]();
    await system.api.revokeClient("revoked");
  });

  afterAll(() => system?.[Symbol.asyncDispose]());
}
