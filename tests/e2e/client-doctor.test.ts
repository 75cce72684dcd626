import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import packageJson from "../../package.json";
import { SUBPROTOCOL } from "../../lib/protocol/messages.ts";
import { Authority, openssl } from "../support/certificates.ts";
import {
  ClientDoctor,
  PROXY_PASSWORD,
  serveOverTls,
  type SetUp,
} from "../support/client-doctor.ts";
import { HandmadeServer } from "../support/handmade-server.ts";
import {
  lacksRights,
  lacksRoot,
  makeClosedFolder,
  makeFolderOfNobody,
  withLessRights,
} from "../support/less-rights.ts";
import { lacksFaketime } from "../support/machine.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { WallClock } from "../support/wall-clock.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* What `client doctor` says of a client that is well, and of each set-up that is broken. */

let system: System;
let doctor: ClientDoctor;

beforeAll(async () => {
  system = await System.start();
  doctor = new ClientDoctor(system);
  await system.startClient();
  const revoked = await system.startClient({ id: "revoked" });
  await revoked[Symbol.asyncDispose]();
  await system.api.revokeClient("revoked");
});
afterAll(() => system?.[Symbol.asyncDispose]());

const NO_OPENSSL = openssl.isThere ? "" : ` (${openssl.hint})`;

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
    // Whoever runs the tests has these folders for themselves.
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

describe("what is wrong on the way", () => {
  test("a name that nobody knows", async () => {
    const server = "https://no-such-name.invalid";
    const words = /nobody knows the name "no-such-name.invalid" .* → check how it is spelled/;
    const { statuses } = await doctor.expectWrong({ server }, "name lookup", words);
    expect(statuses).toMatchObject({ connection: "not_tried", TLS: "not_tried" });
  });

  test("a port at which nobody listens", () =>
    doctor.expectWrong(
      { server: "http://127.0.0.1:1" },
      "connection",
      /nobody listens at 127.0.0.1, port 1 → check the port in SERVER_URL/,
    ));

  test.each([
    ["that wants a password", "407 Proxy Authentication Required", /wants a user and a password/],
    ["that lets nobody through", "403 Forbidden", /ask whoever runs the proxy to let/],
    ["that does not find the server", "502 Bad Gateway", /has no way to far.test/],
  ])("a proxy %s", async (_, first, advice) => {
    const answer = `HTTP/1.1 ${first}\r\nContent-Length: 0\r\n\r\n`;
    await using proxy = await HandmadeServer.listen((socket) => socket.end(answer));
    const env = { HTTPS_PROXY: proxy.url.replace("//", `//user:${PROXY_PASSWORD}@`) };
    const { wrong } = await doctor.expectWrong(
      { server: "https://far.test", env },
      "proxy",
      advice,
    );
    expect(wrong["proxy"]).toContain(`answered "HTTP/1.1 ${first}"`);
  });

  test("a page to sign in at, in place of the server", async () => {
    await using portal = await HandmadeServer.listen((socket) =>
      socket.end("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"),
    );
    const words =
      /another program answers .*200, text\/html.* → if this network has a sign-in page/;
    await doctor.expectWrong({ server: portal.url }, "server", words);
  });

  test("a redirection to such a page", async () => {
    const head = "HTTP/1.1 302 Found\r\nLocation: http://login.test/\r\nContent-Length: 0\r\n\r\n";
    await using portal = await HandmadeServer.listen((socket) => socket.end(head));
    await doctor.expectWrong({ server: portal.url }, "server", /leads to "http:\/\/login.test\/"/);
  });

  test("a server that speaks no HTTP", async () => {
    await using server = await HandmadeServer.listen((socket) => socket.end("SSH-2.0-OpenSSH\r\n"));
    await doctor.expectWrong(
      { server: server.url },
      "server",
      /does not speak HTTP → check SERVER_URL/,
    );
  });

  test("a server that says nothing at all", async () => {
    await using server = await HandmadeServer.listen(() => {});
    await doctor.expectWrong(
      { server: server.url },
      "server",
      /says nothing in 4 s → check SERVER_URL/,
    );
  });

  test.skipIf(!openssl.isThere)(`no TLS to a server that has it${NO_OPENSSL}`, async () => {
    const authority = await Authority.make(system.folder, "plain");
    await using server = await serveOverTls(await authority.sign("plain-server", "serverAuth"));
    const words = /→ check SERVER_URL: with TLS it begins with https:/;
    await doctor.expectWrong({ server: server.url.replace("https:", "http:") }, "server", words);
  });

  test("TLS to a server that has none", () =>
    doctor.expectWrong(
      { server: system.url.replace("http:", "https:") },
      "TLS",
      /does not speak TLS/,
    ));

  test.skipIf(lacksFaketime !== "")(`a clock that is an hour off${lacksFaketime}`, async () => {
    const clock = new WallClock(system.folder, "doctor");
    clock.set(-1 / 24);
    const words = /60 minutes behind the server's → set this machine's clock/;
    await doctor.expectWrong({ env: clock.env }, "clock", words);
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

/** A server that knows no `probe`: it takes it for a broken protocol. */
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
