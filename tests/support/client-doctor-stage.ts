import { afterAll, beforeAll } from "bun:test";
import { ClientDoctor } from "./client-doctor.ts";
import { System } from "./system.ts";

export let system: System;
/** Runs `client doctor` against {@link system}. */
export let doctor: ClientDoctor;

/** Before a file's tests, starts a server with one healthy client and one whose key is revoked. */
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
