import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignInCode } from "../../lib/api/schemas.ts";
import { lacksFaketime } from "../support/machine.ts";
import type { WireFrame } from "../support/proxy/websocket-frames.ts";
import { ScriptedClient } from "../support/scripted-client.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { WallClock } from "../support/wall-clock.ts";
import { delivered, MiB, setStage } from "./stage.ts";

setDefaultTimeout(TEST_LIMIT);

const DAY_MS = 86_400_000;

const canSetClocks = lacksFaketime === "";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-clocks-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let clocks = 0;

/** Makes a wall clock that is wrong by this many days from the start. Negative: it is slow. */
function clockThatIs(days: number): WallClock {
  const clock = new WallClock(folder, `clock-${clocks++}`);
  clock.set(days);
  return clock;
}

/** Returns by how many days a clock is ahead. @param time the time that this clock shows now */
function daysAhead(time: string): number {
  return Math.floor((Date.parse(time) - Date.now()) / DAY_MS + 0.5);
}

/** Signs in at a server as a browser does. @param shown the token or the sign-in code */
function signIn({ url }: System, shown: object): Promise<Response> {
  const body = JSON.stringify(shown);
  return fetch(`${url}/api/session`, { method: "POST", headers: { Origin: url }, body });
}

describe(`row 32: clocks that are 10 days off and stepped under way${lacksFaketime}:`, () => {
  test.concurrent.skipIf(!canSetClocks).each([
    ["the server's put back, the client's put forward", { server: [10, -10], client: [-10, 10] }],
    ["the server's put forward, the client's put back", { server: [-10, 10], client: [10, -10] }],
  ])("nobody is taken for dead: %s", async (_, days) => {
    const server = clockThatIs(days.server[0]!);
    const client = clockThatIs(days.client[0]!);
    // The link carries 1 MiB/s, so that both sides check several times whether the other is alive.
    const slow = { bytesPerSecond: MiB };
    await using stage = await setStage({
      size: 7 * MiB,
      env: server.env,
      clientEnv: client.env,
      prepare: (proxy) => proxy.shape(slow, "up"),
    });
    const { system, proxy, invariants } = stage;
    const stepped = proxy.after("up", MiB, () => {
      server.set(days.server[1]!);
      client.set(days.client[1]!);
    });
    const downloadId = await system.pull("file");
    await stepped;
    await invariants.expectEnded(new Map([[downloadId, stage.wanted]]));
    const { attempts, created_at, completed_at } = await system.api.download(downloadId);
    expect(attempts).toBe(1);
    expect([created_at, completed_at!].map(daysAhead)).toEqual(days.server);
    const log = system.programs.flatMap((program) => program.log());
    expect(log.filter(({ message }) => /dropped|not connected/.test(message))).toEqual([]);
  });

  test.concurrent.skipIf(!canSetClocks).each([
    ["put back", -10],
    ["put forward", 10],
  ])("who waits for another try does not wait for days: %s", async (_, days) => {
    const clock = clockThatIs(0);
    const network = { spoils: true };
    const spoil = ({ bytes, payloadAt, isBinary }: WireFrame) => {
      if (isBinary && network.spoils) bytes[payloadAt]! ^= 1;
      return [bytes];
    };
    await using stage = await setStage({
      size: MiB,
      env: clock.env,
      prepare: (proxy) => proxy.rewrite("up", spoil),
    });
    const { system, invariants } = stage;
    const downloadId = await system.pull("file");
    await waitFor(
      () => system.server.log().filter(({ message }) => /tries again/.test(message)).length === 2,
      "two tries to fail",
    );
    network.spoils = false;
    clock.set(days);
    await invariants.expectAll(delivered(downloadId, stage, 2));
  });

  test.concurrent.skipIf(!canSetClocks).each([
    ["forward and right again", [10, 0]],
    ["back and far forward", [-10, 10]],
  ])("what is good for a time stays good: %s", async (_, steps) => {
    const clock = clockThatIs(0);
    await using system = await System.start(clock.env);
    const hour = { expires_in_seconds: 3600 };
    const { token } = await system.api.createToken({ name: "till", role: "viewer", ...hour });
    const enrolment = { name: "spring", ids: "*", max_uses: null, ...hour };
    const { enrolment_key } = await system.api.createEnrolmentKey(enrolment);
    const bearer = { Authorization: `Bearer ${token}` };
    const signedIn = await signIn(system, { token });
    const cookie = { Cookie: signedIn.headers.get("Set-Cookie")!.split(";")[0]! };
    // Makes one failed sign-in fewer than the 10 that are allowed in quick succession. Their count goes
    // down within minutes, however the wall clock is set.
    for (let tries = 0; tries < 9; tries++) await signIn(system, { code: "guessed" });

    for (const days of steps) {
      const made = await fetch(`${system.url}/api/session/code`, {
        method: "POST",
        headers: bearer,
      });
      const { code } = SignInCode.parse(await made.json());
      clock.set(days);
      expect((await system.api.health()).uptime_seconds).toBeLessThan(TEST_LIMIT / 1000);
      expect((await signIn(system, { code })).status).toBe(200);
      for (const headers of [bearer, cookie]) {
        expect((await fetch(`${system.url}/api/clients`, { headers })).status).toBe(200);
      }
      const registration = { client_id: `site-${days + 10}`, enroll_token: enrolment_key };
      await using site = await ScriptedClient.register(system.url, registration);
      const clients = await system.api.clients();
      const { connected_at } = clients.find(
        ({ client_id }) => client_id === registration.client_id,
      )!;
      expect(daysAhead(connected_at!)).toBe(days);
      expect(site.isOpen).toBeTrue();
    }
  });
});
