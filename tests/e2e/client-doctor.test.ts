import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import packageJson from "../../package.json";
import { SUBPROTOCOL } from "../../lib/protocol/messages.ts";
import { doctor, system, useClientDoctor } from "../support/client-doctor-stage.ts";
import { type SetUp } from "../support/client-doctor.ts";
import {
  lacksRights,
  lacksRoot,
  makeClosedFolder,
  makeFolderOfNobody,
  withLessRights,
} from "../support/less-rights.ts";
import { ENROLL_TOKEN } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useClientDoctor();

/* Findings of `client doctor` for a healthy client, and for each kind of broken set-up. */

describe("all is well", () => {
  test("of a client that is connected, which stays so", async () => {
    const record = async () =>
      (await system.api.clients()).find(({ client_id }) => client_id === "site-1");
    const before = await record();
    const { exitCode, text, wrong } = await doctor.ask();
    expect([exitCode, wrong]).toEqual([0, {}]);
    expect(text).toContain("✓ registration   the server knows this client, which is connected now");
    expect(text).toEndWith("\nAll is well.\n");
    const { connected_at } = before!;
    expect(await record()).toMatchObject({ connected: true, connected_at, problem: null });
  });

  test("of one that is new, which no server knows by that", async () => {
    const { exitCode, text } = await doctor.ask({ id: "new", env: { ENROLL_TOKEN } });
    expect(exitCode).toBe(0);
    expect(text).toContain("– key            none yet, the client makes one at its first start");
    expect(text).toContain("✓ registration   the client may enrol when it starts");
    const known = await system.api.clients();
    expect(known.map(({ client_id }) => client_id)).not.toContain("new");
    expect(await Bun.file(join(system.folder, "new/key")).exists()).toBe(false);
  });

  test("of one with an enrolment key, which is not used up", async () => {
    const order = { name: "once", ids: "new", replace: false, max_uses: 1, labels: {} };
    const made = await system.api.createEnrolmentKey({ ...order, expires_in_seconds: null });
    const { exitCode } = await doctor.ask({ id: "new", env: { ENROLL_TOKEN: made.enrolment_key } });
    expect(exitCode).toBe(0);
    const [key] = await system.api.enrolmentKeys();
    expect(key).toMatchObject({ name: "once", uses: 0 });
  });
});

describe("what is wrong with the settings", () => {
  test.each<[string, string[], RegExp]>([
    ["an id that is none", ["--id", "a b"], /--id is "a b", expected 1 to 64 letters/],
    ["no TLS to another machine", ["--server", "http://far.test"], /use https:/],
    ["a CA that is not there", [], /TLS_CA is "gone.pem", expected the path of a file/],
  ])("%s", async (_, flags, words) => {
    await doctor.expectWrong(
      { flags, env: flags.length ? {} : { TLS_CA: "gone.pem" } },
      "settings",
      words,
    );
  });
});

describe("what is wrong at the site", () => {
  test("a root that is not there", () =>
    doctor.expectWrong({ root: "gone" }, "root", /gone" is not there → make the folder/));

  test("a root that is a file", () =>
    doctor.expectWrong({ root: "server.log" }, "root", /is no folder → name the folder/));

  test("a pattern that can match nothing", () =>
    doctor.expectWrong(
      { flags: ["--deny", "a\\b"] },
      "root",
      /has the pattern "a\\b": write "a\/b"/,
    ));

  test.skipIf(lacksRights !== "")(`a root that this user may not read${lacksRights}`, async () => {
    await makeClosedFolder(join(system.folder, "others"));
    const words =
      /cannot read ".*others" \(EACCES\) → give the user .* the right to enter .* and to read it: setfacl/;
    await doctor.expectWrong({ root: "others", wrapper: withLessRights }, "root", words);
    await rm(join(system.folder, "others"), { recursive: true });
  });

  test.skipIf(lacksRights !== "")(`a state folder of another user${lacksRights}`, async () => {
    await makeClosedFolder(join(system.folder, "state"));
    const words = /cannot write in ".*state" \(EACCES\) → give the folder to the user/;
    const { statuses } = await doctor.expectWrong(
      { stateDir: "state", wrapper: withLessRights },
      "state folder",
      words,
    );
    expect(statuses).toMatchObject({ key: "not_tried", registration: "not_tried" });
    await rm(join(system.folder, "state"), { recursive: true });
  });

  test.skipIf(lacksRoot !== "")(`a root that the service may not read${lacksRoot}`, async () => {
    const [state, root] = [join(system.folder, "service"), join(system.folder, "roots-own")];
    await makeFolderOfNobody(state);
    await mkdir(root, { mode: 0o700 });
    // Users other than the owner may pass through the test's folder, so only the client's root folder is
    // unreadable.
    await chmod(system.folder, 0o711);
    const words = /"nobody" cannot read ".*roots-own" \(EACCES\)/;
    const setUp = { id: "new", stateDir: "service", root: "roots-own", env: { ENROLL_TOKEN } };
    const { text } = await doctor.expectWrong(setUp, "root", words);
    expect(text).toMatch(/✓ user +"nobody", to whom ".*service" belongs\n/);
    await chmod(system.folder, 0o700);
  });

  test("a state folder in which everybody can write", async () => {
    await mkdir(join(system.folder, "shared"));
    await chmod(join(system.folder, "shared"), 0o777);
    await doctor.expectWrong(
      { stateDir: "shared" },
      "state folder",
      /others .* can write .* chmod 700/,
    );
  });

  test("a key file that is broken", async () => {
    await mkdir(join(system.folder, "broken"), { mode: 0o700 });
    await writeFile(join(system.folder, "broken/key"), "junk", { mode: 0o600 });
    const words = /holds no key: put the right one back/;
    const { statuses } = await doctor.expectWrong({ stateDir: "broken" }, "key", words);
    expect(statuses["registration"]).toBe("not_tried");
  });

  test("a key that is another client's, and one that everybody may read", async () => {
    const copy = join(system.folder, "copy");
    await cp(join(system.folder, "site-1"), copy, { recursive: true });
    await doctor.expectWrong(
      { stateDir: "copy" },
      "key",
      /the same as that of ".*site-1" → each client/,
    );
    await chmod(join(copy, "key"), 0o644);
    await doctor.expectWrong({ stateDir: "copy" }, "key", /everybody .* can read .* run chmod 600/);
    await rm(copy, { recursive: true });
  });
});

describe("what is wrong with the registration", () => {
  test.each<[string, SetUp, RegExp]>([
    [
      "no token",
      { id: "new" },
      /has to enrol.* → ask whoever runs the server for an enrolment key/,
    ],
    [
      "a wrong token",
      { id: "new", env: { ENROLL_TOKEN: "another" } },
      /ENROLL_TOKEN is not the server's → ENROLL_TOKEN is wrong or used up/,
    ],
    [
      "the key of another client",
      { id: "site-1", stateDir: "revoked" },
      /"site-1" belongs to another key → another machine uses this id/,
    ],
    ["a key that was revoked", { id: "revoked" }, /was revoked.* → whoever runs the server cut/],
  ])("%s", async (_, setUp, words) => {
    await doctor.expectWrong(setUp, "registration", words);
  });

  test("nothing that an older server could tell", async () => {
    await using old = serveOlder();
    const { exitCode, text } = await doctor.ask({ server: old.url });
    expect(exitCode).toBe(0);
    expect(text).toContain(`it works, version 0.9.0; this client is ${packageJson.version}`);
    expect(text).toContain("– registration   this server is older, and cannot tell");
  });
});

/**
 * A server of an older version, which does not know the message `probe` and takes it for a protocol error.
 */
function serveOlder() {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, { upgrade }) {
      const headers = { "Sec-WebSocket-Protocol": SUBPROTOCOL };
      if (upgrade.call(server, request, { headers })) return undefined;
      return Response.json({ status: "healthy", version: "0.9.0" });
    },
    websocket: {
      message: (socket) => socket.close(1002, "protocol_error: type: Invalid input"),
    },
  });
  const stop = () => server.stop(true);
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: stop };
}
